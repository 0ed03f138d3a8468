/* gemm_avx512_tmpl.h - the register tile for every number of rows, and the one for few columns.
 * Wants gemm_tmpl.h over the words of AVX-512. */

GEMM_TILE(1)
GEMM_TILE(2)
GEMM_TILE(3)
GEMM_TILE(4)
GEMM_TILE(5)
GEMM_TILE(6)
GEMM_TILE(7)
GEMM_TILE(8)
GEMM_TILE(9)
GEMM_TILE(10)
GEMM_TILE(11)
GEMM_TILE(12)
GEMM_TILE(13)
GEMM_TILE(14)

enum { NARROW_COLUMNS = 9 };

/* sums[j][r] += weights[r] * b[j] */
GEMM_INLINE void narrow_step(const size_t columns, vec sums[NARROW_COLUMNS], vec weights,
                             const float *b)
{
    __builtin_prefetch(b + STEPS_AHEAD * GEMM_COLUMNS);
#pragma GCC unroll 9
    for (size_t j = 0; j < columns; j++)
        sums[j] = vec_fma(weights, vec_set(b[j]), sums[j]);
}

GEMM_INLINE void narrow_run(const size_t columns, vec sums[NARROW_COLUMNS], size_t rows,
                            const struct simd_gemm_run *run)
{
    const float *a = run->a, *b = run->b, *next_a = run->next_a;
    for (size_t i = 0; i < run->k; i++, a += rows, b += GEMM_COLUMNS, next_a += rows) {
        const vec weights = vec_load_part(a, rows);
        __builtin_prefetch(next_a, 0, 2);
        __builtin_prefetch(a + STEPS_AHEAD * rows);
#ifndef GEMM_LACKS_PAIRS
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

/* Few columns, as the grids of bins 1, 2 and 3 have: with rows in the lanes, a step is one load of
 * weights and as many products as columns, not one for each row. */
GEMM_INLINE void gemm_narrow(const size_t columns, const struct simd_gemm_tile *tile)
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
    if (tile->columns > NARROW_COLUMNS || tile->columns >= tile->rows || tile->accumulates)
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

static void gemm_tile(const struct simd_gemm_tile *tile)
{
    static void (*const by_rows[GEMM_ROWS])(const struct simd_gemm_tile *) = {
        gemm_tile_1,  gemm_tile_2,  gemm_tile_3,  gemm_tile_4,  gemm_tile_5,
        gemm_tile_6,  gemm_tile_7,  gemm_tile_8,  gemm_tile_9,  gemm_tile_10,
        gemm_tile_11, gemm_tile_12, gemm_tile_13, gemm_tile_14,
    };
    if (!is_narrow(tile))
        by_rows[tile->rows - 1](tile);
    else if (tile->columns == 1)
        gemm_narrow_one(tile);
    else if (tile->columns <= 4)
        gemm_narrow_four(tile);
    else
        gemm_narrow_nine(tile);
}
