/* check_simd_planted.c - faults planted in the kernels of a table: the checkers must find each. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct simd_ops *honest;
static volatile float sink; /* what is read too much must be read */

/* ---- the register tile ---- */

static float *last_of(const struct simd_gemm_tile *tile)
{
    return tile->c + (tile->rows - 1) * tile->c_stride + tile->columns - 1;
}

static void gemm_stores_behind(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    last_of(tile)[1] = 0;
}

static void gemm_stores_between_rows(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    if (tile->rows > 1 && tile->c_stride > tile->columns)
        tile->c[tile->columns] = 0;
}

static void gemm_one_lane_wrong(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    *last_of(tile) = nextafterf(*last_of(tile), INFINITY);
}

static void gemm_last_column_missing(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile less = *tile;
    less.columns -= tile->columns > 1 && tile->columns == honest->gemm_columns - 1;
    honest->gemm_tile(&less);
}

static void gemm_last_step_missing(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_run runs[8];
    struct simd_gemm_tile less = *tile;
    memcpy(runs, tile->runs, tile->run_count * sizeof *runs);
    if (tile->run_count > 2 && runs[2].k > 16)
        runs[2].k--;
    less.runs = runs;
    honest->gemm_tile(&less);
}

static void gemm_forgets_to_accumulate(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.accumulates = tile->accumulates && tile->run_count > 0;
    honest->gemm_tile(&other);
}

static void gemm_clamps_nan(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t r = 0; tile->scale && r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            tile->c[r * tile->c_stride + j] = fmaxf(tile->c[r * tile->c_stride + j], tile->low);
}

static void gemm_loses_precision(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t r = 0; r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            tile->c[r * tile->c_stride + j] *= 1 + 0x1p-12F;
}

static void gemm_reads_behind_weights(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        sink = tile->runs[i].a[tile->runs[i].k * tile->rows];
}

static void gemm_reads_behind_scale(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    if (tile->scale)
        sink = tile->scale[tile->rows];
}

static void gemm_reads_what_is_next(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    if (tile->run_count > 0 && tile->runs[0].next_a)
        sink = *tile->runs[0].next_a;
}

static void gemm_packs_wrongly(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed)
            tile->runs[i].ret_packed[tile->columns - 1] += 1;
}

static void gemm_packs_a_row_more(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed)
            tile->runs[i].ret_packed[tile->runs[i].k * honest->gemm_columns] = 0;
}

static void gemm_reads_behind_rows(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed)
            sink = tile->runs[i].b[(tile->runs[i].k - 1) * tile->runs[i].b_stride + tile->columns];
}

/* ---- rows ---- */

static void transpose_last_missing(const float *x, size_t stride, size_t rows, size_t columns,
                                   float *ret, size_t ret_stride)
{
    honest->transpose(x, stride, rows - (rows > 1), columns, ret, ret_stride);
}

static void transpose_reads_before(const float *x, size_t stride, size_t rows, size_t columns,
                                   float *ret, size_t ret_stride)
{
    honest->transpose(x, stride, rows, columns, ret, ret_stride);
    sink = x[-1];
}

static void transpose_stores_behind(const float *x, size_t stride, size_t rows, size_t columns,
                                    float *ret, size_t ret_stride)
{
    honest->transpose(x, stride, rows, columns, ret, ret_stride);
    ret[rows] = columns > 1 && ret_stride > rows ? 0 : ret[rows];
}

static void sum_of_other_order(const float *x, size_t stride, size_t rows, size_t columns,
                               float *ret)
{
    for (size_t j = 0; j < columns; j++) {
        float sum = x[(rows - 1) * stride + j];
        for (size_t row = rows - 1; row-- > 0;)
            sum += x[row * stride + j];
        ret[j] = sum;
    }
}

static void sum_reads_behind(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    honest->sum_rows(x, stride, rows, columns, ret);
    sink = columns ? x[(rows - 1) * stride + columns] : 0;
}

static void lerp_reversed(const float *above, const float *below, float weight, float *ret,
                          size_t count)
{
    honest->lerp_rows(above, below, 1 - weight, ret, count);
}

