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

/* x[0], x[step], x[2 * step], ..., of which step 2 also reads what is between. */
ALWAYS_INLINE vec load_steps(const float *x, size_t step, size_t lanes)
{
    const size_t reach = 2 * lanes - 1; /* of step 2 */
    float values[LANES] = {0};
    if (step == 1)
        return load_lanes(x, lanes);
    if (step == 2 && reach <= LANES)
        return vec_every_second(vec_load_part(x, reach), vec_set(0));
    if (step == 2)
        return vec_every_second(vec_load(x), load_lanes(x + LANES - 1, reach - LANES + 1));
    for (size_t i = 0; i < lanes; i++)
        values[i] = x[i * step];
    return vec_load(values);
}

#endif
