/* elementwise_tmpl.h - rows added, multiplied and scaled, element by element. */
#ifndef PPM_SIMD_ELEMENTWISE_TMPL_H
#define PPM_SIMD_ELEMENTWISE_TMPL_H

#include "simd/lanes.h"

static void add(const float *a, const float *b, float low, float high, float *ret, size_t count)
{
    const vec lows = vec_set(low), highs = vec_set(high);
    for (size_t j = 0; j < count; j += LANES) {
        const size_t lanes = count - j < LANES ? count - j : LANES;
        const vec sum = vec_add(load_lanes(a + j, lanes), load_lanes(b + j, lanes));
        store_lanes(ret + j, vec_min(highs, vec_max(lows, sum)), lanes);
    }
}

static void mul(const float *a, const float *b, float *ret, size_t count)
{
    for (size_t j = 0; j < count; j += LANES) {
        const size_t lanes = count - j < LANES ? count - j : LANES;
        store_lanes(ret + j, vec_mul(load_lanes(a + j, lanes), load_lanes(b + j, lanes)), lanes);
    }
}

static void affine(const float *x, float scale, float shift, float low, float high, float *ret,
                   size_t count)
{
    const vec scales = vec_set(scale), shifts = vec_set(shift);
    const vec lows = vec_set(low), highs = vec_set(high);
    for (size_t j = 0; j < count; j += LANES) {
        const size_t lanes = count - j < LANES ? count - j : LANES;
        const vec value = vec_fma(load_lanes(x + j, lanes), scales, shifts);
        store_lanes(ret + j, vec_min(highs, vec_max(lows, value)), lanes);
    }
}

#endif
