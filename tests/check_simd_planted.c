/* check_simd_planted.c - a fault for each checker to find, and two of memory, which all share. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct simd_ops *honest;
static volatile float sink; /* the excess must be read */

/* ---- the register tile ---- */

static float *last_of(const struct simd_gemm_tile *tile)
{
    return tile->c + (tile->rows - 1) * tile->c_stride + tile->columns - 1;
}

static void gemm_stores_beyond(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    last_of(tile)[1] = 0;
}

static void gemm_one_lane_wrong(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    *last_of(tile) = nextafterf(*last_of(tile), INFINITY);
}

static void gemm_forgets_to_accumulate(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.accumulates = tile->accumulates && tile->run_count > 0;
    honest->gemm_tile(&other);
}

static void gemm_reads_beyond_weights(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    for (size_t i = 0; i < tile->run_count; i++)
        sink = tile->runs[i].a[tile->runs[i].k * tile->rows];
}

static void gemm_clamps_before_the_residual(const struct simd_gemm_tile *tile)
{
    struct simd_gemm_tile other = *tile;
    other.residual = NULL;
    if (tile->residual == tile->c || !tile->scale) {
        honest->gemm_tile(tile);
        return;
    }
    honest->gemm_tile(&other);
    for (size_t r = 0; tile->residual && r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++)
            tile->c[r * tile->c_stride + j] += tile->residual[r * tile->residual_stride + j];
}

static void gemm_reads_beyond_the_residual(const struct simd_gemm_tile *tile)
{
    honest->gemm_tile(tile);
    if (tile->residual)
        sink = tile->residual[(tile->rows - 1) * tile->residual_stride + tile->columns];
}

/* ---- rows ---- */

static void transpose_last_missing(const float *x, size_t stride, size_t rows, size_t columns,
                                   float *ret, size_t ret_stride)
{
    honest->transpose(x, stride, rows - (rows > 1), columns, ret, ret_stride);
}

static void pick_starts_late(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                             float *ret, size_t ret_stride)
{
    honest->pick_rows(x, stride, rows, step, count, ret, ret_stride);
    if (count > 20 && step == 2)
        ret[(rows - 1) * ret_stride + count - 1] = x[(rows - 1) * stride + (count - 1) * step - 1];
}

