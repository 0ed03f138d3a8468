/* check_simd_planted_layers.c - faults in the kernels of layers that are no products. */
#include "tests/check_simd_planted.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>

/* ---- pools, and rows picked ---- */

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
    check_honest->max_windows(x, window - (window > 1), step, count, ret);
}

static void window_reads_beyond(const float *x, size_t window, size_t step, size_t count,
                                float *ret)
{
    if (count > 0)
        check_sink = x[(count - 1) * step + window];
    check_honest->max_windows(x, window, step, count, ret);
}

static void pick_starts_late(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                             float *ret, size_t ret_stride)
{
    check_honest->pick_rows(x, stride, rows, step, count, ret, ret_stride);
    if (count > 20 && step == 2)
        ret[(rows - 1) * ret_stride + count - 1] = x[(rows - 1) * stride + (count - 1) * step - 1];
}

static void pick_reads_beyond(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                              float *ret, size_t ret_stride)
{
    check_honest->pick_rows(x, stride, rows, step, count, ret, ret_stride);
    if (count > 0)
        check_sink = x[(rows - 1) * stride + (count - 1) * step + 1];
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
    check_honest->affine(x, scale, shift, low, high, ret, count);
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
    check_honest->depthwise(&turned, x, rows, count, ret, ret_stride);
}

static void depthwise_last_lane_wrong(const struct simd_depthwise *conv, const float *x,
                                      size_t rows, size_t count, float *ret, size_t ret_stride)
{
    float *last = ret + (rows - 1) * ret_stride + count - 1;
    check_honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (count % 16 == 15)
        *last = nextafterf(*last, INFINITY);
}

static void depthwise_reads_beyond(const struct simd_depthwise *conv, const float *x, size_t rows,
                                   size_t count, float *ret, size_t ret_stride)
{
    check_honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (rows > 0 && count > 0)
        check_sink =
            x[(rows - 1) * conv->window_down + (count - 1) * conv->window_right +
              (conv->kernel_h - 1) * conv->tap_down + (conv->kernel_w - 1) * conv->tap_right + 1];
}

static void depthwise_stores_a_vector_more(const struct simd_depthwise *conv, const float *x,
                                           size_t rows, size_t count, float *ret, size_t ret_stride)
{
    check_honest->depthwise(conv, x, rows, count, ret, ret_stride);
    if (rows > 1)
        ret[count] = 0;
}

/* ---- activations and softmax ---- */

static void tanh_off_by_three(const float *x, float *ret, size_t count, float slope)
{
    check_honest->activate[SIMD_TANH](x, ret, count, slope);
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
    check_honest->moments(x, count, center, ret);
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
    check_honest->layer_norm(&other, x, stride, count, ret, ret_stride);
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

Test(check_simd, planted_faults_of_layers_are_found)
{
    static const struct plant plants[] = {
        PLANT(check_pick_rows, pick_rows, pick_starts_late),
        PLANT(check_pick_rows, pick_rows, pick_reads_beyond),
        PLANT(check_depthwise, depthwise, depthwise_turned),
        PLANT(check_depthwise, depthwise, depthwise_last_lane_wrong),
        PLANT(check_depthwise, depthwise, depthwise_reads_beyond),
        PLANT(check_depthwise, depthwise, depthwise_stores_a_vector_more),
        PLANT(check_max_rows, max_rows, max_without_nan),
        PLANT(check_sum_windows, sum_windows, window_of_other_order),
        PLANT(check_max_windows, max_windows, window_too_narrow),
        PLANT(check_max_windows, max_windows, window_reads_beyond),
        PLANT(check_add, add, add_clamps_first),
        PLANT(check_mul, mul, mul_takes_zero_times_inf_as_zero),
        PLANT(check_affine, affine, affine_stores_beyond),
        PLANT(check_activations, activate[SIMD_TANH], tanh_off_by_three),
        PLANT(check_moments, moments, moments_in_float),
        PLANT(check_moments, moments, moments_alone),
        PLANT(check_layer_norm, layer_norm, norm_of_a_sample),
        PLANT(check_layer_norm, layer_norm, norm_rounds_the_mean),
        PLANT(check_softmax, softmax, softmax_without_max),
    };
    check_plants(plants, COUNT(plants));
}
