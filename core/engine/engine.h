/*
 * engine.h - the fast engine: the stages of a request over one plan and one arena.
 *
 * All stage_ functions are called by every thread of one OpenMP team; they share the work among
 * themselves and return together. "columns" are the points of all grids of a batch: N * points.
 */
#ifndef PPM_CORE_ENGINE_ENGINE_H
#define PPM_CORE_ENGINE_ENGINE_H

#include "core/model/panels.h"
#include "core/plan/plan.h"

enum {
    /* Packed columns that a thread multiplies at a time stay in its second-level cache, beside the
     * weights that stream through, and beside the next block where that is fetched ahead. */
    BLOCK_BYTES = 900 << 10,
    BLOCK_BYTES_AHEAD = 300 << 10,
    BLOCK_TILES_MAX = 8,
    SHARED_BLOCK_BYTES = 128 << 10, /* packed by every thread that shares its panels */
    CHUNK_STEPS_MAX = 2304,         /* of K, packed at a time; of pairs, words */
};

/* Matrices for the register tile are kept in micro-panels: [tile][channels][gemm_columns]. */
struct micro_panels {
    float *data;
    size_t channels;
};

/* What a pass of the head reads: the concat (pass 0), or a stored map. */
struct pass {
    const struct layer *layers;
    size_t count;     /* a conv first, where it begins with one */
    size_t fused;     /* layers that the conv takes with it: 1, or 2 with a clamp; 0: no conv */
    const float *map; /* [N, channels, H, W] of the pass before; NULL: the concat */
    size_t map_channels;
    float *ret; /* where the result goes */
    enum ppm_layout ret_layout;
    bool reads_concat; /* the first one */
    bool is_winograd;  /* the conv, and what it takes, by stage_winograd */
    /* The conv's columns are rounded to pairs of bfloat16. Those of a 1x1 conv behind others are
     * not, or its bits would depend on whether it begins a pass, and that on the threads. */
    bool takes_pairs;
    bool is_direct; /* the conv and what it takes is all: results go straight to ret */
    size_t ret_channels;
    size_t block_tiles;
    size_t panel_groups; /* in which the panels of a block are shared out */
};

struct work {
    const struct plan *plan;
    const struct spec *spec;
    const struct run *run;
    const float *x; /* in x_layout */
    enum ppm_layout x_layout;
    size_t n;
    int threads;
    size_t planes_pooled;   /* before the run: the first ones of x */
    atomic_bool are_finite; /* all maps, as is_finite says of each */

    /* [n] maps: neither a branch nor a transform has given NaN or Inf. What is planned to be folded
     * and transformed is, of these alone: no map's bits depend on another's values. */
    atomic_bool *is_finite;

    /* scratch, placed by place_scratch */
    struct micro_panels pooled[BRANCHES_MAX];  /* [C] channels, columns of branch i; or the run's */
    struct micro_panels results[BRANCHES_MAX]; /* where branch i's result stands */
    float *buffers[BRANCHES_MAX][2];           /* of its stack, in turn */
    float *expanded[BRANCHES_MAX];             /* [n][Ci][ph][W]: stretched along rows alone; NULL
                                                  for what is planned to be folded */
    float *folded;                             /* [n][panel][grid_steps][rows] */
    float *columns; /* of U, of all tiles, where they are few: [tile_count]
                       [folded_steps][gemm_columns]; else NULL */
    float *cells;   /* [thread][row of sums and of cells] */
    float *blocks;  /* [thread][block_floats] */
    size_t cell_floats, block_floats;
    float *maps[2]; /* between passes: [n, widest, H, W] */
    float *values;  /* before the output stage: [n, Ch, H, W] */
};

/* The scratch that a run of n maps on one thread or on that many takes, saturating. */
size_t engine_scratch_bytes(const struct plan *plan, size_t n, enum ppm_layout layout, int threads);

/* Computes the same as reference_run in the folded form, x and y in their layouts; y has data. */
enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *x, struct ppm_tensor *y,
                           const struct run *run, struct ppm_stage_times *times,
                           struct ppm_error *error);

/* pooled[i] = mean of x over each bin of branch i, for what is not pooled yet */
void stage_pool(struct work *work);

/* results[i] = branch i's layers over pooled[i], each branch on a thread of its own */
void stage_branches(struct work *work);

/* Stretches along rows what is planned to be taken upsampled; folds what is to be taken folded. */
void stage_expand(struct work *work);
void stage_fold(struct work *work);

/* ret[count] = columns [left, left + count) of a grid row of channel c of branch i, stretched. */
void stretch_row(const struct work *work, size_t branch, size_t n, size_t c, size_t grid_row,
                 size_t left, size_t count, float *ret);

/* Whether branch i of map n is taken folded by the first pass. */
bool work_folds(const struct work *work, size_t n, size_t branch);

/* Notes that map n is not finite. */
void work_found_not_finite(struct work *work, size_t n);

/* The folded branches' columns for a panel of the bottleneck: [grid_steps][rows]. */
const float *folded_panel(const struct work *work, size_t n, size_t panel);

/* Row-wise: ret[folded_steps][rows] = the columns of each grid's rows above and below an output
 * row, blended by their distance. */
void blend_row(const struct work *work, size_t n, size_t panel, size_t row, float *ret);

/* One pass over all tiles of all maps; in the direct form, where the pass is one of Winograd's,
 * over those that are not finite. */
void stage_pass(struct work *work, const struct pass *pass);

/* The same of a pass that begins with a 3x3 conv, by Winograd's F(4x4, 3x3). */
void stage_winograd(struct work *work, const struct pass *pass);

/* Whether that can take the layers behind the conv, and a clamp, with it: threads do not share a
 * pixel's channels. */
