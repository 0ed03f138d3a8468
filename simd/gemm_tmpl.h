/* gemm_tmpl.h - the register tile, over the words of the instruction set that includes it.
 *
 * Wants: vec, LANES, GEMM_ROWS, GEMM_VECTORS, vec_load, vec_store, vec_load_part, vec_store_part,
 * vec_set, vec_fma, vec_max, vec_min.
 * rows and vectors are constants wherever these are inlined: the loops over them unroll, and the
 * accumulators live in registers. */

#define GEMM_COLUMNS (GEMM_VECTORS * LANES)
#define GEMM_INLINE  static inline __attribute__((always_inline))

GEMM_INLINE void gemm_accumulate(const size_t rows, const size_t vectors,
                                 vec sums[GEMM_ROWS][GEMM_VECTORS], const struct simd_gemm_run *run)
{
    const float *a = run->a, *b = run->b, *next_a = run->next_a;
    for (size_t i = 0; i < run->k; i++, a += rows, b += GEMM_COLUMNS, next_a += rows) {
        vec column[GEMM_VECTORS];
        __builtin_prefetch(next_a, 0, 2);
        __builtin_prefetch(a + 16 * rows);
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            __builtin_prefetch(b + 16 * GEMM_COLUMNS + j * LANES);
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            column[j] = vec_load(b + j * LANES);
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; r++) {
            const vec weight = vec_set(a[r]);
#pragma GCC unroll 4
            for (size_t j = 0; j < vectors; j++)
                sums[r][j] = vec_fma(weight, column[j], sums[r][j]);
        }
    }
}

/* How many of vector j's lanes are columns of the tile. */
GEMM_INLINE size_t gemm_lanes(const struct simd_gemm_tile *tile, size_t j)
{
    const size_t left = tile->columns - j * LANES;
    return left < LANES ? left : LANES;
}

/* c = (accumulates ? c : 0) + sums, or the epilogue of it */
GEMM_INLINE void gemm_store(const size_t rows, const size_t vectors,
                            vec sums[GEMM_ROWS][GEMM_VECTORS], const struct simd_gemm_tile *tile)
{
    const vec low = vec_set(tile->low), high = vec_set(tile->high);
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            float *c = tile->c + r * tile->c_stride + j * LANES;
            const size_t lanes = gemm_lanes(tile, j);
            vec value = sums[r][j];
            if (tile->accumulates)
                value = vec_add(value, vec_load_part(c, lanes));
            if (tile->scale) {
                value = vec_fma(value, vec_set(tile->scale[r]), vec_set(tile->shift[r]));
                /* min and max give their second operand when one is NaN */
                value = vec_min(high, vec_max(low, value));
            }
            if (lanes == LANES)
                vec_store(c, value);
            else
                vec_store_part(c, value, lanes);
        }
}

GEMM_INLINE void gemm_tile_of(const size_t rows, const size_t vectors,
                              const struct simd_gemm_tile *tile)
{
    vec sums[GEMM_ROWS][GEMM_VECTORS];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            sums[r][j] = vec_set(0);
    for (size_t i = 0; i < tile->run_count; i++)
        gemm_accumulate(rows, vectors, sums, &tile->runs[i]);
    gemm_store(rows, vectors, sums, tile);
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

/* Rows lie pages apart: the next ones are fetched while these are copied. */
static void pack_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret,
                      size_t tile_stride)
{
    enum { ROWS_AHEAD = 12 };
    const size_t whole = columns / GEMM_COLUMNS, rest = columns % GEMM_COLUMNS;
    for (size_t i = 0; i < rows; i++, x += stride, ret += GEMM_COLUMNS) {
        const float *from = x;
        float *to = ret;
        for (size_t t = 0; t < whole; t++, from += GEMM_COLUMNS, to += tile_stride)
#pragma GCC unroll 4
            for (size_t j = 0; j < GEMM_VECTORS; j++) {
                if (i + ROWS_AHEAD < rows)
                    __builtin_prefetch(from + ROWS_AHEAD * stride + j * LANES);
                vec_store(to + j * LANES, vec_load(from + j * LANES));
            }
        for (size_t j = 0; rest > 0 && j < GEMM_COLUMNS; j++)
            to[j] = j < rest ? from[j] : 0;
    }
}

/* Rows are taken eight at a time, so that a cache line of each column serves all of them. */
static void pack_columns(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    enum { TOGETHER = 8 };
    for (size_t i0 = 0; i0 < rows; i0 += TOGETHER) {
        const size_t end = rows - i0 < TOGETHER ? rows : i0 + TOGETHER;
        for (size_t j = 0; j < columns; j++)
            for (size_t i = i0; i < end; i++)
                ret[i * GEMM_COLUMNS + j] = x[j * stride + i];
        for (size_t i = i0; i < end; i++)
            for (size_t j = columns; j < GEMM_COLUMNS; j++)
                ret[i * GEMM_COLUMNS + j] = 0;
    }
}
