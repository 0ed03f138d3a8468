/* depthwise_tmpl.h - one channel of a depthwise conv.
 *
 * Where a row of windows is one row of taps below the row before, two rows of results are computed
 * together: all rows of taps but two are loaded for both. A result adds its taps in the same order
 * either way. */
#ifndef PPM_SIMD_DEPTHWISE_TMPL_H
#define PPM_SIMD_DEPTHWISE_TMPL_H

#include "simd/lanes.h"

enum { DEPTHWISE_ROWS = 2, DEPTHWISE_VECTORS = 4 };

/* Results in registers, and the window that they share: its members are constants wherever these
 * functions are inlined for one of the commonest windows. */
struct depthwise_block {
    const struct simd_depthwise *conv;
    size_t kernel_h, kernel_w, step;
    size_t lanes; /* of each vector */
};

/* Adds a row of taps to rows [first, end) of the sums. weights: what row 0 multiplies them by. */
ALWAYS_INLINE void depthwise_taps(const struct depthwise_block block, const size_t vectors,
                                  const size_t first, const size_t end, const float *weights,
                                  const float *x, vec sums[DEPTHWISE_ROWS][DEPTHWISE_VECTORS])
{
    for (size_t v = 0; v < block.kernel_w; v++, weights++, x += block.conv->tap_right)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const vec tap = load_steps(x + j * LANES * block.step, block.step, block.lanes);
#pragma GCC unroll 2
            for (size_t r = first; r < end; r++)
                sums[r][j] = vec_fma(vec_set(*(weights - r * block.kernel_w)), tap, sums[r][j]);
        }
}

ALWAYS_INLINE void depthwise_results(const struct depthwise_block block, const size_t rows,
                                     const size_t vectors, const float *x, float *ret,
                                     size_t ret_stride)
{
    const struct simd_depthwise *conv = block.conv;
    const float *weights = conv->weights;
    vec sums[DEPTHWISE_ROWS][DEPTHWISE_VECTORS];
#pragma GCC unroll 2
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++)
            sums[r][j] = vec_set(0);
    depthwise_taps(block, vectors, 0, 1, weights, x, sums);
    for (size_t u = 1; u < block.kernel_h; u++)
        depthwise_taps(block, vectors, 0, rows, weights += block.kernel_w, x += conv->tap_down,
                       sums);
    if (rows > 1)
        depthwise_taps(block, vectors, 1, rows, weights + block.kernel_w, x + conv->tap_down, sums);
#pragma GCC unroll 2
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t j = 0; j < vectors; j++) {
            const vec value = vec_fma(sums[r][j], vec_set(conv->scale), vec_set(conv->shift));
            store_lanes(ret + r * ret_stride + j * LANES,
                        vec_min(vec_set(conv->high), vec_max(vec_set(conv->low), value)),
                        block.lanes);
        }
}

ALWAYS_INLINE void depthwise_rows(struct depthwise_block block, const size_t rows, const float *x,
                                  size_t count, float *ret, size_t ret_stride)
{
    enum { TOGETHER = DEPTHWISE_VECTORS * LANES };
    size_t j = 0;
    block.lanes = LANES;
    for (; j + TOGETHER <= count; j += TOGETHER)
        depthwise_results(block, rows, DEPTHWISE_VECTORS, x + j * block.step, ret + j, ret_stride);
    for (; j + LANES <= count; j += LANES)
        depthwise_results(block, rows, 1, x + j * block.step, ret + j, ret_stride);
    block.lanes = count - j;
    if (j < count)
        depthwise_results(block, rows, 1, x + j * block.step, ret + j, ret_stride);
}

ALWAYS_INLINE void depthwise_plane(const struct depthwise_block block, const float *x, size_t rows,
                                   size_t count, float *ret, size_t ret_stride)
{
    const size_t down = block.conv->window_down;
    size_t i = 0;
    if (block.step == 1 && down == block.conv->tap_down)
        for (; i + DEPTHWISE_ROWS <= rows; i += DEPTHWISE_ROWS)
            depthwise_rows(block, DEPTHWISE_ROWS, x + i * down, count, ret + i * ret_stride,
                           ret_stride);
    for (; i < rows; i++)
        depthwise_rows(block, 1, x + i * down, count, ret + i * ret_stride, ret_stride);
}

ALWAYS_INLINE struct depthwise_block depthwise_block(const struct simd_depthwise *conv,
                                                     const size_t kernel_h, const size_t kernel_w,
                                                     const size_t step)
{
    return (struct depthwise_block){
        .conv = conv, .kernel_h = kernel_h, .kernel_w = kernel_w, .step = step};
}

static void depthwise(const struct simd_depthwise *conv, const float *x, size_t rows, size_t count,
                      float *ret, size_t ret_stride)
{
    const size_t h = conv->kernel_h, w = conv->kernel_w, step = conv->window_right;
    const bool is_3x3 = h == 3 && w == 3;
    if (is_3x3 && step == 1)
        depthwise_plane(depthwise_block(conv, 3, 3, 1), x, rows, count, ret, ret_stride);
    else if (is_3x3 && step == 2)
        depthwise_plane(depthwise_block(conv, 3, 3, 2), x, rows, count, ret, ret_stride);
    else if (step == 1)
        depthwise_plane(depthwise_block(conv, h, w, 1), x, rows, count, ret, ret_stride);
    else
        depthwise_plane(depthwise_block(conv, h, w, step), x, rows, count, ret, ret_stride);
}

#endif
