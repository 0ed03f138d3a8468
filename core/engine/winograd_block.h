/* winograd_block.h - what a thread computes of a Winograd pass at a time, and its sizes. */
#ifndef PPM_CORE_ENGINE_WINOGRAD_BLOCK_H
#define PPM_CORE_ENGINE_WINOGRAD_BLOCK_H

#include "core/engine/gather.h"
#include "core/shape/winograd_tiles.h"

enum {
    TILE = SIMD_WINOGRAD_TILE,
    TAPS = 9,
    PLACES = SIMD_WINOGRAD_PLACES,
    ON_AXIS = SIMD_WINOGRAD_INPUT, /* places of the domain, and pixels that a tile sees */
    TOGETHER = SIMD_WINOGRAD_TOGETHER,
    BLOCK_COLUMNS = 64,       /* at most; a multiple of the register tile's */
    INPUTS_BYTES = 450 << 10, /* of a chunk: half of a second-level cache */
    SUMS_BYTES = 8 << 20,     /* of a block */
    LINE_FLOATS = 16,         /* of a cache line: between places of a domain */
    PLANES_TOGETHER = 16,     /* gathered at a time, from NHWC */
};
_Static_assert((int)BLOCK_COLUMNS >= (int)SIMD_GEMM_COLUMNS_MAX, "a block holds a micro-panel");

/* Tiles of one row of tiles, neighbors in a micro-panel. */
struct strip {
    size_t micro, column; /* where they begin in the block */
    size_t row, first;    /* in the map, in tiles */
    size_t count;
};

/* Some tiles of map n, and some panels of weights. */
struct winograd_block {
    struct block source; /* its first and count are tiles of 4 x 4 pixels */
    const struct layer *conv;
    size_t micros;
    size_t first_panel, end_panel;
    size_t first_row, rows; /* of inputs that the tiles see, in the map with its border */
    struct strip strips[BLOCK_COLUMNS];
    size_t strip_count;

    /* scratch */
    float *planes;  /* [channels][rows][row_floats] */
    float *seen;    /* of each folded branch, its grid's rows and then its columns:
                       [line][ON_AXIS][tiles of the block] */
    float *inputs;  /* [place][micro][steps][gemm_columns] */
    float *weights; /* [place][steps][rows of the panel] */
    float *sums;    /* [panel][place][micro][gemm_rows][gemm_columns] */
    float *pixels;  /* of a channel: [TILE][TILE * BLOCK_COLUMNS] */
    float *results; /* if more layers follow: [TILE * TILE + 1][widest][gemm_columns] */
};

/* Columns of a block, in whole micro-panels; and the channels of a chunk. */
size_t winograd_columns(const struct simd_ops *ops);
size_t winograd_steps(const struct simd_ops *ops);

/* Floats of a row of planes, with its border and what the kernel may read after the last tile; and
 * the most rows that the tiles of a block see. */
size_t winograd_row_floats(const struct plan *plan);
size_t winograd_rows_max(const struct plan *plan);

/* Fills in what follows from source.first and source.count. */
void winograd_find_strips(struct winograd_block *block);

#endif
