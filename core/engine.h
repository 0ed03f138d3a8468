/*
 * engine.h - the fast engine: the stages of a request over one plan and one arena.
 *
 * All stage_ functions are called by every thread of one OpenMP team; they share the work among
 * themselves and return together. "columns" are the points of all grids of a batch: N * points.
 */
#ifndef PPM_CORE_ENGINE_H
#define PPM_CORE_ENGINE_H

#include "core/plan.h"

enum {
    /* Packed columns that a thread multiplies at a time stay in its second-level cache. */
    BLOCK_BYTES = 900 << 10,
    BLOCK_TILES_MAX = 8,
    CHUNK_STEPS_MAX = 2304, /* of K, packed at a time */
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
    const float *map; /* [N, channels, H, W] of the pass before; NULL: the concat */
    size_t map_channels;
    float *ret; /* where the result goes */
    enum ppm_layout ret_layout;
    size_t ret_channels;
    size_t block_tiles;
};

struct work {
    const struct plan *plan;
    const struct spec *spec;
    const struct run *run;
    const float *x; /* in x_layout */
    enum ppm_layout x_layout;
    size_t n;
    int threads;
    atomic_bool is_finite; /* no branch gave NaN or Inf: what is planned to be folded may be */

    /* scratch, laid out by work_layout */
    struct micro_panels pooled[BRANCHES_MAX];  /* [C] channels, columns of branch i */
    struct micro_panels results[BRANCHES_MAX]; /* where branch i's result stands */
    float *buffers[BRANCHES_MAX][2];           /* of its stack, in turn */
    float *expanded[BRANCHES_MAX];             /* [n][Ci][ph][W]: stretched along rows alone */
    float *folded;                             /* [n][panel][folded_steps][rows] */
    float *cells;                              /* [thread][row of sums and of cells] */
    float *blocks;                             /* [thread][block_floats] */
    size_t cell_floats, block_floats;
    float *maps[2]; /* between passes: [n, widest, H, W] */
    float *values;  /* before the output stage: [n, Ch, H, W] */
};

/* Lays the scratch of a run out from base (NULL: only adds up) and returns its bytes. */
size_t work_layout(struct work *work, char *base);

/* pooled[i] = mean of x over each bin of branch i */
void stage_pool(struct work *work);

/* results[i] = branch i's layers over pooled[i], each branch on a thread of its own */
void stage_branches(struct work *work);

/* Stretches along rows what will be taken upsampled; folds what will be taken folded. */
void stage_expand(struct work *work);
void stage_fold(struct work *work);

/* Whether branch i is taken folded by the first pass of this run. */
bool work_folds(const struct work *work, size_t branch);

/* One pass over all tiles of all maps. */
void stage_pass(struct work *work, const struct pass *pass);

/* Without a head: each part of the concat straight into its place of ret [N, Cc, H, W]. */
void stage_concat(struct work *work, float *ret);

/* With an output stage: y = work->values [N, channels, H, W] resized, soft-maxed or arg-maxed. */
void stage_output(struct work *work, size_t channels, const struct ppm_tensor *y);
size_t output_scratch_floats(const struct plan *plan, size_t channels);

/* Applies a layer that is no conv, in place, to panel [channels][gemm_columns]. */
void apply_pointwise(const struct layer *layer, float *panel, size_t first, size_t channels);

/* What a clamp after a conv is: low and high of relu and relu6, or no bounds and false. */
bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high);

/* Channels of the widest map of a pass, and the scratch that a thread needs for its blocks. */
size_t pass_widest(const struct spec *spec, const struct pass *pass);
size_t pass_block_floats(const struct spec *spec, const struct pass *pass);

/* Scratch that a thread needs for pooling. */
size_t pool_scratch_floats(const struct plan *plan);

/* ---- gather.c ---- */

/* ret[W] = a row of channel c of branch i's upsampled map */
void gather_row(const struct work *work, size_t branch, size_t n, size_t c, size_t row, float *ret);

/* Channels [first, first + count) of a part, seen through a tap of a kernel. */
struct piece {
    size_t part, tap, first, count;
};

/* Tiles [first, first + count) of map n. */
struct block {
    size_t n, first, count;
};

/* A piece at the pixels of a block: ret[tile * tile_stride][i][gemm_columns], i < piece->count,
 * with zeros where the tap leaves the map and behind the last pixel. */
void gather(const struct work *work, const struct pass *pass, const struct block *block,
            size_t kernel, const struct piece *piece, float *ret, size_t tile_stride);

#endif
