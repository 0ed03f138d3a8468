/* winograd_tmpl.h - the transforms of Winograd's F(4x4, 3x3). scalar_winograd.c has their matrices.
 */
#ifndef PPM_SIMD_WINOGRAD_TMPL_H
#define PPM_SIMD_WINOGRAD_TMPL_H

#include "simd/lanes.h"

enum { PLACES_ON_AXIS = SIMD_WINOGRAD_INPUT };

/* The points are 0, +-NEAR, +-FAR and infinity. */
#define NEAR  (3.F / 4)
#define FAR   (3.F / 2)
#define NEAR2 (NEAR * NEAR)
#define FAR2  (FAR * FAR)

/* ret = B^T d. Points +-a share even and odd parts. */
ALWAYS_INLINE void winograd_input_axis(const vec d[PLACES_ON_AXIS], vec ret[PLACES_ON_AXIS])
{
    const vec near = vec_set(NEAR), far = vec_set(FAR);
    const vec minus_near = vec_set(-NEAR), minus_far = vec_set(-FAR);
    const vec minus_near2 = vec_set(-NEAR2), minus_far2 = vec_set(-FAR2);
    const vec sum = vec_set(-(NEAR2 + FAR2)), product = vec_set(NEAR2 * FAR2);
    const vec near_even = vec_fma(minus_far2, d[2], d[4]);
    const vec near_odd = vec_fma(minus_far2, d[1], d[3]);
    const vec far_even = vec_fma(minus_near2, d[2], d[4]);
    const vec far_odd = vec_fma(minus_near2, d[1], d[3]);
    ret[0] = vec_fma(product, d[0], vec_fma(sum, d[2], d[4]));
    ret[1] = vec_fma(near, near_odd, near_even);
    ret[2] = vec_fma(minus_near, near_odd, near_even);
    ret[3] = vec_fma(far, far_odd, far_even);
    ret[4] = vec_fma(minus_far, far_odd, far_even);
    ret[5] = vec_fma(product, d[1], vec_fma(sum, d[3], d[5]));
}

/* ret = G g */
ALWAYS_INLINE void winograd_weights_axis(const vec g[3], vec ret[PLACES_ON_AXIS])
{
    const float near_scale = 1 / (2 * NEAR2 * (NEAR2 - FAR2));
    const float far_scale = 1 / (2 * FAR2 * (FAR2 - NEAR2));
    const vec near_even =
        vec_fma(vec_set(near_scale * NEAR2), g[2], vec_mul(vec_set(near_scale), g[0]));
    const vec near_odd = vec_mul(vec_set(near_scale * NEAR), g[1]);
    const vec far_even =
        vec_fma(vec_set(far_scale * FAR2), g[2], vec_mul(vec_set(far_scale), g[0]));
    const vec far_odd = vec_mul(vec_set(far_scale * FAR), g[1]);
    ret[0] = vec_mul(vec_set(1 / (NEAR2 * FAR2)), g[0]);
    ret[1] = vec_add(near_even, near_odd);
    ret[2] = vec_sub(near_even, near_odd);
    ret[3] = vec_add(far_even, far_odd);
    ret[4] = vec_sub(far_even, far_odd);
    ret[5] = g[2];
}

/* ret = A^T m */
ALWAYS_INLINE void winograd_output_axis(const vec m[PLACES_ON_AXIS], vec ret[SIMD_WINOGRAD_TILE])
{
    const vec near_even = vec_add(m[1], m[2]), near_odd = vec_sub(m[1], m[2]);
    const vec far_even = vec_add(m[3], m[4]), far_odd = vec_sub(m[3], m[4]);
    ret[0] = vec_add(m[0], vec_add(near_even, far_even));
    ret[1] = vec_fma(vec_set(NEAR), near_odd, vec_mul(vec_set(FAR), far_odd));
    ret[2] = vec_fma(vec_set(NEAR2), near_even, vec_mul(vec_set(FAR2), far_even));
    ret[3] = vec_fma(vec_set(NEAR * NEAR2), near_odd, vec_fma(vec_set(FAR * FAR2), far_odd, m[5]));
}

