/* rows_tmpl.h - rows picked, summed, compared and interpolated. */
#ifndef PPM_SIMD_ROWS_TMPL_H
#define PPM_SIMD_ROWS_TMPL_H

#include "simd/lanes.h"

ALWAYS_INLINE void pick_by(const size_t step, const float *x, size_t stride, size_t rows,
                           size_t count, float *ret, size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++, x += stride, ret += ret_stride) {
        size_t j = 0;
        for (; j + LANES <= count; j += LANES)
            vec_store(ret + j, load_steps(x + j * step, step, LANES));
        if (j < count)
            store_lanes(ret + j, load_steps(x + j * step, step, count - j), count - j);
    }
}

static void pick_rows(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                      float *ret, size_t ret_stride)
{
    if (step == 2)
        pick_by(2, x, stride, rows, count, ret, ret_stride);
    else
        pick_by(step, x, stride, rows, count, ret, ret_stride);
}

ALWAYS_INLINE vec fold(const bool is_max, vec a, vec b)
{
    return is_max ? vec_larger(a, b) : vec_add(a, b);
}

/* The results of up to four vectors of columns stay in registers over all rows; the last vector has
 * `last` lanes. */
ALWAYS_INLINE void fold_columns(const bool is_max, const size_t vectors, size_t last,
                                const float *x, size_t stride, size_t rows, float *ret)
{
    vec folded[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        folded[j] = load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES);
    for (size_t row = 1; row < rows; row++) {
        x += stride;
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            folded[j] =
                fold(is_max, folded[j], load_lanes(x + j * LANES, j + 1 == vectors ? last : LANES));
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        store_lanes(ret + j * LANES, folded[j], j + 1 == vectors ? last : LANES);
}

ALWAYS_INLINE void fold_rows(const bool is_max, const float *x, size_t stride, size_t rows,
                             size_t columns, float *ret)
{
    for (; columns > 4 * LANES; columns -= 4 * LANES, x += 4 * LANES, ret += 4 * LANES)
        fold_columns(is_max, 4, LANES, x, stride, rows, ret);
    if (columns > 3 * LANES)
        fold_columns(is_max, 4, columns - 3 * LANES, x, stride, rows, ret);
    else if (columns > 2 * LANES)
        fold_columns(is_max, 3, columns - 2 * LANES, x, stride, rows, ret);
    else if (columns > LANES)
        fold_columns(is_max, 2, columns - LANES, x, stride, rows, ret);
    else
        fold_columns(is_max, 1, columns, x, stride, rows, ret);
}

static void sum_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    fold_rows(false, x, stride, rows, columns, ret);
}

static void max_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    fold_rows(true, x, stride, rows, columns, ret);
}

ALWAYS_INLINE void fold_windows_by(const bool is_max, const size_t step, const float *x,
                                   size_t window, size_t count, float *ret)
{
    for (size_t j = 0; j < count; j += LANES) {
        const size_t lanes = count - j < LANES ? count - j : LANES;
        vec folded = load_steps(x + j * step, step, lanes);
        for (size_t v = 1; v < window; v++)
            folded = fold(is_max, folded, load_steps(x + j * step + v, step, lanes));
        store_lanes(ret + j, folded, lanes);
    }
}

ALWAYS_INLINE void fold_windows(const bool is_max, const float *x, size_t window, size_t step,
                                size_t count, float *ret)
{
    if (step == 1)
        fold_windows_by(is_max, 1, x, window, count, ret);
    else if (step == 2)
        fold_windows_by(is_max, 2, x, window, count, ret);
    else
        fold_windows_by(is_max, step, x, window, count, ret);
}

static void sum_windows(const float *x, size_t window, size_t step, size_t count, float *ret)
{
    fold_windows(false, x, window, step, count, ret);
}

static void max_windows(const float *x, size_t window, size_t step, size_t count, float *ret)
{
    fold_windows(true, x, window, step, count, ret);
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