static void lerp_last_missing(const float *above, const float *below, float weight, float *ret,
                              size_t count)
{
    honest->lerp_rows(above, below, weight, ret, count - (count % 4 == 3));
}

static void lerp_skips_below(const float *above, const float *below, float weight, float *ret,
                             size_t count)
{
    honest->lerp_rows(above, weight == 0 ? above : below, weight, ret, count); /* 0 * Inf is NaN */
}

/* ---- Winograd's transforms ---- */

static void input_lane_wrong(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride)
{
    honest->winograd_input(x, stride, count, ret, ret_stride);
    if (count % 16 == 15)
        ret[7 * ret_stride + count - 1] += 0x1p-10F;
}

static void input_reads_behind(const float *x, size_t stride, size_t count, float *ret,
                               size_t ret_stride)
{
    honest->winograd_input(x, stride, count, ret, ret_stride);
    sink = x[5 * stride + 4 * ((count + 15) / 16 * 16) + 4];
}

static void weights_store_behind(const float *x, size_t stride, size_t count, float *ret,
                                 size_t ret_stride)
{
    honest->winograd_weights(x, stride, count, ret, ret_stride);
    if (ret_stride > count)
        ret[count] = 0;
}

static void weights_turned(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride)
{
    honest->winograd_weights(x, stride, count, ret, ret_stride);
    for (size_t k = 0; k < count; k++) {
        const float other = ret[k + ret_stride];
        ret[k + ret_stride] = ret[k + 6 * ret_stride];
        ret[k + 6 * ret_stride] = other;
    }
}

static bool output_always_finite(const struct simd_winograd_sums *from, float *ret,
                                 size_t ret_stride)
{
    honest->winograd_output(from, ret, ret_stride);
    return true;
}

static bool output_not_clamped(const struct simd_winograd_sums *from, float *ret, size_t ret_stride)
{
    struct simd_winograd_sums other = *from;
    other.high = INFINITY;
    return honest->winograd_output(&other, ret, ret_stride);
}

/* ---- halves ---- */

static void half_without_subnormals(const uint16_t *half, float *ret, size_t count)
{
    honest->float16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] *= (half[i] & 0x7c00) != 0;
}

static void half_reads_behind(const uint16_t *half, float *ret, size_t count)
{
    honest->float16_to_float32(half, ret, count);
    sink = half[count];
}

static void half_signals(const uint16_t *half, float *ret, size_t count)
{
    const uint32_t quiet = 1u << 22;
    honest->float16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &ret[i], sizeof bits);
        bits &= (half[i] & 0x7fff) > 0x7c00 && !(half[i] & 0x200) ? ~quiet : ~0u;
        memcpy(&ret[i], &bits, sizeof bits);
    }
}

static void bfloat_stores_behind(const uint16_t *half, float *ret, size_t count)
{
    honest->bfloat16_to_float32(half, ret, count);
    ret[count] = 0;
}

static void bfloat_flushed(const uint16_t *half, float *ret, size_t count)
{
    honest->bfloat16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] += 0;
}

static void to_half_ties_away(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        ret[i] = (uint16_t)(ret[i] + (isnormal(x[i]) && (bits & 0x3fff) == 0x1000 &&
                                      fabsf(x[i]) >= 0x1p-14F && fabsf(x[i]) < 65504));
    }
}

static void to_half_saturates(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] = (uint16_t)(ret[i] - ((ret[i] & 0x7fff) == 0x7c00 && isfinite(x[i])));
}

static void to_half_overflows_late(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] = (uint16_t)(ret[i] - (fabsf(x[i]) == 65520));
}

static void to_half_flushes(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] &= ret[i] & 0x7c00 ? 0xffff : 0x8000;
}

static void to_half_signals(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] &= (ret[i] & 0x7fff) > 0x7e00 ? 0xfdff : 0xffff;
}

static void to_half_stores_behind(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    ret[count] = 0;
}

static void to_half_reads_behind(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_float16(x, ret, count);
    sink = x[count];
}

