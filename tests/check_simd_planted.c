/* check_simd_planted.c - a fault for each checker to find, and two of memory, which all share. */
#include "tests/check_simd_planted.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

const struct simd_ops *check_honest;
volatile float check_sink;

/* ---- the register tile ---- */

static float *last_of(const struct simd_gemm_tile *tile)
{
    return tile->c + (tile->rows - 1) * tile->c_stride + tile->columns - 1;
}

static void gemm_stores_beyond(const struct simd_gemm_tile *tile)
{
    check_honest->gemm_tile(tile);
    last_of(tile)[1] = 0;
}

static void gemm_one_lane_wrong(const struct simd_gemm_tile *tile)
{
    check_honest->gemm_tile(tile);
    *last_of(tile) = nextafterf(*last_of(tile), INFINITY);
}

static void gemm_forgets_to_accumulate(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.accumulates = tile->accumulates && tile->run_count > 0;
    check_honest->gemm_tile(&other);
}

static void gemm_reads_beyond_weights(const struct simd_gemm_tile *tile)
{
    check_honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        check_sink = tile->runs[i].a[tile->runs[i].k * tile->rows];
}

static void gemm_clamps_before_the_residual(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.residual = NULL;
    if (tile->residual == tile->c || !tile->scale) {
        check_honest->gemm_tile(tile);
        return;
    }
    check_honest->gemm_tile(&other);
    for (size_t r = 0; tile->residual && r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            tile->c[r * tile->c_stride + j] += tile->residual[r * tile->residual_stride + j];
}

static void gemm_reads_beyond_the_residual(const struct simd_gemm_tile *tile)
{
    check_honest->gemm_tile(tile);
    if (tile->residual)
        check_sink = tile->residual[(tile->rows - 1) * tile->residual_stride + tile->columns];
}

/* ---- rows ---- */

static void transpose_last_missing(const float *x, size_t stride, size_t rows, size_t columns,
                                   float *ret, size_t ret_stride)
{
    check_honest->transpose(x, stride, rows - (rows > 1), columns, ret, ret_stride);
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

static void lerp_last_missing(const float *above, const float *below, float weight, float *ret,
                              size_t count)
{
    check_honest->lerp_rows(above, below, weight, ret, count - (count % 4 == 3));
}

/* ---- Winograd's transforms ---- */

static void input_lane_wrong(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride)
{
    check_honest->winograd_input(x, stride, count, ret, ret_stride);
    if (count % 16 == 15)
        ret[7 * ret_stride + count - 1] += 0x1p-10F;
}

static void weights_turned(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride)
{
    check_honest->winograd_weights(x, stride, count, ret, ret_stride);
    for (size_t k = 0; k < count; k++) {
        const float other = ret[k + ret_stride];
        ret[k + ret_stride] = ret[k + 6 * ret_stride];
        ret[k + 6 * ret_stride] = other;
    }
}

static bool output_always_finite(const struct simd_winograd_sums *from, float *ret,
                                 size_t ret_stride)
{
    check_honest->winograd_output(from, ret, ret_stride);
    return true;
}

/* ---- halves ---- */

static void half_without_subnormals(const uint16_t *half, float *ret, size_t count)
{
    check_honest->float16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] *= (half[i] & 0x7c00) != 0;
}

static void bfloat_flushed(const uint16_t *half, float *ret, size_t count)
{
    check_honest->bfloat16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] += 0;
}

static void to_half_ties_away(const float *x, uint16_t *ret, size_t count)
{
    check_honest->float32_to_float16(x, ret, count);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        ret[i] = (uint16_t)(ret[i] + (isnormal(x[i]) && (bits & 0x3fff) == 0x1000 &&
                                      fabsf(x[i]) >= 0x1p-14F && fabsf(x[i]) < 65504));
    }
}

static void to_bfloat_cuts_off(const float *x, uint16_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(&ret[i], (const char *)&x[i] + 2, sizeof *ret);
}

/* ---- the output stage ---- */

static void stretch_loses_the_last_row(const float *x, size_t stride, size_t rows,
                                       const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    check_honest->stretch_rows(x, stride, rows - (rows == 4), taps, ret, ret_stride);
}

