/* gemm_narrow_tmpl.h - tiles of few columns, such as the grids of bins 1, 2 and 3 have. For sets
 * with at least as many lanes as rows. */
#ifndef PPM_SIMD_GEMM_NARROW_TMPL_H
#define PPM_SIMD_GEMM_NARROW_TMPL_H

#include "simd/gemm_tmpl.h"

_Static_assert(GEMM_ROWS <= LANES, "a vector holds the weights of all rows");

enum { NARROW_COLUMNS = 9 };

/* sums[j][r] += weights[r] * b[j] */
ALWAYS_INLINE void narrow_step(const size_t columns, vec sums[NARROW_COLUMNS], vec weights,
                               const float *b)
{
    __builtin_prefetch(b + STEPS_AHEAD * GEMM_COLUMNS);
#pragma GCC unroll 9
    for (size_t j = 0; j < columns; j++)
        sums[j] = vec_fma(weights, vec_set(b[j]), sums[j]);
}

ALWAYS_INLINE void narrow_run(const size_t columns, vec sums[NARROW_COLUMNS], size_t rows,
                              const struct simd_gemm_run *run)
{
    const float *a = run->a, *b = run->b, *next_a = run->next_a;
    for (size_t i = 0; i < run->k; i++, a += rows, b += GEMM_COLUMNS, next_a += rows) {
        const vec weights = vec_load_part(a, rows);
        __builtin_prefetch(next_a, 0, 2);
        __builtin_prefetch(a + STEPS_AHEAD * rows);
#ifdef WORDS_OF_PAIRS
        if (run->words == SIMD_BFLOAT16_WEIGHTS) {
            narrow_step(columns, sums, vec_lower(weights), b);
            if (++i == run->k)
                break;
            b += GEMM_COLUMNS;
            narrow_step(columns, sums, vec_upper(weights), b);
            continue;
        }
#endif
        narrow_step(columns, sums, weights, b);
    }
}

/* With rows in the lanes, a step is one load of weights and a product for each column, not for each
 * row. */
ALWAYS_INLINE void gemm_narrow(const size_t columns, const struct simd_gemm_tile *tile)
{
    const size_t rows = tile->rows;
    vec sums[NARROW_COLUMNS];
#pragma GCC unroll 9
    for (size_t j = 0; j < columns; j++)
        sums[j] = vec_set(0);
    for (size_t n = 0; n < tile->run_count; n++)
        narrow_run(columns, sums, rows, &tile->runs[n]);
#pragma GCC unroll 9
    for (size_t j = 0; j < columns; j++) {
        float column[LANES];
        vec value = sums[j];
        if (j >= tile->columns)
            break;
        if (tile->scale) {
            value =
                vec_fma(value, vec_load_part(tile->scale, rows), vec_load_part(tile->shift, rows));
            value = vec_min(vec_set(tile->high), vec_max(vec_set(tile->low), value));
        }
        vec_store(column, value);
        for (size_t r = 0; r < rows; r++)
            tile->c[r * tile->c_stride + j] = column[r];
    }
}

static bool is_narrow(const struct simd_gemm_tile *tile)
{
    if (tile->columns > NARROW_COLUMNS || tile->columns >= tile->rows || tile->accumulates ||
        tile->residual)
        return false;
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed || tile->runs[i].words == SIMD_BFLOAT16)
            return false;
    return true;
}

static __attribute__((noinline)) void gemm_narrow_one(const struct simd_gemm_tile *tile)
{
    gemm_narrow(1, tile);
}

static __attribute__((noinline)) void gemm_narrow_four(const struct simd_gemm_tile *tile)
{
    gemm_narrow(4, tile);
}

static __attribute__((noinline)) void gemm_narrow_nine(const struct simd_gemm_tile *tile)
{
    gemm_narrow(NARROW_COLUMNS, tile);
}

static void gemm_tile_or_narrow(const struct simd_gemm_tile *tile)
{
    if (!is_narrow(tile))
        gemm_tile(tile);
    else if (tile->columns == 1)
        gemm_narrow_one(tile);
    else if (tile->columns <= 4)
        gemm_narrow_four(tile);
    else
        gemm_narrow_nine(tile);
}

#endif
