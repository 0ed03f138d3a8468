/* section_plan.c - see section_plan.h. */
#include "core/plan/section_plan.h"
#include "core/plan/choice.h"
#include "core/shape/folding.h"
#include "core/shape/resize_axis.h"
#include "core/shape/window_axis.h"

#include <string.h>

struct window section_window(const struct layer *conv, struct map_size in)
{
    struct window window = conv->window;
    const struct window_axis down = window_axis_of(&window, AXIS_H, in.h);
    const struct window_axis along = window_axis_of(&window, AXIS_W, in.w);
    window.before[AXIS_H] = down.before;
    window.before[AXIS_W] = along.before;
    window.after[AXIS_H] = down.after;
    window.after[AXIS_W] = along.after;
    window.is_same = false;
    return window;
}

/* ---- choices ---- */

static void choose_algorithms(struct section_plan *plan, bool is_exact)
{
    for (size_t i = 0; i < plan->section->layer_count; i++)
        if (plan->section->layers[i]->kind == LAYER_CONV)
            plan->by[i] = choose_algorithm(is_exact, plan->section->layers[i], plan->out);
}

/* What the algorithm of the section's first conv needs. */
static const struct choice *first_choice(const struct section_plan *plan)
{
    return choice_of(plan->by[0]);
}

/* Steps of the first conv for each pixel, row-wise or not, and which branches are folded. */
static size_t count_steps(const struct section_plan *plan, bool is_row_wise,
                          bool ret_is_folded[BRANCHES_MAX])
{
    const struct geometry *g = &plan->pyramid->g;
    size_t steps = 0;
    for (size_t i = 0; i < plan->section->part_count; i++) {
        const struct part *part = &plan->section->parts[i];
        if (part->source != PART_BRANCH) {
            steps += part->channels;
            continue;
        }
        const size_t width = g->branches[part->branch].pooled_w;
        const bool folds = is_row_wise ? width < part->channels
                                       : folding_saves(plan->section->pyramid, g, part->branch) > 0;
        ret_is_folded[part->branch] = folds;
        steps += !folds ? part->channels : is_row_wise ? width : geometry_points(g, part->branch);
    }
    return steps;
}

/* Row-wise, fewer steps remain of the branches, but rows may not fill their tiles, and each row
 * blends each branch. The time of that, and of storing a tile, is in steps. */
static void choose_folding(struct section_plan *plan)
{
    enum { STORE_STEPS = 16, BLEND_STEPS = 1 };
    const struct tiles by_rows = tiles_by_rows(plan->tiles.width, plan->out.h, plan->out.w);
    bool is_folded[BRANCHES_MAX] = {false};
    const size_t steps = count_steps(plan, false, plan->pyramid->is_folded);
    const size_t row_steps = count_steps(plan, true, is_folded);
    const size_t of_row = by_rows.in_row * (row_steps + STORE_STEPS) +
                          BLEND_STEPS * plan->section->pyramid->branch_count;
    if (!first_choice(plan)->takes_rows ||
        plan->out.h * of_row >= plan->tiles.count * (steps + STORE_STEPS))
        return;
    plan->tiles = by_rows;
    memcpy(plan->pyramid->is_folded, is_folded, sizeof is_folded);
}

/* Whether the section begins with a conv that can read branches on their grids: 1x1, or 3x3 with a
 * border of one pixel, at every pixel. */
static bool can_fold(const struct section_plan *plan)
{
    const struct layer *conv = section_conv(plan->section);
    if (!conv || conv->groups > 1)
        return false;
    const struct window window = section_window(conv, plan->in);
    bool can = window.size[AXIS_H] == window.size[AXIS_W] &&
               (window.size[AXIS_H] == 1 || window.size[AXIS_H] == 3);
    for (size_t axis = 0; axis < WINDOW_AXES; axis++) {
        const size_t border = window.size[axis] / 2;
        can = can && window.stride[axis] == 1 && window.before[axis] == border &&
              window.after[axis] == border && (border == 0 || window.dilation[axis] == 1);
    }
    return can;
}

