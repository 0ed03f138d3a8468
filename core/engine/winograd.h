/* winograd.h - what the files of Winograd's F(4x4, 3x3) share; winograd.c says how it goes. */
#ifndef PPM_CORE_ENGINE_WINOGRAD_H
#define PPM_CORE_ENGINE_WINOGRAD_H

#include "core/engine/engine.h"

enum {
    TILE = SIMD_WINOGRAD_TILE,
    TAPS = 9,
    PLACES = SIMD_WINOGRAD_PLACES,
    ON_AXIS = SIMD_WINOGRAD_INPUT, /* places of the domain, and pixels that a tile sees */
    TOGETHER = SIMD_WINOGRAD_TOGETHER,
    BLOCK_COLUMNS = 64,       /* as many as the register tile has, or a multiple up to this */
    INPUTS_BYTES = 450 << 10, /* of a chunk: half of a second-level cache */
    SUMS_BYTES = 8 << 20,     /* of a task */
    LINE_FLOATS = 16,         /* of a cache line: what places of a domain are moved by */
    PLANES_TOGETHER = 16,     /* gathered at a time, from NHWC */
};

_Static_assert(BLOCK_COLUMNS >= (int)SIMD_GEMM_COLUMNS_MAX, "a block holds a micro-panel");

/* Tiles of one row of tiles, neighbours in a micro-panel. */
struct tile_run {
    size_t micro, column; /* where they begin in the block */
    size_t row, first;    /* of the map, in tiles */
    size_t count;
};

/* What a thread computes at a time: a block of tiles of map n, some panels of weights. */
struct task {
    struct block source; /* for gather_rows */
    const struct layer *conv;
    size_t first, count; /* tiles */
    size_t micros;
    size_t first_panel, end_panel;
    size_t first_row, rows; /* of inputs that the tiles see, in the map with its border */
    struct tile_run runs[BLOCK_COLUMNS];
    size_t run_count;

    /* scratch */
    float *planes;  /* [channels][rows][row_floats] */
    float *seen;    /* of each folded branch, its grid's rows and then its columns:
                       [line][ON_AXIS][tiles of the block] */
    float *inputs;  /* [place][micro][steps][gemm_columns] */
    float *weights; /* [place][steps][rows of the panel] */
    float *sums;    /* [panel][place][micro][gemm_rows][gemm_columns] */
    float *pixels;  /* of a channel: [TILE][TILE * BLOCK_COLUMNS] */
    float *results; /* where more layers follow: [TILE * TILE + 1][widest][gemm_columns] */
};

/* A chunk of K, its inputs transformed. */
struct inputs {
    const float *data;
    size_t place_stride, micro_stride, steps;
};

/* Tiles on an axis of so many pixels. */
size_t tiles_on(size_t extent);

/* Columns of a block, in whole micro-panels, and the channels that are transformed at a time. */
size_t columns_of_block(const struct simd_ops *ops);
size_t steps_of_chunk(const struct simd_ops *ops);

/* Scratch of the inputs: floats of a row of a plane, with its border and what the kernel may read
 * behind the last tile; and rows that the tiles of a block see at most. */
size_t row_floats_of(const struct plan *plan);
size_t rows_max(const struct plan *plan);

/* Grid points of the folded branches: each is a channel of inputs. */
size_t folded_steps(const struct plan *plan);

/* Floats of what a block of tiles sees of them: task->seen. */
size_t seen_floats(const struct plan *plan);

/* Fills in what follows from first and count. */
void find_runs(const struct plan *plan, struct task *task);

/* Channels [first, first + steps) of a part, transformed into the task's scratch; its planes are
 * zero, or of the same task. */
struct inputs transform_inputs(const struct task *task, size_t part, size_t first, size_t steps);

/* The same of points [first, first + steps) of the folded branches: what the task's pixels take
 * from them. A product of what they take along both axes, it is so transformed as well. find_seen
 * comes first, once for all points. */
void find_seen(const struct task *task);
struct inputs transform_points(const struct task *task, size_t first, size_t steps);

/* Transforms the task's sums and stores what they give, behind all layers of the pass. False:
 * something was not finite. */
bool store_results(const struct task *task);
size_t winograd_results_floats(const struct plan *plan, const struct pass *pass);

#endif
