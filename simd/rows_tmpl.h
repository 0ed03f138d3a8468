/* rows_tmpl.h - rows picked, summed and interpolated. */
#ifndef PPM_SIMD_ROWS_TMPL_H
#define PPM_SIMD_ROWS_TMPL_H

#include "simd/lanes.h"

static void pick_rows(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                      float *ret, size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++, x += stride, ret += ret_stride)
        for (size_t j = 0; j < count; j += LANES) {
            const size_t lanes = count - j < LANES ? count - j : LANES;
            store_lanes(ret + j, load_steps(x + j * step, step, lanes), lanes);
        }
}

/* The sums of up to four vectors of columns stay in registers over all rows; the last vector has
 * `last` lanes. */
ALWAYS_INLINE void sum_columns(const size_t vectors, size_t last, const float *x, size_t stride,
                               size_t rows, float *ret)
{
    vec sums[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        sums[j] = load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES);
    for (size_t row = 1; row < rows; row++) {
        x += stride;
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            sums[j] = vec_add(sums[j], load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES));
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        store_lanes(ret + j * LANES, sums[j], j + 1 == vectors ? last : LANES);
}

static void sum_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    for (; columns > 4 * LANES; columns -= 4 * LANES, x += 4 * LANES, ret += 4 * LANES)
        sum_columns(4, LANES, x, stride, rows, ret);
    if (columns > 3 * LANES)
        sum_columns(4, columns - 3 * LANES, x, stride, rows, ret);
    else if (columns > 2 * LANES)
        sum_columns(3, columns - 2 * LANES, x, stride, rows, ret);
    else if (columns > LANES)
        sum_columns(2, columns - LANES, x, stride, rows, ret);
    else
        sum_columns(1, columns, x, stride, rows, ret);
}

static void lerp_rows(const float *above, const float *below, float weight, float *ret,
                      size_t count)
{
    const vec upper = vec_set(1 - weight), lower = vec_set(weight);
    size_t j = 0;
    for (; j + LANES <= count; j += LANES)
        vec_store(ret + j,
                  vec_fma(lower, vec_load(below + j), vec_mul(upper, vec_load(above + j))));
    if (j < count)
        vec_store_part(ret + j,
                       vec_fma(lower, vec_load_part(below + j, count - j),
                               vec_mul(upper, vec_load_part(above + j, count - j))),
                       count - j);
}

#endif
