/* step_flops.h - what the convolutions of a planned step count. */
#ifndef PPM_CORE_PLAN_STEP_FLOPS_H
#define PPM_CORE_PLAN_STEP_FLOPS_H

#include "core/plan/plan.h"

/* 2 * multiply-adds of the index-th step over a batch of n, the branches of its pyramid folded
 * where that saves any; saturating. */
uint64_t step_flops(const struct plan *plan, size_t index, size_t n);

/* Whether it multiplies less than that: a conv by Winograd, or tiles that end with their row. Its
 * rate is an effective one, and may exceed what the CPU can multiply. */
bool step_is_effective(const struct plan *plan, size_t index);

#endif
