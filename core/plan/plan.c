/* plan.c - see plan.h. */
#include "core/plan/plan.h"
#include "core/plan/choice.h"
#include "core/shape/costs.h"
#include "core/shape/folding.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

static void fill_sources(enum resize mode, size_t in, size_t out, const struct run *run,
                         double *ret)
{
    size_t done = 0;
    for (size_t i = 0; i < out && run_goes_on(run, &done, 1); i++)
        ret[i] = geometry_source(mode, i, in, out);
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

/* ---- choices ---- */

static void choose_algorithms(struct plan *plan)
{
    const struct stack *head = &plan->spec->head;
    const struct layer *bottleneck = spec_bottleneck(plan->spec);
    for (size_t i = 0; i < head->count; i++)
        if (head->layers[i].kind == LAYER_CONV)
            plan->head_by[i] = choose_algorithm(plan->spec, &head->layers[i], plan->g.h, plan->g.w);
    plan->bottleneck_kernel = bottleneck ? bottleneck->window.size[0] : 1;
    plan->bottleneck_taps = bottleneck ? conv_taps(bottleneck) : 1;
}

/* What the bottleneck's algorithm needs. */
static const struct choice *bottleneck_choice(const struct plan *plan)
{
    return choice_of(plan->head_by[0]);
}

/* Steps of the bottleneck for each pixel, row-wise or not, and which branches are folded. */
static size_t count_steps(const struct spec *spec, const struct geometry *g, bool is_row_wise,
                          bool ret_is_folded[BRANCHES_MAX])
{
    size_t steps = 0;
    for (size_t i = 0; i < spec->pyramid.part_count; i++) {
        const struct part *part = &spec->pyramid.parts[i];
        if (part->source == PART_MAP) {
            steps += part->channels;
            continue;
        }
        const size_t width = g->branches[part->branch].pooled_w;
        const bool folds =
            is_row_wise ? width < part->channels : folding_saves(spec, g, part->branch) > 0;
        ret_is_folded[part->branch] = folds;
        steps += !folds ? part->channels : is_row_wise ? width : geometry_points(g, part->branch);
    }
    return steps;
}

/* Row-wise, fewer steps remain of the branches, but rows may not fill their tiles, and each row
 * blends each branch. The time of that, and of storing a tile, is in steps. */
static void choose_tiles(struct plan *plan)
{
    enum { STORE_STEPS = 16, BLEND_STEPS = 1 };
    const struct spec *spec = plan->spec;
    const size_t width = plan->simd->gemm_columns;
    const struct tiles by_rows = tiles_by_rows(width, plan->g.h, plan->g.w);
    bool is_folded[BRANCHES_MAX] = {false};
    plan->tiles = tiles_of(width, plan->g.h, plan->g.w);
    if (!spec_bottleneck(spec))
        return;
    const size_t steps = count_steps(spec, &plan->g, false, plan->is_folded);
    const size_t row_steps = count_steps(spec, &plan->g, true, is_folded);
    const size_t of_row =
        by_rows.in_row * (row_steps + STORE_STEPS) + BLEND_STEPS * spec->pyramid.branch_count;
    if (!bottleneck_choice(plan)->takes_rows ||
        plan->g.h * of_row >= plan->tiles.count * (steps + STORE_STEPS))
        return;
    plan->tiles = by_rows;
    memcpy(plan->is_folded, is_folded, sizeof is_folded);
}

static void count_folded(struct plan *plan)
{
    for (size_t i = 0; i < plan->spec->pyramid.branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        const size_t points = geometry_points(&plan->g, i) * plan->bottleneck_taps;
        plan->grid_steps += points;
        plan->folded_steps += plan->tiles.in_row > 0 ? plan->g.branches[i].pooled_w : points;
    }
}

/* ---- the whole ---- */

void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry)
{
    *ret_plan = (struct plan){
        .model_id = model->id, .spec = &model->spec, .simd = model->simd, .g = *geometry};
    ret_plan->g.input.n = ret_plan->g.output.n = 1;
    ret_plan->map_us = costs_map_us(&model->spec, &ret_plan->g);
    ret_plan->pool_h = pool_axis_of(&model->spec, &ret_plan->g, AXIS_H);
    ret_plan->pool_w = pool_axis_of(&model->spec, &ret_plan->g, AXIS_W);
    choose_algorithms(ret_plan);
    choose_tiles(ret_plan);
    count_folded(ret_plan);
    ret_plan->takes_columns = ret_plan->folded_steps > 0 && ret_plan->tiles.in_row == 0 &&
                              bottleneck_choice(ret_plan)->takes_columns;
}

static void place_tables(struct plan *plan, struct room *room)
{
    pool_axis_place(&plan->pool_h, plan->spec, &plan->g, room);
    pool_axis_place(&plan->pool_w, plan->spec, &plan->g, room);
    for (size_t i = 0; i < plan->spec->pyramid.branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        plan->rows_from[i] = room_take(room, branch->target_h, sizeof *plan->rows_from[i]);
        plan->columns_from[i] = room_take(room, branch->target_w, sizeof *plan->columns_from[i]);
    }
    if (plan->g.needs_resize) {
        plan->output_low = room_take(room, plan->g.output.w, sizeof *plan->output_low);
        plan->output_weight = room_take(room, plan->g.output.w, sizeof *plan->output_weight);
    }
    bottleneck_choice(plan)->place_tables(plan, room);
}

static void fill_tables(struct plan *plan, const struct run *run)
{
    pool_axis_fill(&plan->pool_h, plan->spec, &plan->g, run);
    pool_axis_fill(&plan->pool_w, plan->spec, &plan->g, run);
    for (size_t i = 0; i < plan->spec->pyramid.branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        fill_sources(plan->spec->pyramid.upsample, branch->pooled_h, branch->target_h, run,
                     plan->rows_from[i]);
        fill_sources(plan->spec->pyramid.upsample, branch->pooled_w, branch->target_w, run,
                     plan->columns_from[i]);
    }
    if (plan->g.needs_resize)
        fill_output(plan, run);
    bottleneck_choice(plan)->fill_tables(plan, run);
}

size_t plan_bytes(const struct plan *plan)
{
    struct plan placed = *plan;
    struct room room = {0};
    room_take(&room, 1, sizeof(struct ppm_plan));
    place_tables(&placed, &room);
    return room.bytes;
}

struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error)
{
    struct plan plan;
    plan_begin(&plan, model, geometry);
    struct room room = {.base = core_allocate(plan_bytes(&plan), error)};
    if (!room.base)
        return NULL;
    struct ppm_plan *ret = room_take(&room, 1, sizeof *ret);
    *ret = (struct ppm_plan){.plan = plan};
    place_tables(&ret->plan, &room);
    fill_tables(&ret->plan, run);
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
