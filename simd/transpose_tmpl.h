/* transpose_tmpl.h - a matrix transposed, one square of registers at a time. */
#ifndef PPM_SIMD_TRANSPOSE_TMPL_H
#define PPM_SIMD_TRANSPOSE_TMPL_H

#include "simd/words.h"

static void transpose_rest(const float *x, size_t stride, size_t rows, size_t columns, float *ret,
                           size_t ret_stride)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            ret[j * ret_stride + i] = x[i * stride + j];
}

/* A whole cache line of each row is used before the next line: rows a power of two apart evict each
 * other from the cache. */
static void transpose(const float *x, size_t stride, size_t rows, size_t columns, float *ret,
                      size_t ret_stride)
{
    enum { LINE = 16 };
    const size_t whole_rows = rows - rows % TRANSPOSE_BLOCK,
                 whole_columns = columns - columns % LINE;
    for (size_t j = 0; j < whole_columns; j += LINE)
        for (size_t i = 0; i < whole_rows; i += TRANSPOSE_BLOCK)
            for (size_t k = j; k < j + LINE; k += TRANSPOSE_BLOCK)
                transpose_block(x + i * stride + k, stride, ret + k * ret_stride + i, ret_stride);
    transpose_rest(x + whole_columns, stride, whole_rows, columns - whole_columns,
                   ret + whole_columns * ret_stride, ret_stride);
    transpose_rest(x + whole_rows * stride, stride, rows - whole_rows, columns, ret + whole_rows,
                   ret_stride);
}

#endif
