/* gemm_tmpl.h - the register tile over words.
 *
 * rows and vectors are constants wherever these functions are inlined: the loops over them unroll,
 * and the sums stay in registers. Every tile computes vectors of all their columns; the last of
 * them stores `last` lanes. */
#ifndef PPM_SIMD_GEMM_TMPL_H
#define PPM_SIMD_GEMM_TMPL_H

#include "simd/lanes.h"

#include <math.h>

_Static_assert(GEMM_ROWS <= (int)SIMD_GEMM_ROWS_MAX &&
                   GEMM_VECTORS * LANES <= (int)SIMD_GEMM_COLUMNS_MAX,
               "a tile is larger than the maxima of simd.h");

enum {
    GEMM_COLUMNS = GEMM_VECTORS * LANES,
    /* How early a step is fetched into the first-level cache: some 400 to 800 cycles. */
    STEPS_AHEAD = 768 / (GEMM_ROWS * GEMM_VECTORS),
    LINE_FLOATS = 16 /* of a cache line */
};

/* Lanes of vector j that are columns of the tile. */
ALWAYS_INLINE size_t gemm_lanes(const struct simd_gemm_tile *tile, size_t j)
{
    const size_t left = tile->columns - j * LANES;
    return left < LANES ? left : LANES;
}

#ifndef WORDS_OF_PAIRS
#    define vec_dot vec_fma /* never called */
#endif

/* sums[r][j] += a[r] * column[j], or the products of both halves of these words. */
ALWAYS_INLINE void gemm_step(const size_t rows, const size_t vectors, const bool are_pairs,
                             vec sums[GEMM_ROWS][GEMM_VECTORS], const float *a,
                             const vec column[GEMM_VECTORS])
{
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++) {
        const vec weight = vec_set(a[r]);
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            sums[r][j] = are_pairs ? vec_dot(weight, column[j], sums[r][j])
                                   : vec_fma(weight, column[j], sums[r][j]);
    }
}

ALWAYS_INLINE void gemm_accumulate(const size_t rows, const size_t vectors, const bool are_pairs,
                                   vec sums[GEMM_ROWS][GEMM_VECTORS],
                                   const struct simd_gemm_run *run)
{
    const float *a = run->a, *b = run->b, *next_a = run->next_a, *next_b = run->next_b;
    for (size_t left = are_pairs ? (run->k + 1) / 2 : run->k; left > 0;
         next_b += run->next_b_stride) {
        const size_t steps =
            run->next_b_every && run->next_b_every < left ? run->next_b_every : left;
        __builtin_prefetch(next_b, 0, 2);
        left -= steps;
        for (const float *end = a + steps * rows; a < end; a += rows, b += GEMM_COLUMNS) {
            vec column[GEMM_VECTORS];
            __builtin_prefetch(next_a, 0, 2);
            next_a += rows;
            __builtin_prefetch(a + STEPS_AHEAD * rows);
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++) {
                if (j * LANES % LINE_FLOATS == 0)
                    __builtin_prefetch(b + STEPS_AHEAD * GEMM_COLUMNS + j * LANES);
                column[j] = vec_load(b + j * LANES);
            }
            gemm_step(rows, vectors, are_pairs, sums, a, column);
        }
    }
}

/* The same where b is unpacked: the products hide what packing costs. */
ALWAYS_INLINE void gemm_accumulate_unpacked(const size_t rows, const size_t vectors,
                                            vec sums[GEMM_ROWS][GEMM_VECTORS],
                                            const struct simd_gemm_run *run, size_t last)
{
    const size_t stride = run->b_stride;
    const float *a = run->a, *b = run->b;
    float *ret = run->ret_packed;
    for (size_t i = 0; i < run->k; i++, a += rows, b += stride, ret += GEMM_COLUMNS) {
        vec column[GEMM_VECTORS];
        __builtin_prefetch(a + STEPS_AHEAD * rows);
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            __builtin_prefetch(b + STEPS_AHEAD * stride + j * LANES);
            column[j] = load_lanes(b + j * LANES, j + 1 == vectors ? last : LANES);
            vec_store(ret + j * LANES, column[j]);
        }
        gemm_step(rows, vectors, false, sums, a, column);
    }
}

