/*
 * plan.h - all that follows from a model and the H and W of its input: computed once, kept for the
 * next request of that shape, never changed.
 */
#ifndef PPM_CORE_PLAN_H
#define PPM_CORE_PLAN_H

#include "core/internal.h"

/* Pooling adds up cells: the rectangles between the edges of all bins of all branches. */
struct cell_range {
    size_t from, to; /* cells [from, to) of an axis */
};
struct pool_axis {
    size_t *edges; /* ascending; cell i is [edges[i], edges[i + 1]) */
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
    struct resize_tap *row_taps[BRANCHES_MAX];    /* [H]: where each branch is upsampled from */
    struct resize_tap *column_taps[BRANCHES_MAX]; /* [W] */
    uint32_t *output_low; /* [W of the output], when it is resized: simd_taps */
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
    size_t grid_steps;      /* sum over folded branches of taps * points */
    size_t folded_steps;    /* the same, or row-wise the sum of the grids' widths */
    bool is_winograd;       /* the bottleneck; taps are in the order it wants */
    float *winograd_inputs; /* U transformed: [micro-panel of tiles][place][point][gemm_columns] */
    float *interpolation;   /* U: [tile, or row-wise tile of a row][folded_steps][gemm_columns] */
};

/* NULL and PPM_NO_MEMORY on failure. */
struct plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                         struct ppm_error *error);
/* The same with nothing but what pooling needs: spec, g, rows and columns. */
struct plan *plan_create_pooling(const struct ppm_model *model, const struct geometry *geometry,
                                 struct ppm_error *error);
void plan_free(struct plan *plan);

/* The pixels of a tile: [first, first + columns) of H * W. */
struct plan_pixels {
    size_t first, columns;
};
struct plan_pixels plan_tile(const struct plan *plan, size_t tile);

/* Points of a branch's grid. */
size_t plan_points(const struct geometry *g, size_t branch);

/* Whether the bottleneck had better take a branch folded: fewer multiply-adds than upsampled. */
bool plan_folds(const struct spec *spec, const struct geometry *g, size_t branch);

/* ---- winograd.c ---- */

/* Whether a conv may be computed by Winograd's F(4x4, 3x3), whatever the size of the map. */
bool winograd_fits(const struct spec *spec, const struct layer *conv);

/* Whether a conv on maps of that size is computed by Winograd's F(4x4, 3x3). */
bool winograd_pays(const struct spec *spec, const struct layer *conv, size_t h, size_t w);

/* Tiles of a map. */
size_t winograd_tiles(const struct plan *plan);

/* plan->winograd_inputs of the folded branches. NULL and PPM_NO_MEMORY on failure; owned by the
 * plan. */
float *winograd_plan_inputs(const struct plan *plan, struct ppm_error *error);

/* ---- plan.c ---- */

/* The branch that a part of the concat is, or BRANCHES_MAX for the input. */
size_t plan_branch_of_part(const struct spec *spec, size_t part);

#endif
