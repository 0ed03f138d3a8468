/* scalar_norms.c - moments and layer norm in double precision: the specification. */
#include "simd/scalar.h"

#include <math.h>

void scalar_moments(const float *x, size_t count, float center, struct simd_moments *ret)
{
    for (size_t i = 0; i < count; i++) {
        const double off = (double)x[i] - (double)center;
        ret->sum += off;
        ret->squares += off * off;
    }
}

/* Of one pixel, whose channels are stride apart. */
static void norm_pixel(const struct simd_layer_norm *norm, const float *x, size_t stride,
                       float *ret, size_t ret_stride)
{
    double sum = 0, squares = 0;
    for (size_t c = 0; c < norm->channels; c++)
        sum += (double)x[c * stride];
    const double mean = sum / (double)norm->channels;
    for (size_t c = 0; c < norm->channels; c++) {
        const double off = (double)x[c * stride] - mean;
        squares += off * off;
    }
    const double variance = squares / (double)norm->channels;
    for (size_t c = 0; c < norm->channels; c++) {
        const double y = ((double)x[c * stride] - mean) / sqrt(variance + norm->eps);
        ret[c * ret_stride] = (float)(y * (double)norm->scale[c] + (double)norm->shift[c]);
    }
}

void scalar_layer_norm(const struct simd_layer_norm *norm, const float *x, size_t stride,
                       size_t count, float *ret, size_t ret_stride)
{
    for (size_t p = 0; p < count; p++)
        norm_pixel(norm, x + p, stride, ret + p, ret_stride);
}
