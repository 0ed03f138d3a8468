/* scalar.c - every kernel in plain C: the specification. */
#include "simd/scalar.h"
#include "simd/thread.h"

#include <math.h>
#include <string.h>

enum { GEMM_ROWS = 4, GEMM_COLUMNS = 8 };
_Static_assert(GEMM_ROWS <= (int)SIMD_GEMM_ROWS_MAX && GEMM_COLUMNS <= (int)SIMD_GEMM_COLUMNS_MAX,
               "a tile is larger than the maxima of simd.h");

static float clamp(float value, float low, float high)
{
    return value < low ? low : value > high ? high : value;
}

static float gemm_epilogue(const struct simd_gemm_tile *tile, size_t r, size_t j, float sum)
{
    if (!tile->scale)
        return sum;
    float value = sum * tile->scale[r] + tile->shift[r];
    if (tile->residual)
        value += tile->residual[r * tile->residual_stride + j];
    return clamp(value, tile->low, tile->high);
}

/* b of a run, packed now if it was not. */
static const float *packed_columns(const struct simd_gemm_run *run, size_t columns)
{
    for (size_t i = 0; run->ret_packed && i < run->k; i++)
        for (size_t j = 0; j < GEMM_COLUMNS; j++)
            run->ret_packed[i * GEMM_COLUMNS + j] = j < columns ? run->b[i * run->b_stride + j] : 0;
    return run->ret_packed ? run->ret_packed : run->b;
}

static void gemm_tile(const struct simd_gemm_tile *tile)
{
    float sums[GEMM_ROWS][GEMM_COLUMNS] = {{0}};
    for (size_t n = 0; n < tile->run_count; n++) {
        const struct simd_gemm_run *run = &tile->runs[n];
        const float *b = packed_columns(run, tile->columns);
        for (size_t i = 0; i < run->k; i++)
            for (size_t r = 0; r < tile->rows; r++)
                for (size_t j = 0; j < GEMM_COLUMNS; j++)
                    sums[r][j] += run->a[i * tile->rows + r] * b[i * GEMM_COLUMNS + j];
    }
    for (size_t r = 0; r < tile->rows; r++)
        for (size_t j = 0; j < tile->columns; j++) {
            float *c = &tile->c[r * tile->c_stride + j];
            *c = gemm_epilogue(tile, r, j, tile->accumulates ? *c + sums[r][j] : sums[r][j]);
        }
}

static void transpose(const float *x, size_t stride, size_t rows, size_t columns, float *ret,
                      size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            ret[j * ret_stride + i] = x[i * stride + j];
}

static void pick_rows(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                      float *ret, size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++)
            ret[i * ret_stride + j] = x[i * stride + j * step];
}

static void sum_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    for (size_t j = 0; j < columns; j++) {
        float sum = x[j];
        for (size_t row = 1; row < rows; row++)
            sum += x[row * stride + j];
        ret[j] = sum;
    }
}

static float larger(float a, float b)
{
    return b > a || isnan(b) ? b : a;
}

static void max_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    for (size_t j = 0; j < columns; j++) {
        float max = x[j];
        for (size_t row = 1; row < rows; row++)
            max = larger(max, x[row * stride + j]);
        ret[j] = max;
    }
}

static void sum_windows(const float *x, size_t window, size_t step, size_t count, float *ret)
{
    for (size_t j = 0; j < count; j++) {
        float sum = x[j * step];
        for (size_t v = 1; v < window; v++)
            sum += x[j * step + v];
        ret[j] = sum;
    }
}

static void max_windows(const float *x, size_t window, size_t step, size_t count, float *ret)
{
    for (size_t j = 0; j < count; j++) {
        float max = x[j * step];
        for (size_t v = 1; v < window; v++)
            max = larger(max, x[j * step + v]);
        ret[j] = max;
    }
}

static void add(const float *a, const float *b, float low, float high, float *ret, size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = clamp(a[j] + b[j], low, high);
}

static void mul(const float *a, const float *b, float *ret, size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = a[j] * b[j];
}

static void affine(const float *x, float scale, float shift, float low, float high, float *ret,
                   size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = clamp(x[j] * scale + shift, low, high);
}