static void stretch_nearest_by_weight(const float *x, size_t stride, size_t rows,
                                      const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    static const float zeros[1024];
    struct simd_taps other = *taps;
    other.weight = taps->weight ? taps->weight : zeros;
    check_honest->stretch_rows(x, stride, rows, &other, ret, ret_stride);
}

static void argmax_takes_the_last_of_a_tie(const float *x, size_t channels, size_t stride,
                                           size_t count, int32_t *ret)
{
    check_honest->argmax(x, channels, stride, count, ret);
    for (size_t j = 0; j < count; j++)
        for (size_t c = 0; c < channels; c++)
            if (x[c * stride + j] == x[(size_t)ret[j] * stride + j])
                ret[j] = (int32_t)c;
}

/* ---- the test ---- */

#define REPLACE(member) ret.member = kernels->member ? kernels->member : check_honest->member

static struct simd_ops with_kernels(const struct simd_ops *kernels)
{
    struct simd_ops ret = *check_honest;
    REPLACE(gemm_tile);
    REPLACE(transpose);
    REPLACE(pick_rows);
    REPLACE(depthwise);
    REPLACE(sum_rows);
    REPLACE(max_rows);
    REPLACE(sum_windows);
    REPLACE(max_windows);
    REPLACE(add);
    REPLACE(mul);
    REPLACE(affine);
    REPLACE(lerp_rows);
    REPLACE(winograd_input);
    REPLACE(winograd_weights);
    REPLACE(winograd_output);
    REPLACE(stretch_rows);
    REPLACE(argmax);
    REPLACE(softmax);
    REPLACE(moments);
    REPLACE(layer_norm);
    REPLACE(float16_to_float32);
    REPLACE(bfloat16_to_float32);
    REPLACE(float32_to_float16);
    REPLACE(float32_to_bfloat16);
    for (size_t i = 0; i < SIMD_ACTIVATION_COUNT; i++)
        REPLACE(activate[i]);
    return ret;
}

/* From several seeds, so that no fault is found by luck. */
void check_plants(const struct plant *plants, size_t count)
{
    const uint64_t seed = check_seed();
    check_honest = simd_select(NULL);
    for (size_t i = 0; i < count; i++) {
        const struct simd_ops faulty = with_kernels(&plants[i].kernels);
        for (uint64_t k = 0; k < 3; k++) {
            const struct check check = check_run(plants[i].run, &faulty, NULL, seed + k);
            cr_expect(check.faults > 0, "%s was not found; PPM_TEST_SEED=%llu", plants[i].fault,
                      (unsigned long long)(seed + k));
        }
    }
}

Test(check_simd, planted_faults_are_found)
{
    static const struct plant plants[] = {
        PLANT(check_gemm_tile, gemm_tile, gemm_stores_beyond),
        PLANT(check_gemm_tile, gemm_tile, gemm_one_lane_wrong),
        PLANT(check_gemm_tile, gemm_tile, gemm_forgets_to_accumulate),
        PLANT(check_gemm_tile, gemm_tile, gemm_reads_beyond_weights),
        PLANT(check_gemm_tile, gemm_tile, gemm_clamps_before_the_residual),
        PLANT(check_gemm_tile, gemm_tile, gemm_reads_beyond_the_residual),
        PLANT(check_transpose, transpose, transpose_last_missing),
        PLANT(check_sum_rows, sum_rows, sum_of_other_order),
        PLANT(check_lerp_rows, lerp_rows, lerp_last_missing),
        PLANT(check_winograd_input, winograd_input, input_lane_wrong),
        PLANT(check_winograd_weights, winograd_weights, weights_turned),
        PLANT(check_winograd_output, winograd_output, output_always_finite),
        PLANT(check_stretch_rows, stretch_rows, stretch_loses_the_last_row),
        PLANT(check_stretch_rows, stretch_rows, stretch_nearest_by_weight),
        PLANT(check_argmax, argmax, argmax_takes_the_last_of_a_tie),
        PLANT(check_from_float16, float16_to_float32, half_without_subnormals),
        PLANT(check_from_bfloat16, bfloat16_to_float32, bfloat_flushed),
        PLANT(check_to_float16, float32_to_float16, to_half_ties_away),
        PLANT(check_to_bfloat16, float32_to_bfloat16, to_bfloat_cuts_off),
    };
    check_plants(plants, COUNT(plants));
}
