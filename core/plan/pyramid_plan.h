/*
 * pyramid_plan.h - what follows from a pyramid and the H and W of its input. It takes O(H + W) time
 * and memory: what is separable is kept as its rows and its columns.
 */
#ifndef PPM_CORE_PLAN_PYRAMID_PLAN_H
#define PPM_CORE_PLAN_PYRAMID_PLAN_H

#include "core/plan/pool_axis.h"

struct pyramid_plan {
    const struct pyramid *pyramid;
    const struct simd_ops *simd; /* the model's */
    struct geometry g;           /* of a batch of one */
    struct pool_axis pool_h, pool_w;
    double *rows_from[BRANCHES_MAX];    /* [H], [W]: where each branch is upsampled from, for */
    double *columns_from[BRANCHES_MAX]; /* geometry_tap_at */

    /* The conv that reads the concat can read folded branches on their grids: its weights times the
     * branch's result are grid_steps columns, in the order branch, tap, point. A tile is these
     * times U; row-wise, these blended for its row, times the weights along it. */
    bool takes_columns; /* it reads U by tiles: plan_columns */
    bool is_folded[BRANCHES_MAX];
    size_t grid_steps;   /* sum over folded branches of taps * points */
    size_t folded_steps; /* the same; row-wise the sum of the grids' widths */
    /* By Winograd: the weights of each row and each column of a folded branch's grid at the pixels
     * that a tile sees, transformed along that axis: [grid line][SIMD_WINOGRAD_INPUT][tiles]. */
    float *rows_seen[BRANCHES_MAX], *columns_seen[BRANCHES_MAX];
    float *along_columns; /* row-wise: [tile of a row][folded_steps][gemm_columns] */
};

/* Without tables, and nothing folded; then the places of its tables, except those of folded
 * branches; then their contents. run may be NULL. */
void pyramid_plan_begin(struct pyramid_plan *ret_plan, const struct pyramid *pyramid,
                        const struct simd_ops *simd, const struct geometry *geometry);
void pyramid_plan_place(struct pyramid_plan *plan, struct room *room);
void pyramid_plan_fill(struct pyramid_plan *plan, const struct run *run);

/* Where a row or a column of a branch's upsampled map is taken from. */
static inline struct resize_tap plan_row_tap(const struct pyramid_plan *plan, size_t branch,
                                             size_t row)
{
    return geometry_tap_at(plan->rows_from[branch][row], plan->g.branches[branch].pooled_h);
}
static inline struct resize_tap plan_column_tap(const struct pyramid_plan *plan, size_t branch,
                                                size_t column)
{
    return geometry_tap_at(plan->columns_from[branch][column], plan->g.branches[branch].pooled_w);
}

#endif
