/* plan.c - see plan.h. */
#include "core/plan/plan.h"
#include "core/shape/costs.h"

#include <assert.h>
#include <stdlib.h>

void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry)
{
    *ret_plan = (struct plan){
        .model_id = model->id, .spec = &model->spec, .simd = model->simd, .g = *geometry};
    ret_plan->g.input.n = ret_plan->g.output.n = 1;
    ret_plan->map_us = costs_map_us(&model->spec, &ret_plan->g);
    const struct map_size concat = {geometry->h, geometry->w},
                          input = {geometry->input.h, geometry->input.w};
    const struct section_sizes sizes = {
        .in = concat, .out = concat, .values = &input, .pyramid = geometry};
    section_plan_begin(&ret_plan->section, &ret_plan->pyramid, &model->section, &sizes, model->simd,
                       model->spec.is_exact);
}

static void place_tables(struct plan *plan, struct room *room)
{
    section_plan_place(&plan->section, room);
    if (!plan->g.needs_resize)
        return;
    plan->output_low = room_take(room, plan->g.output.w, sizeof *plan->output_low);
    plan->output_weight = room_take(room, plan->g.output.w, sizeof *plan->output_weight);
}

static void fill_output(struct plan *plan, const struct run *run)
{
    const size_t in = plan->g.w, out = plan->g.output.w;
    assert(plan->output_low && plan->output_weight);
    size_t done = 0;
    for (size_t i = 0; i < out && run_goes_on(run, &done, 1); i++) {
        const struct resize_tap tap = geometry_tap(plan->spec->output.resize, i, in, out);
        plan->output_low[i] = (uint32_t)tap.low;
        plan->output_weight[i] = (float)tap.weight;
    }
}

size_t plan_bytes(const struct ppm_model *model, const struct geometry *geometry)
{
    struct plan placed;
    struct room room = {0};
    plan_begin(&placed, model, geometry);
    room_take(&room, 1, sizeof(struct ppm_plan));
    place_tables(&placed, &room);
    return room.bytes;
}

struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error)
{
    struct room room = {.base = core_allocate(plan_bytes(model, geometry), error)};
    if (!room.base)
        return NULL;
    struct ppm_plan *ret = room_take(&room, 1, sizeof *ret);
    ret->pace = (struct pace){0};
    plan_begin(&ret->plan, model, geometry);
    place_tables(&ret->plan, &room);
    section_plan_fill(&ret->plan.section, run);
    if (ret->plan.g.needs_resize)
        fill_output(&ret->plan, run);
    if (!run_is_cancelled(run))
        return ret;
    ppm_plan_free(ret);
    ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
    return NULL;
}

bool ppm_plan_fits(const struct ppm_plan *plan, const struct ppm_model *model,
                   const struct ppm_sizes *sizes)
{
    const struct ppm_sizes *own = &plan->plan.g.sizes;
    bool fits = plan->plan.model_id == model->id && own->output_h == sizes->output_h &&
                own->output_w == sizes->output_w;
    for (size_t i = 0; fits && i < own->count; i++)
        fits = own->inputs[i].h == sizes->inputs[i].h && own->inputs[i].w == sizes->inputs[i].w;
    return fits;
}

void ppm_plan_free(struct ppm_plan *plan)
{
    free(plan);
}
