/*
 * simd.h - the door of simd/: kernels as tables of typed function pointers, one table for each
 * instruction set.
 *
 * The scalar table is the specification, in plain C. Activations, softmax and norms are evaluated
 * in double precision and rounded once; sums are added in the order of the formula. Tests compare
 * the other tables with it.
 *
 * All kernels read and write exactly the elements named, need no alignment, allow ret == x, keep no
 * state, and may run on any thread. NaN and Inf behave as in the formula.
 */
#ifndef PPM_SIMD_SIMD_H
#define PPM_SIMD_SIMD_H

#include "simd/activations.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* y = f(x, slope) */
enum simd_activation {
#define ACTIVATION_CONSTANT(constant, name, low, high) SIMD_##constant,
    SIMD_ACTIVATIONS(ACTIVATION_CONSTANT)
#undef ACTIVATION_CONSTANT
        SIMD_ACTIVATION_COUNT
};

struct simd_activation_info {
    const char *name; /* in a model's JSON: "relu" */
    float low, high;  /* f clamps x to these and does nothing else; infinite: it is no clamp */
};

extern const struct simd_activation_info simd_activations[SIMD_ACTIVATION_COUNT];

/* No table's tile is larger, so arrays of these sizes hold any tile. */
enum { SIMD_GEMM_ROWS_MAX = 32, SIMD_GEMM_COLUMNS_MAX = 32 };

/* What the words of a run's a and b hold. In a pair, the lower half of the word belongs to an even
 * step and the upper half to the next one, so k steps take w = (k + 1) / 2 words. If k is odd, the
 * upper halves of the last words are 0. */
enum simd_words {
    SIMD_FLOAT32,          /* one float32 each */
    SIMD_BFLOAT16_WEIGHTS, /* a: pairs of bfloat16, [w][rows]; b: float32 */
    SIMD_BFLOAT16,         /* both: pairs of bfloat16; b, if packed: [w][gemm_columns] */
};

/* A run of k steps of a product: a panel of A times a micro-panel of B.
 * a is packed [k][rows]; b is packed [k][gemm_columns], and all of its columns may be read.
 * With ret_packed, b is not packed yet: k rows b_stride apart, of which the tile's columns are read
 * and also packed to ret_packed, for later tiles of the same width. For SIMD_BFLOAT16 these rows
 * are float32, and ret_packed receives them rounded, in pairs. */
struct simd_gemm_run {
    const float *a, *b;
    size_t k;
    float *ret_packed; /* NULL: b is packed */
    size_t b_stride;
    /* Prefetch hints, never read: the next a; and one cache line of the next b for every
     * next_b_every steps (0: never), next_b_stride apart. Both go to the second-level cache. An
     * unmapped next_a costs time. */
    const float *next_a, *next_b;
    size_t next_b_every;
    size_t next_b_stride;
    enum simd_words words;
};

/* One register tile of a matrix product with its epilogue: for r < rows and j < columns,
 *   sum     = (accumulates ? c[r][j] : 0) + sum over all runs of a[i][r] * b[i][j]
 *   c[r][j] = scale ? clamp(sum * scale[r] + shift[r] + residual[r][j], low, high) : sum
 * NaN passes through the clamp. c's rows are c_stride elements apart; the rest of c is untouched.
 */
struct simd_gemm_tile {
    const struct simd_gemm_run *runs;
    size_t run_count;
    const float *scale, *shift; /* [rows], or both NULL */
    const float *residual;      /* rows residual_stride apart, or NULL: zeros; may be c */
    size_t residual_stride;
    float low, high;
    float *c;
    size_t c_stride;
    size_t rows, columns; /* 1 .. gemm_rows, 1 .. gemm_columns */
    bool accumulates;
};

/* Winograd's F(4x4, 3x3) computes 4 x 4 outputs of a 3x3 convolution with 36 products per channel,
 * one for each place of a 6 x 6 domain. Weights and inputs are transformed into it, sums back:
 *   y = A^T [ sum over channels c of (G g_c G^T) * (B^T d_c B) ] A     (* is elementwise)
 * with inputs d_c [6][6], weights g_c [3][3] and y [4][4]. Lavin and Gray, "Fast Algorithms for
 * Convolutional Neural Networks", CVPR 2016. scalar_winograd.c has the matrices. */
enum {
    SIMD_WINOGRAD_TILE = 4,     /* outputs on an axis */
    SIMD_WINOGRAD_INPUT = 6,    /* inputs on an axis */
    SIMD_WINOGRAD_PLACES = 36,  /* of the domain */
    SIMD_WINOGRAD_TOGETHER = 16 /* rows have room for a multiple of this many tiles */
};

/* Sums of one output channel, for neighboring tiles */
struct simd_winograd_sums {
    const float *sums; /* place p of tile t: sums[p * stride + t] */
    size_t stride, count;
    float scale, shift, low, high; /* epilogue, as in struct simd_gemm_tile */
};