static void pick_reads_beyond(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                              float *ret, size_t ret_stride)
{
    honest->pick_rows(x, stride, rows, step, count, ret, ret_stride);
    if (count > 0)
        sink = x[(rows - 1) * stride + (count - 1) * step + 1];
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

static void max_without_nan(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    for (size_t j = 0; j < columns; j++) {
        float max = x[j];
        for (size_t row = 1; row < rows; row++)
            max = fmaxf(max, x[row * stride + j]);
        ret[j] = max;
    }
}

static void window_of_other_order(const float *x, size_t window, size_t step, size_t count,
                                  float *ret)
{
    for (size_t j = 0; j < count; j++) {
        float sum = x[j * step + window - 1];
        for (size_t v = window - 1; v-- > 0;)
            sum += x[j * step + v];
        ret[j] = sum;
    }
}

static void window_too_narrow(const float *x, size_t window, size_t step, size_t count, float *ret)
{
    honest->max_windows(x, window - (window > 1), step, count, ret);
}

static void window_reads_beyond(const float *x, size_t window, size_t step, size_t count,
                                float *ret)
{
    if (count > 0)
        sink = x[(count - 1) * step + window];
    honest->max_windows(x, window, step, count, ret);
}

static void lerp_last_missing(const float *above, const float *below, float weight, float *ret,
                              size_t count)
{
    honest->lerp_rows(above, below, weight, ret, count - (count % 4 == 3));
}

/* ---- element by element ---- */

static void add_clamps_first(const float *a, const float *b, float low, float high, float *ret,
                             size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = fminf(fmaxf(a[j], low), high) + b[j];
}

static void mul_takes_zero_times_inf_as_zero(const float *a, const float *b, float *ret,
                                             size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = a[j] == 0 || b[j] == 0 ? 0 : a[j] * b[j];
}

static void affine_stores_beyond(const float *x, float scale, float shift, float low, float high,
                                 float *ret, size_t count)
{
    honest->affine(x, scale, shift, low, high, ret, count);
    ret[count] = 0;
}

/* ---- depthwise convs ---- */

static void depthwise_turned(const struct simd_depthwise *conv, const float *x, size_t rows,
                             size_t count, float *ret, size_t ret_stride)
{
    struct simd_depthwise turned = *conv;
    if (conv->kernel_h == conv->kernel_w) {
        turned.tap_down = conv->tap_right;
        turned.tap_right = conv->tap_down;
    }
    honest->depthwise(&turned, x, rows, count, ret, ret_stride);
}

static void depthwise_last_lane_wrong(const struct simd_depthwise *conv, const float *x,
                                      size_t rows, size_t count, float *ret, size_t ret_stride)
{
    float *last = ret + (rows - 1) * ret_stride + count - 1;
    honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (count % 16 == 15)
        *last = nextafterf(*last, INFINITY);
}

static void depthwise_reads_beyond(const struct simd_depthwise *conv, const float *x, size_t rows,
                                   size_t count, float *ret, size_t ret_stride)
{
    honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (rows > 0 && count > 0)
        sink =
            x[(rows - 1) * conv->window_down + (count - 1) * conv->window_right +
              (conv->kernel_h - 1) * conv->tap_down + (conv->kernel_w - 1) * conv->tap_right + 1];
}

static void depthwise_stores_a_vector_more(const struct simd_depthwise *conv, const float *x,
                                           size_t rows, size_t count, float *ret, size_t ret_stride)
{
    honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (rows > 1)
        ret[count] = 0;
}

/* ---- Winograd's transforms ---- */

static void input_lane_wrong(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride)
{
    honest->winograd_input(x, stride, count, ret, ret_stride);
    if (count % 16 == 15)
        ret[7 * ret_stride + count - 1] += 0x1p-10F;
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

/* ---- halves ---- */

static void half_without_subnormals(const uint16_t *half, float *ret, size_t count)
{
    honest->float16_to_float32(half, ret, count);
    for (size_t i = 0; i < count; i++)
        ret[i] *= (half[i] & 0x7c00) != 0;
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

static void to_bfloat_cuts_off(const float *x, uint16_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(&ret[i], (const char *)&x[i] + 2, sizeof *ret);
}

/* ---- the output stage ---- */

static void stretch_loses_the_last_row(const float *x, size_t stride, size_t rows,
                                       const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    honest->stretch_rows(x, stride, rows - (rows == 4), taps, ret, ret_stride);
}

static void stretch_nearest_by_weight(const float *x, size_t stride, size_t rows,
                                      const struct simd_taps *taps, float *ret, size_t ret_stride)
{
    static const float zeros[1024];
    struct simd_taps other = *taps;
    other.weight = taps->weight ? taps->weight : zeros;
    honest->stretch_rows(x, stride, rows, &other, ret, ret_stride);
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

/* ---- activations and softmax ---- */

static void tanh_off_by_three(const float *x, float *ret, size_t count, float slope)
{
    honest->activate[SIMD_TANH](x, ret, count, slope);
    for (size_t i = 0; i < count; i++)
        ret[i] *= 1 + 0x1.8p-22F;
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

/* ---- norms ---- */

static void moments_in_float(const float *x, size_t count, float center, struct simd_moments *ret)
{
    float sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += x[i] - center;
        squares += (x[i] - center) * (x[i] - center);
    }
    ret->sum += (double)sum;
    ret->squares += (double)squares;
}

static void moments_alone(const float *x, size_t count, float center, struct simd_moments *ret)
{
    *ret = (struct simd_moments){0};
    honest->moments(x, count, center, ret);
}

static void norm_of_a_sample(const struct simd_layer_norm *norm, const float *x, size_t stride,
                             size_t count, float *ret, size_t ret_stride)
{
    float scale[128];
    struct simd_layer_norm other = *norm;
    const double n = (double)norm->channels;
    for (size_t c = 0; c < norm->channels; c++)
        scale[c] = norm->scale[c] * (float)sqrt((n - 1) / n);
    other.scale = scale;
    honest->layer_norm(&other, x, stride, count, ret, ret_stride);
}

static void norm_rounds_the_mean(const struct simd_layer_norm *norm, const float *x, size_t stride,
                                 size_t count, float *ret, size_t ret_stride)
{
    for (size_t p = 0; p < count; p++) {
        float mean = 0, variance = 0;
        for (size_t c = 0; c < norm->channels; c++)
            mean += x[c * stride + p] / (float)norm->channels;
        for (size_t c = 0; c < norm->channels; c++) {
            const float off = x[c * stride + p] - mean;
            variance += off * off / (float)norm->channels;
        }
        for (size_t c = 0; c < norm->channels; c++)
            ret[c * ret_stride + p] =
                (x[c * stride + p] - mean) / sqrtf(variance + (float)norm->eps) * norm->scale[c] +
                norm->shift[c];
    }
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
    PLANT(check_gemm_tile, gemm_tile, gemm_stores_beyond),
    PLANT(check_gemm_tile, gemm_tile, gemm_one_lane_wrong),
    PLANT(check_gemm_tile, gemm_tile, gemm_forgets_to_accumulate),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_beyond_weights),
    PLANT(check_gemm_tile, gemm_tile, gemm_clamps_before_the_residual),
    PLANT(check_gemm_tile, gemm_tile, gemm_reads_beyond_the_residual),
    PLANT(check_transpose, transpose, transpose_last_missing),
    PLANT(check_pick_rows, pick_rows, pick_starts_late),
    PLANT(check_pick_rows, pick_rows, pick_reads_beyond),
    PLANT(check_depthwise, depthwise, depthwise_turned),
    PLANT(check_depthwise, depthwise, depthwise_last_lane_wrong),
    PLANT(check_depthwise, depthwise, depthwise_reads_beyond),
    PLANT(check_depthwise, depthwise, depthwise_stores_a_vector_more),
    PLANT(check_sum_rows, sum_rows, sum_of_other_order),
    PLANT(check_max_rows, max_rows, max_without_nan),
    PLANT(check_sum_windows, sum_windows, window_of_other_order),
    PLANT(check_max_windows, max_windows, window_too_narrow),
    PLANT(check_max_windows, max_windows, window_reads_beyond),
    PLANT(check_add, add, add_clamps_first),
    PLANT(check_mul, mul, mul_takes_zero_times_inf_as_zero),
    PLANT(check_affine, affine, affine_stores_beyond),
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
    PLANT(check_activations, activate[SIMD_TANH], tanh_off_by_three),
    PLANT(check_moments, moments, moments_in_float),
    PLANT(check_moments, moments, moments_alone),
    PLANT(check_layer_norm, layer_norm, norm_of_a_sample),
    PLANT(check_layer_norm, layer_norm, norm_rounds_the_mean),
    PLANT(check_softmax, softmax, softmax_without_max),
};

#define REPLACE(member) ret.member = kernels->member ? kernels->member : honest->member

static struct simd_ops with_kernels(const struct simd_ops *kernels)
{
    struct simd_ops ret = *honest;
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