static void to_bfloat_cuts_off(const float *x, uint16_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(&ret[i], (const char *)&x[i] + 2, sizeof *ret);
}

static void to_bfloat_rounds_nan(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_bfloat16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] = isnan(x[i]) && (ret[i] & 0x7f) == 0x7f ? (uint16_t)(ret[i] + 1) : ret[i];
}

static void to_bfloat_flushes(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_bfloat16(x, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] &= ret[i] & 0x7f80 ? 0xffff : 0x8000;
}

static void to_bfloat_last_missing(const float *x, uint16_t *ret, size_t count)
{
    honest->float32_to_bfloat16(x, ret, count - (count % 4 == 3));
}

/* ---- the output stage ---- */

static void stretch_reads_behind_the_row(const float *x, size_t stride, size_t rows,
                                         const struct simd_taps *taps, float *ret,
                                         size_t ret_stride)
{
    honest->stretch_rows(x, stride, rows, taps, ret, ret_stride);
    sink = x[(rows - 1) * stride + taps->width];
}

static void stretch_stores_behind(const float *x, size_t stride, size_t rows,
                                  const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    honest->stretch_rows(x, stride, rows, taps, ret, ret_stride);
    ret[taps->count] = 0;
}

static void stretch_loses_the_last_row(const float *x, size_t stride, size_t rows,
                                       const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    honest->stretch_rows(x, stride, rows - (rows == 4), taps, ret, ret_stride);
}

static void stretch_takes_the_nearest(const float *x, size_t stride, size_t rows,
                                      const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    honest->stretch_rows(x, stride, rows, taps, ret, ret_stride);
    for (size_t j = 0; j < taps->count; j++)
        if (taps->weight[j] > 0 && taps->weight[j] < 0x1p-18F)
            ret[j] = x[taps->low[j]];
}

static void argmax_takes_the_last_of_a_tie(const float *x, size_t channels, size_t stride,
                                           size_t count, int32_t *ret)
{
    honest->argmax(x, channels, stride, count, ret);
    for (size_t j = 0; j < count; j++)
        for (size_t c = 0; c < channels; c++)
            if (x[c * stride + j] == x[(size_t)ret[j] * stride + j])
                ret[j] = (int32_t)c;
}

static void argmax_passes_nan_over(const float *x, size_t channels, size_t stride, size_t count,
                                   int32_t *ret)
{
    for (size_t j = 0; j < count; j++) {
        ret[j] = 0;
        for (size_t c = 1; c < channels; c++)
            if (x[c * stride + j] > x[(size_t)ret[j] * stride + j])
                ret[j] = (int32_t)c;
    }
}

static void argmax_takes_the_last_nan(const float *x, size_t channels, size_t stride, size_t count,
                                      int32_t *ret)
{
    honest->argmax(x, channels, stride, count, ret);
    for (size_t j = 0; j < count; j++)
        for (size_t c = 0; c < channels; c++)
            if (isnan(x[c * stride + j]))
                ret[j] = (int32_t)c;
}

static void argmax_reads_behind(const float *x, size_t channels, size_t stride, size_t count,
                                int32_t *ret)
{
    honest->argmax(x, channels, stride, count, ret);
    sink = x[(channels - 1) * stride + count];
}

static void argmax_stores_behind(const float *x, size_t channels, size_t stride, size_t count,
                                 int32_t *ret)
{
    honest->argmax(x, channels, stride, count, ret);
    ret[count] = 0;
}

/* ---- activations and softmax ---- */

static void relu_without_nan(const float *x, float *ret, size_t count, float slope)
{
    (void)slope;
    for (size_t i = 0; i < count; i++)
        ret[i] = fmaxf(x[i], 0);
}

static void tanh_off_by_three(const float *x, float *ret, size_t count, float slope)
{
    honest->activate[SIMD_TANH](x, ret, count, slope);
    for (size_t i = 0; i < count; i++)
        ret[i] *= 1 + 0x1.8p-22F;
}