/* How rows of width elements are stretched to count results: with low = low[j] and
 * high = min(low + 1, width - 1), result j is (1 - weight[j]) * x[low] + weight[j] * x[high], where
 * an Inf times a weight of 0 is NaN. Without weights it is x[low], and no other element counts.
 * low ascends and is below width. */
struct simd_taps {
    const uint32_t *low;
    const float *weight; /* NULL: the nearest element, not an interpolated one */
    size_t count, width;
};

/* A window of weights that slides over a plane: result [i][j] of a channel of a depthwise conv is
 *   clamp(sum * scale + shift, low, high)
 *   sum = sum over u < kernel_h and v < kernel_w of weights[u * kernel_w + v] *
 *         x[i * window_down + j * window_right + u * tap_down + v * tap_right]
 * The distances are in elements. With a plane of rows of `width`, the windows move by
 * stride_h * width and stride_w, and the taps are dilation_h * width and dilation_w apart. Padding
 * is in the plane. */
struct simd_depthwise {
    const float *weights; /* [kernel_h][kernel_w] */
    size_t kernel_h, kernel_w;
    size_t window_down, window_right;
    size_t tap_down, tap_right;
    float scale, shift, low, high;
};

/* Of n values x, sum is that of x - center and squares that of (x - center)^2. So
 *   mean = center + sum / n,  variance = squares / n - (sum / n)^2
 * The difference loses digits as (mean - center)^2 / variance grows. If center is one of the
 * values, that is at most n. */
struct simd_moments {
    double sum, squares;
};

struct simd_layer_norm {
    size_t channels;
    double eps;
    const float *scale, *shift; /* [channels] */
};

struct simd_ops {
    const char *name; /* "scalar"; PPM_ISA selects by it */

    /* Every thread calls begin before it computes with this table, and end, with what begin
     * returned, when it is done. They may nest. In between, subnormal numbers are taken as zero.
     * Outside, today's kernels compute as well, and keep subnormal numbers. */
    unsigned (*begin)(void);
    void (*end)(unsigned before);

    /* The largest tile; no alignment implied. gemm_columns is the width of every packed
     * micro-panel. */
    size_t gemm_rows, gemm_columns;
    void (*gemm_tile)(const struct simd_gemm_tile *tile); /* all runs SIMD_FLOAT32 */

    /* ret[j * ret_stride + i] = x[i * stride + j] for i < rows and j < columns; ret is not x. */
    void (*transpose)(const float *x, size_t stride, size_t rows, size_t columns, float *ret,
                      size_t ret_stride);

    /* ret[i * ret_stride + j] = x[i * stride + j * step] for i < rows and j < count; step is not 0.
     * What is between these elements of a row may be read; ret does not overlap x. */
    void (*pick_rows)(const float *x, size_t stride, size_t rows, size_t step, size_t count,
                      float *ret, size_t ret_stride);

    /* ret[j] = x[j] + x[stride + j] + ... (rows terms), j < columns */
    void (*sum_rows)(const float *x, size_t stride, size_t rows, size_t columns, float *ret);

    /* ret[j] = max(x[j], x[stride + j], ...) (rows terms), j < columns; NaN is the largest. */
    void (*max_rows)(const float *x, size_t stride, size_t rows, size_t columns, float *ret);

    /* ret[j] = x[j * step] + ... + x[j * step + window - 1] (window terms), j < count; or the
     * largest of them, NaN first. After sum_rows or max_rows, these pool: the row between them has
     * the padding at its ends. */
    void (*sum_windows)(const float *x, size_t window, size_t step, size_t count, float *ret);
    void (*max_windows)(const float *x, size_t window, size_t step, size_t count, float *ret);

    /* ret[j] = clamp(a[j] + b[j], low, high), j < count; ret may also be b. */
    void (*add)(const float *a, const float *b, float low, float high, float *ret, size_t count);

    /* ret[j] = a[j] * b[j], j < count; ret may also be b. */
    void (*mul)(const float *a, const float *b, float *ret, size_t count);

    /* ret[j] = clamp(x[j] * scale + shift, low, high), j < count. A shift of -0 adds nothing, not
     * even to a product of -0. */
    void (*affine)(const float *x, float scale, float shift, float low, float high, float *ret,
                   size_t count);

    /* ret[j] = (1 - weight) * above[j] + weight * below[j], j < count */
    void (*lerp_rows)(const float *above, const float *below, float weight, float *ret,
                      size_t count);

    /* ret[i * ret_stride + j] = result [i][j] of conv, i < rows and j < count. Between the taps of
     * the first and the last window of a row anything may be read, and nothing after them; ret does
     * not overlap x. Fastest for 3x3, and where rows share taps: window_down == tap_down. */
    void (*depthwise)(const struct simd_depthwise *conv, const float *x, size_t rows, size_t count,
                      float *ret, size_t ret_stride);

    /* ret[p * ret_stride + t] = (B^T d B)[p / 6][p % 6] with d[i][j] = x[i * stride + 4 * t + j],
     * for t < count. Each row of x may be read as if count were the next multiple of
     * SIMD_WINOGRAD_TOGETHER, and four values further. */
    void (*winograd_input)(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride);

