/* gemm_pairs_tmpl.h - the part of gemm_tmpl.h, which includes it, for runs of pairs of bfloat16. */
#ifndef PPM_SIMD_GEMM_PAIRS_TMPL_H
#define PPM_SIMD_GEMM_PAIRS_TMPL_H

_Static_assert(GEMM_ROWS <= LANES, "a vector holds the weights of all rows");

/* The rows of b are rounded and packed in pairs while they are multiplied; an odd last row is
 * paired with zeros. */
ALWAYS_INLINE void gemm_dot_unpacked(const size_t rows, const size_t vectors,
                                     vec sums[GEMM_ROWS][GEMM_VECTORS],
                                     const struct simd_gemm_run *run, size_t last)
{
    const size_t stride = run->b_stride;
    const float *a = run->a, *b = run->b;
    float *ret = run->ret_packed;
    for (size_t i = 0; i < run->k; i += 2, a += rows, b += 2 * stride, ret += GEMM_COLUMNS) {
        vec column[GEMM_VECTORS];
        __builtin_prefetch(a + STEPS_AHEAD * rows);
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const size_t lanes = j + 1 == vectors ? last : LANES;
            const float *first = b + j * LANES, *second = first + stride;
            __builtin_prefetch(first + 2 * STEPS_AHEAD * stride);
            __builtin_prefetch(second + 2 * STEPS_AHEAD * stride);
            column[j] = vec_pair(load_lanes(first, lanes),
                                 i + 1 < run->k ? load_lanes(second, lanes) : vec_set(0));
            vec_store(ret + j * LANES, column[j]);
        }
        gemm_step(rows, vectors, true, sums, a, column);
    }
}

/* sums[r][j] += a[r] * b[j] for a step of a run */
ALWAYS_INLINE void gemm_half_step(const size_t rows, const size_t vectors,
                                  vec sums[GEMM_ROWS][GEMM_VECTORS], const float *a, const float *b)
{
    vec column[GEMM_VECTORS];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++) {
        __builtin_prefetch(b + STEPS_AHEAD * GEMM_COLUMNS + j * LANES);
        column[j] = vec_load(b + j * LANES);
    }
    gemm_step(rows, vectors, false, sums, a, column);
}

/* Where only the weights are pairs, they are widened for all rows at once and stored, and then
 * broadcast from there. */
ALWAYS_INLINE void gemm_accumulate_halves(const size_t rows, const size_t vectors,
                                          vec sums[GEMM_ROWS][GEMM_VECTORS],
                                          const struct simd_gemm_run *run)
{
    const float *a = run->a, *b = run->b, *next_a = run->next_a;
    float lower[LANES], upper[LANES];
    for (size_t i = 0; i < run->k; i += 2, a += rows, b += 2 * GEMM_COLUMNS, next_a += rows) {
        const vec weights = vec_load_part(a, rows);
        __builtin_prefetch(next_a, 0, 2);
        __builtin_prefetch(a + STEPS_AHEAD * rows);
        vec_store(lower, vec_lower(weights));
        gemm_half_step(rows, vectors, sums, lower, b);
        vec_store(upper, vec_upper(weights));
        if (i + 1 < run->k)
            gemm_half_step(rows, vectors, sums, upper, b + GEMM_COLUMNS);
    }
}

ALWAYS_INLINE void gemm_take_pairs(const size_t rows, const size_t vectors,
                                   vec sums[GEMM_ROWS][GEMM_VECTORS],
                                   const struct simd_gemm_run *run, size_t last)
{
    if (run->words == SIMD_BFLOAT16_WEIGHTS)
        gemm_accumulate_halves(rows, vectors, sums, run);
    else if (run->ret_packed)
        gemm_dot_unpacked(rows, vectors, sums, run, last);
    else
        gemm_accumulate(rows, vectors, true, sums, run);
}

#endif