static void gelu_by_tanh(const float *x, float *ret, size_t count, float slope)
{
    (void)slope;
    for (size_t i = 0; i < count; i++)
        ret[i] = x[i] / 2 * (1 + tanhf(0.79788456F * (x[i] + 0.044715F * x[i] * x[i] * x[i])));
}

static void hardswish_that_overflows(const float *x, float *ret, size_t count, float slope)
{
    honest->activate[SIMD_HARDSWISH](x, ret, count, slope);
    for (size_t i = 0; i < count; i++)
        ret[i] = ret[i] * 6 / 6;
}

static void silu_not_in_place(const float *x, float *ret, size_t count, float slope)
{
    honest->activate[SIMD_SIGMOID](x, ret, count, slope);
    for (size_t i = 0; i < count; i++)
        ret[i] *= x[i];
}

static void elu_reads_a_whole_vector(const float *x, float *ret, size_t count, float slope)
{
    honest->activate[SIMD_ELU](x, ret, count, slope);
    sink = count % 8 ? x[count / 8 * 8 + 7] : 0;
}

static void softmax_without_max(float *x, size_t channels, size_t stride, size_t count)
{
    for (size_t p = 0; p < count; p++) {
        float sum = 0;
        for (size_t c = 0; c < channels; c++)
            sum += x[c * stride + p] = expf(x[c * stride + p]);
        for (size_t c = 0; c < channels; c++)
            x[c * stride + p] /= sum;
    }
}

static void softmax_of_a_pixel_more(float *x, size_t channels, size_t stride, size_t count)
{
    honest->softmax(x, channels, stride, stride > count ? count + 1 : count);
}

/* ---- the test ---- */

#define PLANT(run, member, fault)                                                                  \
    {                                                                                              \
#        fault, run,                                                                               \
        {                                                                                          \
            .member = fault                                                                        \
        }                                                                                          \
    }

