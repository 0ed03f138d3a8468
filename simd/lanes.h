/* lanes.h - helpers over words: vectors of which a row's end may leave a part. */
#ifndef PPM_SIMD_LANES_H
#define PPM_SIMD_LANES_H

#include "simd/words.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The first lanes of a vector: all of them, or those that the end of a row leaves. */
ALWAYS_INLINE vec load_lanes(const float *x, size_t lanes)
{
    return lanes == LANES ? vec_load(x) : vec_load_part(x, lanes);
}

ALWAYS_INLINE void store_lanes(float *x, vec value, size_t lanes)
{
    if (lanes == LANES)
        vec_store(x, value);
    else
        vec_store_part(x, value, lanes);
}

#endif
