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

/* The tiles of a block in one phase: of a map, or of every dilation-th row and column of it. */
struct band {
    size_t phase[WINDOW_AXES];
    size_t first_row, rows; /* of inputs that they see, in the phase with its border */
    size_t plane_row;       /* where these begin in the block's planes */
};

/* Tiles of one row of tiles, neighbors in a micro-panel. */
struct strip {
    size_t micro, column; /* where they begin in the block */
    const struct band *band;
    size_t row, first; /* in the phase, in tiles */
    size_t count;
};

/* Some tiles of map n, and some panels of weights. */
struct winograd_block {
    struct block source; /* its first and count are tiles of 4 x 4 pixels, of all phases in turn */
    const struct layer *conv;
    size_t micros;
    size_t first_panel, end_panel;
    struct band bands[BLOCK_COLUMNS];
    struct strip strips[BLOCK_COLUMNS];
    size_t band_count, strip_count;
    size_t rows; /* of inputs, of all bands */

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

/* Tiles of a phase, in a row and in all; and of all phases. */
size_t winograd_tiles_in_row(const struct pass *pass);
size_t winograd_tiles_in_phase(const struct pass *pass);
size_t winograd_tiles_of(const struct pass *pass);

/* Floats of a row of planes, with its border and what the kernel may read after the last tile; and
 * the most rows that the tiles of a block see. */
size_t winograd_row_floats(const struct pass *pass);
size_t winograd_rows_max(const struct simd_ops *ops, const struct pass *pass);

/* Fills in what follows from source.first and source.count. */
void winograd_find_strips(struct winograd_block *block);

#endif