static void lerp_rows(const float *above, const float *below, float weight, float *ret,
                      size_t count)
{
    for (size_t j = 0; j < count; j++)
        ret[j] = (1 - weight) * above[j] + weight * below[j];
}

static void stretch_rows(const float *x, size_t stride, size_t rows, const struct simd_taps *taps,
                         float *ret, size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < taps->count; j++) {
            const float *low = x + i * stride + taps->low[j];
            const float *high = low + (taps->low[j] + 1 < taps->width ? 1 : 0);
            float *result = ret + i * ret_stride + j;
            *result = *low;
            if (taps->weight)
                *result = (1 - taps->weight[j]) * *low + taps->weight[j] * *high;
        }
}

static void argmax(const float *x, size_t channels, size_t stride, size_t count, int32_t *ret)
{
    for (size_t j = 0; j < count; j++) {
        size_t best = 0;
        for (size_t c = 1; c < channels && !isnan(x[best * stride + j]); c++)
            if (!(x[c * stride + j] <= x[best * stride + j]))
                best = c;
        ret[j] = (int32_t)best;
    }
}

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* sign 1, exponent 5 (bias 15), fraction 10 */
static float float_from_float16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0x1f)
        return float_from_bits(sign | 0x7f800000u | (fraction ? 1u << 22 : 0) | fraction << 13);
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    return float_from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

static void float16_to_float32(const uint16_t *half, float *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = float_from_float16(half[i]);
}

static void bfloat16_to_float32(const uint16_t *half, float *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = float_from_bits((uint32_t)half[i] << 16);
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Drops the lowest bits, rounding to nearest even; a carry into the exponent is right. */
static uint32_t round_bits(uint32_t bits, unsigned lowest)
{
    return (bits + (1u << (lowest - 1)) - 1 + (bits >> lowest & 1u)) >> lowest;
}

static uint16_t float16_from_float(float value)
{
    const uint32_t infinity = 0x7c00, bits = bits_of_float(value);
    const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    uint32_t half;
    if (magnitude > 0x7f800000u) /* NaN */
        half = infinity | 1u << 9 | (magnitude >> 13 & 0x3ffu);
    else if (magnitude >= (127u + 16) << 23)
        half = infinity;
    else if (magnitude >= (127u - 14) << 23)
        half = round_bits(magnitude - ((127u - 15) << 23), 13);
    else /* the last bit of a subnormal float16 is worth 2^-24, as that of 0.5f is */
        half = bits_of_float(float_from_bits(magnitude) + 0.5f) - bits_of_float(0.5f);
    return (uint16_t)(sign | half);
}

static void float32_to_float16(const float *x, uint16_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = float16_from_float(x[i]);
}

static void float32_to_bfloat16(const float *x, uint16_t *ret, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = bits_of_float(x[i]);
        ret[i] = (uint16_t)(isnan(x[i]) ? bits >> 16 | 1u << 6 : round_bits(bits, 16));
    }
}

#define ACTIVATE(constant, name, low, high) [SIMD_##constant] = scalar_activate_##name,

const struct simd_ops simd_scalar = {
    .name = "scalar",
    .begin = simd_thread_begin,
    .end = simd_thread_end,
    .gemm_rows = GEMM_ROWS,
    .gemm_columns = GEMM_COLUMNS,
    .gemm_tile = gemm_tile,
    .transpose = transpose,
    .pick_rows = pick_rows,
    .sum_rows = sum_rows,
    .max_rows = max_rows,
    .sum_windows = sum_windows,
    .max_windows = max_windows,
    .add = add,
    .mul = mul,
    .affine = affine,
    .lerp_rows = lerp_rows,
    .depthwise = scalar_depthwise,
    .winograd_input = scalar_winograd_input,
    .winograd_weights = scalar_winograd_weights,
    .winograd_output = scalar_winograd_output,
    .stretch_rows = stretch_rows,
    .argmax = argmax,
    .activate = {SIMD_ACTIVATIONS(ACTIVATE)},
    .softmax = scalar_softmax,
    .moments = scalar_moments,
    .layer_norm = scalar_layer_norm,
    .float16_to_float32 = float16_to_float32,
    .bfloat16_to_float32 = bfloat16_to_float32,
    .float32_to_float16 = float32_to_float16,
    .float32_to_bfloat16 = float32_to_bfloat16,
};
