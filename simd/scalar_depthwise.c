/* scalar_depthwise.c - one channel of a depthwise conv in plain C: the specification. */
#include "simd/scalar.h"

static float sum_of_window(const struct simd_depthwise *conv, const float *x)
{
    float sum = 0;
    for (size_t u = 0; u < conv->kernel_h; u++)
        for (size_t v = 0; v < conv->kernel_w; v++)
            sum +=
                conv->weights[u * conv->kernel_w + v] * x[u * conv->tap_down + v * conv->tap_right];
    return sum;
}

void scalar_depthwise(const struct simd_depthwise *conv, const float *x, size_t rows, size_t count,
                      float *ret, size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < count; j++) {
            const float *window = x + i * conv->window_down + j * conv->window_right;
            const float value = sum_of_window(conv, window) * conv->scale + conv->shift;
            ret[i * ret_stride + j] = value < conv->low    ? conv->low
                                      : value > conv->high ? conv->high
                                                           : value;
        }
}
