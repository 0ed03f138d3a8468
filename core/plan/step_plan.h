/* step_plan.h - tables of a step that is no section: where the pixels of a resized row come from.
 */
#ifndef PPM_CORE_PLAN_STEP_PLAN_H
#define PPM_CORE_PLAN_STEP_PLAN_H

#include "core/base/cancel.h"
#include "core/base/memory.h"
#include "core/shape/resize_axis.h"

struct step_plan {
    struct resize_axis down, right; /* resize */
    uint32_t *low;                  /* [w of the result]: simd_taps, unless it is nearest: the */
    float *weight;                  /* pixels, and NULL */
};

/* For a layer that reads x and makes ret; the places of its tables; their contents. */
void step_plan_begin(struct step_plan *ret_plan, const struct layer *layer, struct ppm_shape x,
                     struct ppm_shape ret);
void step_plan_place(struct step_plan *plan, struct room *room);
void step_plan_fill(struct step_plan *plan, const struct run *run);

#endif