bool winograd_takes_layers(const struct work *work, const struct layer *conv);
size_t winograd_block_floats(const struct plan *plan, const struct pass *pass);

/* Without a head: each part of the concat straight into its place of ret [N, Cc, H, W]. */
void stage_concat(struct work *work, float *ret);

/* With an output stage: y = work->values [N, channels, H, W] resized, soft-maxed or arg-maxed. */
void stage_output(struct work *work, size_t channels, const struct ppm_tensor *y);
size_t output_scratch_floats(const struct plan *plan, size_t channels);

/* The layers of a pass behind what its first conv takes with it, over a micro-panel [channels]
 * [gemm_columns]. Returns where the result stands: x or other, of pass_widest channels both. */
float *run_layers(const struct run *run, const struct pass *pass, float *x, float *other);

/* Columns of such a result to `count` neighbouring pixels of map n. */
void store_columns(const struct work *work, const struct pass *pass, size_t n, const float *x,
                   size_t first_pixel, size_t count);

/* Applies a layer that is no conv, in place, to panel [channels][gemm_columns]. */
void apply_pointwise(const struct layer *layer, float *panel, size_t first, size_t channels);

/* What a clamp after a conv is: low and high of relu and relu6, or no bounds and false. */
bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high);

/* Channels that a pass reads. */
size_t pass_channels(const struct spec *spec, const struct pass *pass);

/* Steps of K of the conv that a pass begins with, and those that stand for `channels` of a part and
 * a tap: where they are pairs, half as many. */
size_t pass_steps(const struct pass *pass);
size_t pass_steps_of(const struct pass *pass, size_t channels);

/* Channels of the widest map of a pass, and the scratch that a thread needs for its blocks. */
size_t pass_widest(const struct spec *spec, const struct pass *pass);
size_t pass_block_floats(const struct work *work, const struct pass *pass);

enum { POOL_ROWS_TOGETHER = 8 }; /* sums that do not wait for each other */

/* Scratch that a thread needs for pooling, and for pool_plane alone. */
size_t pool_scratch_floats(const struct plan *plan, enum ppm_layout layout);
size_t pool_plane_floats(const struct plan *plan);

/* The same of one plane of x [N, C, H, W], plane = n * C + c. run may be NULL. */
void pool_plane(const struct run *run, size_t *done, const struct plan *plan, const float *x,
                size_t plane, float *scratch, const struct micro_panels *pooled);

/* ---- pooling.c ---- */

struct ppm_pooling {
    struct plan plan; /* its axes alone are filled in */
    struct ppm_shape shape;
    size_t planes_pooled;
    void *memory; /* all that it takes, itself included; NULL: the caller's */
    float *scratch;
    struct micro_panels pooled[BRANCHES_MAX]; /* as the engine's own */
};

/* What one takes for n maps, and what the means alone do, saturating. */
size_t pooling_bytes(const struct plan *plan, size_t n);
size_t pooled_bytes(const struct plan *plan, size_t n);

/* Whether it belongs to this model and to x. */
bool pooling_fits(const struct ppm_pooling *pooling, const struct ppm_model *model,
                  const struct ppm_tensor *x);

/* Columns of branch i for n maps, filled up to whole micro-panels. */
size_t pooled_columns(const struct plan *plan, size_t n, size_t branch);

/* ---- gather.c ---- */

/* ret[count] = a row of channel c of branch i's upsampled map, from `left` on */
void gather_row(const struct work *work, size_t branch, size_t n, size_t c, size_t row, size_t left,
                size_t count, float *ret);

/* Channels [first, first + count) of a part, seen through a tap of a kernel. */
struct piece {
    size_t part, tap, first, count;
};

/* What a thread computes of a pass at a time: tiles [first, first + count) of map n. */
struct block {
    const struct work *work;
    const struct pass *pass;
    size_t n, first, count;
    size_t first_panel, end_panel; /* of the first conv */

    /* scratch */
    float *tiles;       /* [count][widest][gemm_columns] */
    size_t tile_floats; /* of one of them */
    float *packed;      /* a chunk of K of all tiles: [count][steps][gemm_columns] words */
    float *blended;     /* row-wise: [folded_steps][gemm_rows] */
    float *columns;     /* of U, otherwise: [count][folded_steps][gemm_columns] */

    /* where the first conv's result goes: the tiles, or straight to its place in the map */
    float *c;
    size_t c_stride;
};

/* The branch that a part is of what the pass reads, or BRANCHES_MAX for a map. */
size_t block_branch(const struct block *block, size_t part);

/* Where a piece needs no gathering: its rows at the first pixel of the block, H*W apart. NULL where
 * it does. */
const float *rows_in_place(const struct block *block, const struct piece *piece);

/* A piece at the pixels of a block: ret[tile * tile_stride][i][gemm_columns], i < piece->count,
 * with zeros where the tap leaves the map; anything behind the last pixel. */
void gather(const struct block *block, const struct piece *piece, float *ret, size_t tile_stride);

/* The same as pairs of bfloat16: i < (piece->count + 1) / 2. */
void gather_pairs(const struct block *block, const struct piece *piece, float *ret,
                  size_t tile_stride);

/* Rows [first - 1, first - 1 + count) of each channel of a piece, whatever its tap: that of channel
 * i goes to ret + i * plane_stride + 1, rows are stride apart. What lies beyond the map is left as
 * it is. */
struct rows {
    size_t first, count;
    size_t stride, plane_stride;
};
void gather_rows(const struct block *block, const struct piece *piece, const struct rows *rows,
                 float *ret);

/* ---- bottleneck.c ---- */

/* c = the first conv of the pass, and a clamp behind it, over the block. */
void run_bottleneck(const struct block *block);

#endif
