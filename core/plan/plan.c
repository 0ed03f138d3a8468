/* plan.c - see plan.h. */
#include "core/plan/plan.h"
#include "core/shape/costs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

size_t plan_kernel(const struct plan *plan)
{
    return plan->spec->head.count > 0 ? plan->spec->head.layers[0].kernel : 1;
}

size_t plan_points(const struct geometry *g, size_t branch)
{
    return g->branches[branch].pooled_h * g->branches[branch].pooled_w;
}

struct plan_pixels plan_tile(const struct plan *plan, size_t tile)
{
    const size_t width = plan->simd->gemm_columns, w = plan->g.w;
    const size_t row = plan->is_row_wise ? tile / plan->row_tiles : 0;
    const size_t first = row * w + (tile - row * plan->row_tiles) * width;
    const size_t left = (plan->is_row_wise ? (row + 1) * w : plan->pixels) - first;
    return (struct plan_pixels){first, left < width ? left : width};
}

size_t plan_branch_of_part(const struct spec *spec, size_t part)
{
    return spec->parts[part].source == PART_BRANCH ? spec->parts[part].branch : BRANCHES_MAX;
}

bool plan_folds(const struct spec *spec, const struct geometry *g, size_t branch)
{
    const struct layer *bottleneck = spec->head.count ? &spec->head.layers[0] : NULL;
    const size_t channels = spec->branches[branch].stack.out_channels;
    const size_t points = plan_points(g, branch), pixels = g->h * g->w;
    if (!bottleneck || bottleneck->kind != LAYER_CONV)
        return false;
    /* points more steps for each pixel, and the branch times its weights, for channels steps */
    return points * pixels + channels * points < channels * pixels;
}

/* ---- tables ---- */

static void fill_sources(enum resize mode, size_t in, size_t out, const struct run *run,
                         double *ret)
{
    for (size_t i = 0; i < out && !plan_stops(run, i); i++)
        ret[i] = geometry_source(mode, i, in, out);
}

static void fill_output(struct plan *plan, const struct run *run)
{
    const size_t in = plan->g.w, out = plan->g.output.w;
    assert(plan->output_low && plan->output_weight);
    for (size_t i = 0; i < out && !plan_stops(run, i); i++) {
        const struct resize_tap tap = geometry_tap(plan->spec->output.resize, i, in, out);
        plan->output_low[i] = (uint32_t)tap.low;
        plan->output_weight[i] = (float)tap.weight;
    }
}

/* Steps of the bottleneck for each pixel, row-wise or not, and which branches are folded. */
static size_t count_steps(const struct spec *spec, const struct geometry *g, bool is_row_wise,
                          bool ret_is_folded[BRANCHES_MAX])
{
    size_t steps = spec_concats_input(spec) ? spec->channels : 0;
    for (size_t i = 0; i < spec->branch_count; i++) {
        const size_t channels = spec->branches[i].stack.out_channels;
        const size_t width = g->branches[i].pooled_w;
        ret_is_folded[i] = is_row_wise ? width < channels : plan_folds(spec, g, i);
        steps += !ret_is_folded[i] ? channels : is_row_wise ? width : plan_points(g, i);
    }
    return steps;
}

/* Row-wise fewer steps are left of the branches, but rows may not fill their tiles, and each row
 * blends each branch. The time of that, and of storing a tile, is given in steps. */
static void choose_tiles(struct plan *plan)
{
    enum { STORE_STEPS = 16, BLEND_STEPS = 1 };
    const struct spec *spec = plan->spec;
    const size_t width = plan->simd->gemm_columns;
    const size_t in_row = (plan->g.w + width - 1) / width;
    bool is_folded[BRANCHES_MAX];
    plan->tile_count = (plan->pixels + width - 1) / width;
    if (spec->head.count == 0 || spec->head.layers[0].kind != LAYER_CONV)
        return;
    plan->is_winograd = winograd_pays(spec, &spec->head.layers[0], plan->g.h, plan->g.w);
    const size_t steps = count_steps(spec, &plan->g, false, plan->is_folded);
    const size_t row_steps = count_steps(spec, &plan->g, true, is_folded);
    const size_t of_row = in_row * (row_steps + STORE_STEPS) + BLEND_STEPS * spec->branch_count;
    plan->is_row_wise = spec->head.layers[0].kernel == 1 &&
                        plan->g.h * of_row < plan->tile_count * (steps + STORE_STEPS);
    if (!plan->is_row_wise)
        return;
    plan->row_tiles = in_row;
    plan->tile_count = plan->g.h * in_row;
    memcpy(plan->is_folded, is_folded, sizeof is_folded);
}

static void count_folded(struct plan *plan)
{
    const size_t taps = plan_kernel(plan) * plan_kernel(plan);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        if (!plan->is_folded[i])
            continue;
        const size_t points = plan_points(&plan->g, i) * taps;
        plan->grid_steps += points;
        plan->folded_steps += plan->is_row_wise ? plan->g.branches[i].pooled_w : points;
    }
}

/* ---- the whole ---- */

void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry)
{
    *ret_plan = (struct plan){.model_id = model->id,
                              .spec = &model->spec,
                              .simd = model->simd,
                              .g = *geometry,
                              .pixels = geometry->h * geometry->w};
    ret_plan->g.input.n = ret_plan->g.output.n = 1;
    ret_plan->map_us = costs_map_us(&model->spec, &ret_plan->g);
    plan_begin_axes(ret_plan);
    choose_tiles(ret_plan);
    count_folded(ret_plan);
}

static void place_tables(struct plan *plan, struct room *room)
{
    plan_place_axes(plan, room);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        plan->rows_from[i] = room_take(room, branch->target_h, sizeof *plan->rows_from[i]);
        plan->columns_from[i] = room_take(room, branch->target_w, sizeof *plan->columns_from[i]);
    }
    if (plan->g.needs_resize) {
        plan->output_low = room_take(room, plan->g.output.w, sizeof *plan->output_low);
        plan->output_weight = room_take(room, plan->g.output.w, sizeof *plan->output_weight);
    }
    winograd_place_seen(plan, room);
    if (plan->is_row_wise)
        plan->along_columns = room_take(room, size_times(plan->row_tiles, plan->folded_steps),
                                        plan->simd->gemm_columns * sizeof *plan->along_columns);
}

static void fill_tables(struct plan *plan, const struct run *run)
{
    plan_fill_axes(plan, run);
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const struct branch_geometry *branch = &plan->g.branches[i];
        fill_sources(plan->spec->upsample, branch->pooled_h, branch->target_h, run,
                     plan->rows_from[i]);
        fill_sources(plan->spec->upsample, branch->pooled_w, branch->target_w, run,
                     plan->columns_from[i]);
    }
    if (plan->g.needs_resize)
        fill_output(plan, run);
    winograd_fill_seen(plan, run);
    if (plan->is_row_wise && !run_is_cancelled(run))
        plan_fill_along_columns(plan, run);
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
                   struct ppm_shape shape)
{
    return plan->plan.model_id == model->id && plan->plan.g.input.h == shape.h &&
           plan->plan.g.input.w == shape.w;
}

void ppm_plan_free(struct ppm_plan *plan)
{
    free(plan);
}
