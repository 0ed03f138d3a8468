/* pyramid_plan.c - see pyramid_plan.h. */
#include "core/plan/pyramid_plan.h"

void pyramid_plan_begin(struct pyramid_plan *ret_plan, const struct pyramid *pyramid,
                        const struct simd_ops *simd, const struct geometry *geometry)
{
    *ret_plan = (struct pyramid_plan){.pyramid = pyramid,
                                      .simd = simd,
                                      .g = *geometry,
                                      .pool_h = pool_axis_of(pyramid, geometry, AXIS_H),
                                      .pool_w = pool_axis_of(pyramid, geometry, AXIS_W)};
    ret_plan->g.input.n = ret_plan->g.output.n = 1;
}

void pyramid_plan_place(struct pyramid_plan *plan, struct room *room)
{
    pool_axis_place(&plan->pool_h, plan->pyramid, &plan->g, room);
    pool_axis_place(&plan->pool_w, plan->pyramid, &plan->g, room);
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        plan->rows_from[i] = room_take(room, branch->target_h, sizeof *plan->rows_from[i]);
        plan->columns_from[i] = room_take(room, branch->target_w, sizeof *plan->columns_from[i]);
    }
}

static void fill_sources(enum resize mode, size_t in, size_t out, const struct run *run,
                         double *ret)
{
    size_t done = 0;
    for (size_t i = 0; i < out && run_goes_on(run, &done, 1); i++)
        ret[i] = geometry_source(mode, i, in, out);
}

void pyramid_plan_fill(struct pyramid_plan *plan, const struct run *run)
{
    const enum resize mode = plan->pyramid->upsample;
    pool_axis_fill(&plan->pool_h, plan->pyramid, &plan->g, run);
    pool_axis_fill(&plan->pool_w, plan->pyramid, &plan->g, run);
    for (size_t i = 0; i < plan->pyramid->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        fill_sources(mode, branch->pooled_h, branch->target_h, run, plan->rows_from[i]);
        fill_sources(mode, branch->pooled_w, branch->target_w, run, plan->columns_from[i]);
    }
}
