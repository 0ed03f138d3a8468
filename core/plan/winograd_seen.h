/* winograd_seen.h - how Winograd's tiles see the grids of folded branches: tables of a plan. */
#ifndef PPM_CORE_PLAN_WINOGRAD_SEEN_H
#define PPM_CORE_PLAN_WINOGRAD_SEEN_H

#include "core/plan/section_plan.h"

void winograd_place_seen(struct section_plan *plan, struct room *room);
void winograd_fill_seen(struct section_plan *plan, const struct run *run);

#endif
