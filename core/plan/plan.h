/*
 * plan.h - all that follows from a model and the H and W of its input: computed once, kept for the
 * next request of that shape. It takes O(H + W) to make and to keep: what is separable is kept as
 * its rows and columns.
 */
#ifndef PPM_CORE_PLAN_PLAN_H
#define PPM_CORE_PLAN_PLAN_H

#include "core/base/cancel.h"
#include "core/base/memory.h"
#include "core/model/model.h"
#include "core/shape/geometry.h"

/* Pooling adds up cells: the rectangles between the edges of all bins of all branches. */
struct cell_range {
    uint32_t from, to; /* cells [from, to) of an axis */
};
struct pool_axis {
    size_t edges_max;
    uint64_t *marks; /* a bit for each pixel that is an edge */
    uint32_t *edges; /* ascending; cell i is [edges[i], edges[i + 1]) */
    size_t cell_count;
    struct cell_range *bins[BRANCHES_MAX]; /* of each branch: [its pooled size] */
};

struct plan {
    uint64_t model_id;
    const struct spec *spec;
    const struct simd_ops *simd; /* the model's */
    struct geometry g;           /* of a batch of one */
    double map_us; /* what a map takes one thread, roughly: to tell small from large */
    struct pool_axis rows, columns;
    double *rows_from[BRANCHES_MAX];    /* [H]: where each branch is upsampled from, for */
    double *columns_from[BRANCHES_MAX]; /* [W]  geometry_tap_at */
    uint32_t *output_low;               /* [W of the output], when it is resized: simd_taps */
    float *output_weight;
    size_t pixels; /* of the concat: H * W */

    /* Tiles of at most gemm_columns neighbouring pixels. Row-wise they do not go on from a row to
     * the next one. */
    bool is_row_wise;
    size_t tile_count;
    size_t row_tiles; /* of a row, when row-wise */

    /* The bottleneck, when the head begins with a conv, takes folded branches on their grids: its
     * weights times the branch's result are grid_steps columns, in the order branch, tap, point.
     * A tile takes them times U, or row-wise: blended for its row, times the weights along it. */
    bool is_folded[BRANCHES_MAX];
    size_t grid_steps;   /* sum over folded branches of taps * points */
    size_t folded_steps; /* the same, or row-wise the sum of the grids' widths */
    bool is_winograd;    /* the bottleneck; taps are in the order it wants */
    /* By Winograd, of each folded branch: what a tile sees of a row of its grid and of a column,
     * transformed along that axis: [grid line][SIMD_WINOGRAD_INPUT][tiles on the axis]. */
    float *rows_seen[BRANCHES_MAX], *columns_seen[BRANCHES_MAX];
    float *along_columns; /* row-wise: [tile of a row][folded_steps][gemm_columns] */
};

/* How a small plan fares. Where others take a core of the team's, each barrier waits for the
 * scheduler, and one thread is faster. */
struct pace {
    double alone_ms;     /* a map on one thread, lately */
    unsigned slow_runs;  /* of the team, in a row: slower than that */
    unsigned alone_runs; /* to do before the team is tried again */
};

/* In one piece of memory with its tables. */
struct ppm_plan {
    struct plan plan; /* never changed */
    struct pace pace;
};

/* All but the tables, which it takes no memory to know; and what the whole takes, saturating. */
void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry);
size_t plan_bytes(const struct plan *plan);

/* Whether to stop, asked now and then while a table is filled. run may be NULL. */
static inline bool plan_stops(const struct run *run, size_t entry)
{
    enum { ENTRIES = 1 << 16 };
    return entry % ENTRIES == 0 && run && run_is_cancelled(run);
}

/* ---- pool_axis.c ---- */

/* The tables that pooling needs: how large they get, their places, and what stands there. */
void plan_begin_axes(struct plan *plan);
void plan_place_axes(struct plan *plan, struct room *room);
void plan_fill_axes(struct plan *plan, const struct run *run); /* run may be NULL */

/* ---- plan_columns.c ---- */

/* U for a tile, not row-wise: ret [folded_steps][gemm_columns]. A run takes that of each tile when
 * it comes to it, or of all beforehand, where they are few and several blocks may share them. */
void plan_columns(const struct plan *plan, size_t tile, float *ret);
bool plan_shares_columns(const struct plan *plan);

/* Row-wise: the weights along any row, of all its tiles. */
void plan_fill_along_columns(struct plan *plan, const struct run *run);

/* ---- plan.c ---- */

/* PPM_CANCELLED if the run is abandoned meanwhile. */
struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error);

/* Where a row or a column of a branch's upsampled map is taken from. */
static inline struct resize_tap plan_row_tap(const struct plan *plan, size_t branch, size_t row)
{
    return geometry_tap_at(plan->rows_from[branch][row], plan->g.branches[branch].pooled_h);
}
static inline struct resize_tap plan_column_tap(const struct plan *plan, size_t branch,
                                                size_t column)
{
    return geometry_tap_at(plan->columns_from[branch][column], plan->g.branches[branch].pooled_w);
}

/* The pixels of a tile: [first, first + columns) of H * W. */
struct plan_pixels {
    size_t first, columns;
};
struct plan_pixels plan_tile(const struct plan *plan, size_t tile);

/* Of the bottleneck, 1 or 3; and points of a branch's grid. */
size_t plan_kernel(const struct plan *plan);
size_t plan_points(const struct geometry *g, size_t branch);

/* Whether the bottleneck had better take a branch folded: fewer multiply-adds than upsampled. */
bool plan_folds(const struct spec *spec, const struct geometry *g, size_t branch);

/* The branch that a part of the concat is, or BRANCHES_MAX for the input. */
size_t plan_branch_of_part(const struct spec *spec, size_t part);

/* ---- winograd.c ---- */

/* Whether a conv may be computed by Winograd's F(4x4, 3x3), whatever the size of the map. */
bool winograd_fits(const struct spec *spec, const struct layer *conv);

/* Whether a conv on maps of that size is computed by Winograd's F(4x4, 3x3). */
bool winograd_pays(const struct spec *spec, const struct layer *conv, size_t h, size_t w);

/* The tables of what tiles see of folded branches. */
void winograd_place_seen(struct plan *plan, struct room *room);
void winograd_fill_seen(struct plan *plan, const struct run *run); /* run may be NULL */

/* Tiles of a map. */
size_t winograd_tiles(const struct plan *plan);

#endif
