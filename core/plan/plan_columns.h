/* plan_columns.h - columns of U, the interpolation matrix of the folded branches, by tiles. */
#ifndef PPM_CORE_PLAN_PLAN_COLUMNS_H
#define PPM_CORE_PLAN_PLAN_COLUMNS_H

#include "core/plan/section_plan.h"

/* U for a tile, not row-wise: ret [folded_steps][gemm_columns]. */
void plan_columns(const struct section_plan *plan, size_t tile, float *ret);

/* Whether a run computes U for all tiles beforehand, since they are few and several blocks share
 * them. Otherwise each block computes its own. */
bool plan_shares_columns(const struct section_plan *plan);

/* Row-wise: the table of the weights along any row, and its contents. */
void plan_place_along_columns(struct section_plan *plan, struct room *room);
void plan_fill_along_columns(struct section_plan *plan, const struct run *run);

#endif