#ifdef WORDS_OF_PAIRS
#    include "simd/gemm_pairs_tmpl.h"
#endif

ALWAYS_INLINE void gemm_take_run(const size_t rows, const size_t vectors,
                                 vec sums[GEMM_ROWS][GEMM_VECTORS], const struct simd_gemm_run *run,
                                 size_t last)
{
#ifdef WORDS_OF_PAIRS
    if (run->words != SIMD_FLOAT32) {
        gemm_take_pairs(rows, vectors, sums, run, last);
        return;
    }
#endif
    if (run->ret_packed)
        gemm_accumulate_unpacked(rows, vectors, sums, run, last);
    else
        gemm_accumulate(rows, vectors, false, sums, run);
}

/* c = (accumulates ? c : 0) + sums, or its epilogue. Each condition is tested once, not once for
 * each register. */
ALWAYS_INLINE void gemm_finish(const size_t rows, const size_t vectors,
                               vec sums[GEMM_ROWS][GEMM_VECTORS], const struct simd_gemm_tile *tile)
{
    const size_t stride = tile->c_stride, last = gemm_lanes(tile, vectors - 1);
    const vec low = vec_set(tile->low), high = vec_set(tile->high);
    float *c = tile->c;
    if (tile->accumulates) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                sums[r][j] = vec_add(sums[r][j], load_lanes(c + r * stride + j * LANES,
                                                            j + 1 == vectors ? last : LANES));
    }
    if (tile->scale) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                sums[r][j] = vec_fma(sums[r][j], vec_set(tile->scale[r]), vec_set(tile->shift[r]));
    }
    if (tile->scale && tile->residual) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                sums[r][j] = vec_add(
                    sums[r][j], load_lanes(tile->residual + r * tile->residual_stride + j * LANES,
                                           j + 1 == vectors ? last : LANES));
    }
    if (tile->scale && (tile->low > -INFINITY || tile->high < INFINITY)) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                sums[r][j] = vec_min(high, vec_max(low, sums[r][j]));
    }
    if (last == LANES) {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                vec_store(c + r * stride + j * LANES, sums[r][j]);
    } else {
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                store_lanes(c + r * stride + j * LANES, sums[r][j],
                            j + 1 == vectors ? last : LANES);
    }
}

ALWAYS_INLINE void gemm_tile_of(const size_t rows, const size_t vectors,
                                const struct simd_gemm_tile *tile)
{
    vec sums[GEMM_ROWS][GEMM_VECTORS];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            sums[r][j] = vec_set(0);
            __builtin_prefetch(tile->c + r * tile->c_stride + j * LANES, 1); /* for writing */
        }
    for (size_t i = 0; i < tile->run_count; i++)
        gemm_take_run(rows, vectors, sums, &tile->runs[i], gemm_lanes(tile, vectors - 1));
    gemm_finish(rows, vectors, sums, tile);
}

/* A function for each number of rows, so that each has its own registers. */
#define GEMM_TILE(rows)                                                                            \
    static __attribute__((noinline)) void gemm_tile_##rows(const struct simd_gemm_tile *tile)      \
    {                                                                                              \
        if (GEMM_VECTORS > 2 && tile->columns > 2 * LANES)                                         \
            gemm_tile_of(rows, GEMM_VECTORS, tile);                                                \
        else if (tile->columns > LANES)                                                            \
            gemm_tile_of(rows, 2, tile);                                                           \
        else                                                                                       \
            gemm_tile_of(rows, 1, tile);                                                           \
    }
GEMM_EACH_ROWS(GEMM_TILE)

#define GEMM_TILE_NAME(rows) gemm_tile_##rows,

static void gemm_tile(const struct simd_gemm_tile *tile)
{
    static void (*const by_rows[])(const struct simd_gemm_tile *) = {
        GEMM_EACH_ROWS(GEMM_TILE_NAME)};
    _Static_assert(sizeof by_rows / sizeof *by_rows == GEMM_ROWS, "GEMM_EACH_ROWS has all rows");
    by_rows[tile->rows - 1](tile);
}

#endif