static const struct plant {
    const char *fault;
    checker *run;
    struct simd_ops kernels; /* that replace the honest ones */
} plants[] = {
    PLANT(check_gemm_tile, gemm_tile, gemm_stores_behind),
    PLANT(check_gemm_tile, gemm_tile, gemm_stores_between_rows),
    PLANT(check_gemm_tile, gemm_tile, gemm_one_lane_wrong),
    PLANT(check_gemm_tile, gemm_tile, gemm_last_column_missing),
    PLANT(check_gemm_tile, gemm_tile, gemm_last_step_missing),
    PLANT(check_gemm_tile, gemm_tile, gemm_forgets_to_accumulate),
    PLANT(check_gemm_tile, gemm_tile, gemm_clamps_nan),
    PLANT(check_gemm_tile, gemm_tile, gemm_loses_precision),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_behind_weights),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_behind_scale),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_what_is_next),
    PLANT(check_gemm_tile, gemm_tile, gemm_packs_wrongly),
    PLANT(check_gemm_tile, gemm_tile, gemm_packs_a_row_more),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_behind_rows),
    PLANT(check_transpose, transpose, transpose_last_missing),
    PLANT(check_transpose, transpose, transpose_reads_before),
    PLANT(check_transpose, transpose, transpose_stores_behind),
    PLANT(check_sum_rows, sum_rows, sum_of_other_order),
    PLANT(check_sum_rows, sum_rows, sum_reads_behind),
    PLANT(check_lerp_rows, lerp_rows, lerp_reversed),
    PLANT(check_lerp_rows, lerp_rows, lerp_last_missing),
    PLANT(check_lerp_rows, lerp_rows, lerp_skips_below),
    PLANT(check_winograd_input, winograd_input, input_lane_wrong),
    PLANT(check_winograd_input, winograd_input, input_reads_behind),
    PLANT(check_winograd_weights, winograd_weights, weights_store_behind),
    PLANT(check_winograd_weights, winograd_weights, weights_turned),
    PLANT(check_winograd_output, winograd_output, output_always_finite),
    PLANT(check_winograd_output, winograd_output, output_not_clamped),
    PLANT(check_stretch_rows, stretch_rows, stretch_reads_behind_the_row),
    PLANT(check_stretch_rows, stretch_rows, stretch_stores_behind),
    PLANT(check_stretch_rows, stretch_rows, stretch_loses_the_last_row),
    PLANT(check_stretch_rows, stretch_rows, stretch_takes_the_nearest),
    PLANT(check_argmax, argmax, argmax_takes_the_last_of_a_tie),
    PLANT(check_argmax, argmax, argmax_passes_nan_over),
    PLANT(check_argmax, argmax, argmax_takes_the_last_nan),
    PLANT(check_argmax, argmax, argmax_reads_behind),
    PLANT(check_argmax, argmax, argmax_stores_behind),
    PLANT(check_from_float16, float16_to_float32, half_without_subnormals),
    PLANT(check_from_float16, float16_to_float32, half_reads_behind),
    PLANT(check_from_float16, float16_to_float32, half_signals),
    PLANT(check_from_bfloat16, bfloat16_to_float32, bfloat_stores_behind),
    PLANT(check_from_bfloat16, bfloat16_to_float32, bfloat_flushed),
    PLANT(check_to_float16, float32_to_float16, to_half_ties_away),
    PLANT(check_to_float16, float32_to_float16, to_half_saturates),
    PLANT(check_to_float16, float32_to_float16, to_half_overflows_late),
    PLANT(check_to_float16, float32_to_float16, to_half_flushes),
    PLANT(check_to_float16, float32_to_float16, to_half_signals),
    PLANT(check_to_float16, float32_to_float16, to_half_stores_behind),
    PLANT(check_to_float16, float32_to_float16, to_half_reads_behind),
    PLANT(check_to_bfloat16, float32_to_bfloat16, to_bfloat_cuts_off),
    PLANT(check_to_bfloat16, float32_to_bfloat16, to_bfloat_rounds_nan),
    PLANT(check_to_bfloat16, float32_to_bfloat16, to_bfloat_flushes),
    PLANT(check_to_bfloat16, float32_to_bfloat16, to_bfloat_last_missing),
    PLANT(check_activations, activate[SIMD_RELU], relu_without_nan),
    PLANT(check_activations, activate[SIMD_TANH], tanh_off_by_three),
    PLANT(check_activations, activate[SIMD_GELU], gelu_by_tanh),
    PLANT(check_activations, activate[SIMD_HARDSWISH], hardswish_that_overflows),
    PLANT(check_activations, activate[SIMD_SILU], silu_not_in_place),
    PLANT(check_activations, activate[SIMD_ELU], elu_reads_a_whole_vector),
    PLANT(check_softmax, softmax, softmax_without_max),
    PLANT(check_softmax, softmax, softmax_of_a_pixel_more),
};

#define REPLACE(member) ret.member = kernels->member ? kernels->member : honest->member

static struct simd_ops with_kernels(const struct simd_ops *kernels)
{
    struct simd_ops ret = *honest;
    REPLACE(gemm_tile);
    REPLACE(transpose);
    REPLACE(sum_rows);
    REPLACE(lerp_rows);
    REPLACE(winograd_input);
    REPLACE(winograd_weights);
    REPLACE(winograd_output);
    REPLACE(stretch_rows);
    REPLACE(argmax);
    REPLACE(softmax);
    REPLACE(float16_to_float32);
    REPLACE(bfloat16_to_float32);
    REPLACE(float32_to_float16);
    REPLACE(float32_to_bfloat16);
    for (size_t i = 0; i < SIMD_ACTIVATION_COUNT; i++)
        REPLACE(activate[i]);
    return ret;
}

/* From any seed: what is found by luck is not found. */
Test(check_simd, planted_faults_are_found)
{
    const uint64_t seed = check_seed();
    honest = simd_select(NULL);
    for (size_t i = 0; i < COUNT(plants); i++) {
        const struct simd_ops faulty = with_kernels(&plants[i].kernels);
        for (uint64_t k = 0; k < 3; k++) {
            const struct check check = check_run(plants[i].run, &faulty, NULL, seed + k);
            cr_expect(check.faults > 0, "%s was not found; PPM_TEST_SEED=%llu", plants[i].fault,
                      (unsigned long long)(seed + k));
        }
    }
}