static void count_folded(struct section_plan *plan)
{
    struct pyramid_plan *pyramid = plan->pyramid;
    const size_t taps = conv_taps(section_conv(plan->section));
    for (size_t i = 0; i < plan->section->pyramid->branch_count; i++) {
        if (!pyramid->is_folded[i])
            continue;
        const size_t points = geometry_points(&pyramid->g, i) * taps;
        pyramid->grid_steps += points;
        pyramid->folded_steps += plan->tiles.in_row > 0 ? pyramid->g.branches[i].pooled_w : points;
    }
    pyramid->takes_columns =
        pyramid->folded_steps > 0 && plan->tiles.in_row == 0 && first_choice(plan)->takes_columns;
}

/* ---- the whole ---- */

void section_plan_begin(struct section_plan *ret_plan, struct pyramid_plan *pyramid,
                        const struct section *section, const struct section_sizes *sizes,
                        const struct simd_ops *simd, bool is_exact)
{
    *ret_plan =
        (struct section_plan){.section = section,
                              .simd = simd,
                              .in = sizes->in,
                              .out = sizes->out,
                              .values = sizes->values,
                              .tiles = tiles_of(simd->gemm_columns, sizes->out.h, sizes->out.w),
                              .pyramid = section->pyramid ? pyramid : NULL};
    choose_algorithms(ret_plan, is_exact);
    if (!section->pyramid)
        return;
    pyramid_plan_begin(pyramid, section->pyramid, simd, sizes->pyramid);
    if (!can_fold(ret_plan))
        return;
    choose_folding(ret_plan);
    count_folded(ret_plan);
}

static bool is_stretched(const struct part *part)
{
    return part->source == PART_STRETCHED;
}

static void place_stretches(struct section_plan *plan, struct room *room)
{
    const struct section *section = plan->section;
    size_t stretched = 0;
    for (size_t i = 0; i < section->part_count; i++)
        stretched += is_stretched(&section->parts[i]) ? 1 : 0;
    if (stretched == 0)
        return;
    plan->stretches = room_take(room, section->part_count, sizeof *plan->stretches);
    for (size_t i = 0; i < section->part_count; i++) {
        struct stretch stretch = {0};
        if (is_stretched(&section->parts[i])) {
            stretch.from = plan->values[section->parts[i].value];
            stretch.is_nearest = section->parts[i].stretch->mode == RESIZE_NEAREST;
            stretch.rows = room_take(room, plan->in.h, sizeof *stretch.rows);
            stretch.columns = room_take(room, plan->in.w, sizeof *stretch.columns);
        }
        if (plan->stretches)
            plan->stretches[i] = stretch;
    }
}

static void fill_axis(const struct resize_axis *axis, const struct run *run, double *ret)
{
    size_t done = 0;
    for (size_t i = 0; i < axis->out && run_goes_on(run, &done, 1); i++)
        ret[i] = resize_axis_source(axis, i);
}

static void fill_stretches(struct section_plan *plan, const struct run *run)
{
    for (size_t i = 0; plan->stretches && i < plan->section->part_count; i++) {
        const struct part *part = &plan->section->parts[i];
        const struct stretch *stretch = &plan->stretches[i];
        if (!is_stretched(part))
            continue;
        const struct resize_axis down = resize_axis_of(part->stretch, stretch->from.h, plan->in.h);
        const struct resize_axis right = resize_axis_of(part->stretch, stretch->from.w, plan->in.w);
        fill_axis(&down, run, stretch->rows);
        fill_axis(&right, run, stretch->columns);
    }
}

void section_plan_place(struct section_plan *plan, struct room *room)
{
    place_stretches(plan, room);
    if (!plan->pyramid)
        return;
    pyramid_plan_place(plan->pyramid, room);
    first_choice(plan)->place_tables(plan, room);
}

void section_plan_fill(struct section_plan *plan, const struct run *run)
{
    fill_stretches(plan, run);
    if (!plan->pyramid)
        return;
    pyramid_plan_fill(plan->pyramid, run);
    first_choice(plan)->fill_tables(plan, run);
}
