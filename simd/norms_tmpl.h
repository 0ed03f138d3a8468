/* norms_tmpl.h - moments and layer norm, in double precision. */
#ifndef PPM_SIMD_NORMS_TMPL_H
#define PPM_SIMD_NORMS_TMPL_H

#include "simd/lanes.h"

static void moments(const float *x, size_t count, float center, struct simd_moments *ret)
{
    const wide centers = wide_set((double)center);
    wide sum = wide_set(0), squares = wide_set(0);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const wide off = wide_sub(wide_of(vec_load(x + i)), centers);
        sum = wide_add(sum, off);
        squares = wide_fma(off, off, squares);
    }
    ret->sum += wide_sum(sum);
    ret->squares += wide_sum(squares);
    simd_scalar.moments(x + i, count - i, center, ret);
}

enum { NORM_VECTORS = 2 };

/* Of the pixels in `vectors` vectors, the last of which has `last` lanes. Their first channels are
 * the centers of the moments. */
ALWAYS_INLINE void layer_norm_moments(const size_t vectors, size_t last,
                                      const struct simd_layer_norm *norm, const float *x,
                                      size_t stride, wide mean[NORM_VECTORS],
                                      wide factor[NORM_VECTORS])
{
    const wide share = wide_set(1 / (double)norm->channels);
    wide center[NORM_VECTORS], sum[NORM_VECTORS], squares[NORM_VECTORS];
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++) {
        center[j] = wide_of(load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES));
        sum[j] = wide_sub(center[j], center[j]); /* NaN if it is not finite */
        squares[j] = wide_set(0);
    }
    for (size_t c = 1; c < norm->channels; c++) {
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            const size_t lanes = j + 1 == vectors ? last : LANES;
            const vec value = load_lanes(x + c * stride + j * LANES, lanes);
            const wide off = wide_sub(wide_of(value), center[j]);
            sum[j] = wide_add(sum[j], off);
            squares[j] = wide_fma(off, off, squares[j]);
        }
    }
#pragma GCC unroll 2
    for (size_t j = 0; j < vectors; j++) {
        const wide off = wide_mul(sum[j], share);
        const wide variance = wide_sub(wide_mul(squares[j], share), wide_mul(off, off));
        mean[j] = wide_add(center[j], off);
        factor[j] = wide_rsqrt(wide_add(variance, wide_set(norm->eps)));
    }
}

ALWAYS_INLINE void layer_norm_pixels(const size_t vectors, size_t last,
                                     const struct simd_layer_norm *norm, const float *x,
                                     size_t stride, float *ret, size_t ret_stride)
{
    wide mean[NORM_VECTORS], factor[NORM_VECTORS];
    layer_norm_moments(vectors, last, norm, x, stride, mean, factor);
    for (size_t c = 0; c < norm->channels; c++, x += stride, ret += ret_stride) {
        const wide scale = wide_set((double)norm->scale[c]);
        const wide shift = wide_set((double)norm->shift[c]);
#pragma GCC unroll 2
        for (size_t j = 0; j < vectors; j++) {
            const size_t lanes = j + 1 == vectors ? last : LANES;
            const wide off = wide_sub(wide_of(load_lanes(x + j * LANES, lanes)), mean[j]);
            const wide y = wide_fma(off, wide_mul(factor[j], scale), shift);
            store_lanes(ret + j * LANES, wide_round(y), lanes);
        }
    }
}

static void layer_norm(const struct simd_layer_norm *norm, const float *x, size_t stride,
                       size_t count, float *ret, size_t ret_stride)
{
    enum { TOGETHER = NORM_VECTORS * LANES };
    for (; count >= TOGETHER; count -= TOGETHER, x += TOGETHER, ret += TOGETHER)
        layer_norm_pixels(NORM_VECTORS, LANES, norm, x, stride, ret, ret_stride);
    for (; count >= LANES; count -= LANES, x += LANES, ret += LANES)
        layer_norm_pixels(1, LANES, norm, x, stride, ret, ret_stride);
    if (count > 0)
        layer_norm_pixels(1, count, norm, x, stride, ret, ret_stride);
}

#endif
