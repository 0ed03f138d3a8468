/* rows_tmpl.h - sums and interpolation of rows. Wants the words that gemm_tmpl.h does, and vec_add
 * and vec_mul. */

/* VECTORS neighbouring vectors of columns at a time stay in registers over all rows. */
#define ROWS_INLINE static inline __attribute__((always_inline))

ROWS_INLINE void sum_columns(const size_t vectors, const float *x, size_t stride, size_t rows,
                             float *ret)
{
    vec sums[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        sums[j] = vec_load(x + j * LANES);
    for (size_t row = 1; row < rows; row++) {
        x += stride;
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            sums[j] = vec_add(sums[j], vec_load(x + j * LANES));
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < vectors; j++)
        vec_store(ret + j * LANES, sums[j]);
}

static void sum_rows(const float *x, size_t stride, size_t rows, size_t columns, float *ret)
{
    size_t j = 0;
    for (; j + 4 * LANES <= columns; j += 4 * LANES)
        sum_columns(4, x + j, stride, rows, ret + j);
    for (; j + LANES <= columns; j += LANES)
        sum_columns(1, x + j, stride, rows, ret + j);
    if (j == columns)
        return;
    vec sum = vec_load_part(x + j, columns - j);
    for (size_t row = 1; row < rows; row++)
        sum = vec_add(sum, vec_load_part(x + row * stride + j, columns - j));
    vec_store_part(ret + j, sum, columns - j);
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