static void winograd_input(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride)
{
    for (size_t t = 0; t < count; t += LANES, x += SIMD_WINOGRAD_TILE * LANES) {
        const size_t lanes = count - t < LANES ? count - t : LANES;
        vec half[PLACES_ON_AXIS][PLACES_ON_AXIS];
#pragma GCC unroll 6
        for (size_t i = 0; i < PLACES_ON_AXIS; i++) {
            vec d[2 * SIMD_WINOGRAD_TILE];
            vec_load_every_fourth(x + i * stride, d);
            vec_load_every_fourth(x + i * stride + SIMD_WINOGRAD_TILE, d + SIMD_WINOGRAD_TILE);
            winograd_input_axis(d, half[i]);
        }
#pragma GCC unroll 6
        for (size_t j = 0; j < PLACES_ON_AXIS; j++) {
            vec d[PLACES_ON_AXIS], result[PLACES_ON_AXIS];
#pragma GCC unroll 6
            for (size_t i = 0; i < PLACES_ON_AXIS; i++)
                d[i] = half[i][j];
            winograd_input_axis(d, result);
#pragma GCC unroll 6
            for (size_t i = 0; i < PLACES_ON_AXIS; i++)
                store_lanes(ret + (i * PLACES_ON_AXIS + j) * ret_stride + t, result[i], lanes);
        }
    }
}

static void winograd_weights(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride)
{
    for (size_t k = 0; k < count; k += LANES) {
        const size_t lanes = count - k < LANES ? count - k : LANES;
        vec half[3][PLACES_ON_AXIS];
#pragma GCC unroll 3
        for (size_t i = 0; i < 3; i++) {
            vec g[3];
#pragma GCC unroll 3
            for (size_t j = 0; j < 3; j++)
                g[j] = load_lanes(x + (3 * i + j) * stride + k, lanes);
            winograd_weights_axis(g, half[i]);
        }
#pragma GCC unroll 6
        for (size_t j = 0; j < PLACES_ON_AXIS; j++) {
            const vec g[3] = {half[0][j], half[1][j], half[2][j]};
            vec result[PLACES_ON_AXIS];
            winograd_weights_axis(g, result);
#pragma GCC unroll 6
            for (size_t i = 0; i < PLACES_ON_AXIS; i++)
                store_lanes(ret + (i * PLACES_ON_AXIS + j) * ret_stride + k, result[i], lanes);
        }
    }
}

/* Whether the first lanes are 0. NaN and Inf times 0 are not. */
ALWAYS_INLINE bool are_zero(vec value, size_t lanes)
{
    float values[LANES];
    bool are = true;
    vec_store(values, value);
    for (size_t i = 0; i < lanes; i++)
        are = are && values[i] == 0;
    return are;
}

static bool winograd_output(const struct simd_winograd_sums *from, float *ret, size_t ret_stride)
{
    const vec scale = vec_set(from->scale), shift = vec_set(from->shift);
    const vec low = vec_set(from->low), high = vec_set(from->high);
    bool are_finite = true;
    for (size_t t = 0; t < from->count; t += LANES, ret += SIMD_WINOGRAD_TILE * LANES) {
        const size_t lanes = from->count - t < LANES ? from->count - t : LANES;
        vec half[SIMD_WINOGRAD_TILE][PLACES_ON_AXIS], zero = vec_set(0);
#pragma GCC unroll 6
        for (size_t j = 0; j < PLACES_ON_AXIS; j++) {
            vec m[PLACES_ON_AXIS], result[SIMD_WINOGRAD_TILE];
#pragma GCC unroll 6
            for (size_t i = 0; i < PLACES_ON_AXIS; i++)
                m[i] = load_lanes(from->sums + (i * PLACES_ON_AXIS + j) * from->stride + t, lanes);
            winograd_output_axis(m, result);
#pragma GCC unroll 4
            for (size_t i = 0; i < SIMD_WINOGRAD_TILE; i++)
                half[i][j] = result[i];
        }
#pragma GCC unroll 4
        for (size_t i = 0; i < SIMD_WINOGRAD_TILE; i++) {
            vec y[SIMD_WINOGRAD_TILE];
            winograd_output_axis(half[i], y);
#pragma GCC unroll 4
            for (size_t j = 0; j < SIMD_WINOGRAD_TILE; j++) {
                zero = vec_fma(y[j], vec_set(0), zero);
                y[j] = vec_min(high, vec_max(low, vec_fma(y[j], scale, shift)));
            }
            vec_store_every_fourth(ret + i * ret_stride, y);
        }
        are_finite = are_zero(zero, lanes) && are_finite;
    }
    return are_finite;
}

#undef NEAR
#undef FAR
#undef NEAR2
#undef FAR2

#endif
