/* step_plan.c - see step_plan.h. */
#include "core/plan/step_plan.h"

void step_plan_begin(struct step_plan *ret_plan, const struct layer *layer, struct ppm_shape x,
                     struct ppm_shape ret)
{
    *ret_plan = (struct step_plan){0};
    if (layer->kind != LAYER_RESIZE)
        return;
    ret_plan->down = resize_axis_of(layer, x.h, ret.h);
    ret_plan->right = resize_axis_of(layer, x.w, ret.w);
}

void step_plan_place(struct step_plan *plan, struct room *room)
{
    if (plan->right.out == 0)
        return;
    plan->low = room_take(room, plan->right.out, sizeof *plan->low);
    if (plan->right.mode != RESIZE_NEAREST)
        plan->weight = room_take(room, plan->right.out, sizeof *plan->weight);
}

void step_plan_fill(struct step_plan *plan, const struct run *run)
{
    size_t done = 0;
    for (size_t i = 0; plan->low && i < plan->right.out && run_goes_on(run, &done, 1); i++) {
        const struct resize_tap tap = resize_axis_tap(&plan->right, i);
        plan->low[i] = (uint32_t)tap.low;
        if (plan->weight)
            plan->weight[i] = (float)tap.weight;
    }
}