    /* ret[p * ret_stride + k] = (G g G^T)[p / 6][p % 6] with g[i][j] = x[(3 * i + j) * stride + k],
     * for k < count. The weights of a tap may be in any order. */
    void (*winograd_weights)(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride);

    /* ret[i * ret_stride + 4 * t + j] = clamp((A^T m A)[i][j] * scale + shift, low, high) with m
     * the sums of tile t, for t < count. Each row of ret may be written as if count were the next
     * multiple of SIMD_WINOGRAD_TOGETHER. Returns whether all (A^T m A) are finite. A residual is
     * added where rows of ret are copied to their map: by `add`, which clamps then. */
    bool (*winograd_output)(const struct simd_winograd_sums *from, float *ret, size_t ret_stride);

    /* ret[i * ret_stride + j] = result j of taps on the row at x + i * stride, i < rows. All width
     * elements of a row may be read; ret does not overlap x. */
    void (*stretch_rows)(const float *x, size_t stride, size_t rows, const struct simd_taps *taps,
                         float *ret, size_t ret_stride);

    /* ret[j] = the lowest c < channels with the largest x[c * stride + j], j < count; NaN is
     * the largest. At most 2^24 channels. ret does not overlap x. */
    void (*argmax)(const float *x, size_t channels, size_t stride, size_t count, int32_t *ret);

    /* ret[i] = f(x[i], slope) for i < count; only SIMD_LEAKY_RELU reads slope. */
    void (*activate[SIMD_ACTIVATION_COUNT])(const float *x, float *ret, size_t count, float slope);

    /* Softmax over channels, in place, for count neighboring pixels p:
     *   m = max_c x[c*stride + p];  e_c = exp(x[c*stride + p] - m);  x[c*stride + p] = e_c / sum e
     * stride >= count is the distance between channels, in elements. */
    void (*softmax)(float *x, size_t channels, size_t stride, size_t count);

    /* Adds to *ret the moments of x[0], ..., x[count - 1], in double precision. */
    void (*moments)(const float *x, size_t count, float center, struct simd_moments *ret);

    /* Layer norm over channels, for count neighboring pixels p:
     *   y_c = (x[c * stride + p] - mean) / sqrt(variance + eps)
     *   ret[c * ret_stride + p] = y_c * scale[c] + shift[c]
     * where mean and variance are those of the pixel's channels. It is computed in double precision
     * and rounded once. With ret == x, ret_stride is stride. */
    void (*layer_norm)(const struct simd_layer_norm *norm, const float *x, size_t stride,
                       size_t count, float *ret, size_t ret_stride);

    /* ret[i] = the float32 that equals half[i], i < count; ret does not overlap half. A NaN keeps
     * its sign and payload; from float16 it becomes quiet. */
    void (*float16_to_float32)(const uint16_t *half, float *ret, size_t count);
    void (*bfloat16_to_float32)(const uint16_t *half, float *ret, size_t count);

    /* ret[i] = x[i] rounded to nearest, ties to even, i < count; ret does not overlap x. A value
     * halfway from the largest finite one to the next power of two, or larger, becomes Inf; a small
     * one becomes subnormal, or a zero with its sign; a NaN becomes quiet and keeps its sign and
     * the top bits of its payload. */
    void (*float32_to_float16)(const float *x, uint16_t *ret, size_t count);
    void (*float32_to_bfloat16)(const float *x, uint16_t *ret, size_t count);
};

/* Products of bfloat16, on CPUs that have them. Sums and epilogues are float32; a product of two
 * bfloat16 is exact in float32, and is added alone or together with its neighbor. Rounding is to
 * nearest, ties to even; NaN stays NaN, values beyond the largest bfloat16 become Inf, and
 * subnormal numbers may be taken as zero. */
struct simd_bfloat16 {
    /* simd_ops.gemm_tile for runs of any words; its tiles have the same size. */
    void (*gemm_tile)(const struct simd_gemm_tile *tile);

    /* ret[i][j] = the pair of x[2i][j] and x[2i + 1][j], the latter 0 where 2i + 1 == k, for
     * i < (k + 1) / 2 and j < columns. Rows have no gaps; ret does not overlap x. */
    void (*pack_pairs)(const float *x, size_t k, size_t columns, float *ret);
};

extern const struct simd_ops simd_scalar;
extern const struct simd_bfloat16 simd_scalar_bfloat16;

/* B^T, to transform along one axis only */
extern const float simd_winograd_input_matrix[SIMD_WINOGRAD_INPUT][SIMD_WINOGRAD_INPUT];

/* The table with that name; the best one for this CPU if name is NULL. Returns NULL if this build
 * has no such table or this CPU cannot run it. */
const struct simd_ops *simd_select(const char *name);

/* The bfloat16 kernels that go with a table; NULL if it has none or this CPU cannot run them. */
const struct simd_bfloat16 *simd_select_bfloat16(const struct simd_ops *ops);

/* The names that simd_select takes on this machine, best first, separated by ", ". */
const char *simd_names(void);

#endif
