/*
 * plan.h - everything that follows from a model and the H and W of its input: computed once, kept
 * for the next request of that shape. It takes O(H + W) time and memory: what is separable is kept
 * as its rows and its columns.
 */
#ifndef PPM_CORE_PLAN_PLAN_H
#define PPM_CORE_PLAN_PLAN_H

#include "core/model/algorithms.h"
#include "core/model/model.h"
#include "core/plan/pace.h"
#include "core/plan/pool_axis.h"
#include "core/plan/tiles.h"

struct plan {
    uint64_t model_id;
    const struct spec *spec;
    const struct simd_ops *simd; /* the model's */
    struct geometry g;           /* of a batch of one */
    double map_us;               /* roughly how long one thread takes for a map */
    struct pool_axis pool_h, pool_w;
    double *rows_from[BRANCHES_MAX];    /* [H], [W]: where each branch is upsampled from, for */
    double *columns_from[BRANCHES_MAX]; /* geometry_tap_at */
    uint32_t *output_low;               /* [W of the output], if it is resized: simd_taps */
    float *output_weight;
    struct tiles tiles;                 /* of the concat and the head */
    enum algorithm head_by[LAYERS_MAX]; /* that computes each conv of the head */

    /* The bottleneck, if the head begins with a conv, reads folded branches on their grids: its
     * weights times the branch's result are grid_steps columns, in the order branch, tap, point.
     * A tile is these times U; row-wise, these blended for its row, times the weights along it. */
    bool takes_columns;                        /* it reads U by tiles: plan_columns */
    size_t bottleneck_kernel, bottleneck_taps; /* 1 without a bottleneck */
    bool is_folded[BRANCHES_MAX];
    size_t grid_steps;   /* sum over folded branches of taps * points */
    size_t folded_steps; /* the same; row-wise the sum of the grids' widths */
    /* By Winograd: the weights of each row and each column of a folded branch's grid at the pixels
     * that a tile sees, transformed along that axis: [grid line][SIMD_WINOGRAD_INPUT][tiles]. */
    float *rows_seen[BRANCHES_MAX], *columns_seen[BRANCHES_MAX];
    float *along_columns; /* row-wise: [tile of a row][folded_steps][gemm_columns] */
};

/* In one block of memory with its tables. */
struct ppm_plan {
    struct plan plan; /* never changed */
    struct pace pace;
};

/* Everything except the tables, which takes no memory; and the bytes of the whole, saturating. */
void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry);
size_t plan_bytes(const struct plan *plan);

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

#endif
