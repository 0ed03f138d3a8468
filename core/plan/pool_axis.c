/* pool_axis.c - the cells that pooling adds up, and which of them each bin covers, on an axis. */
#include "core/plan/plan.h"

#include <assert.h>
#include <string.h>

enum { MARKS_IN_WORD = 64 };

static void bin_pixels(const struct spec *spec, const struct branch_geometry *branch, bool is_row,
                       size_t extent, size_t k, size_t *ret_from, size_t *ret_to)
{
    if (spec->pool == POOL_ADAPTIVE)
        geometry_adaptive_bin(k, is_row ? branch->pooled_h : branch->pooled_w, extent, ret_from,
                              ret_to);
    else
        geometry_window(k, is_row ? branch->window_h : branch->window_w,
                        is_row ? branch->pad_top : branch->pad_left, extent, ret_from, ret_to);
}

static size_t bins_on_axis(const struct branch_geometry *branch, bool is_row)
{
    return is_row ? branch->pooled_h : branch->pooled_w;
}

/* Edges of an axis that there can be, the ends included. */
static size_t count_edges(const struct plan *plan, bool is_row, size_t extent)
{
    size_t inner = 0;
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        const size_t bins = bins_on_axis(&plan->g.branches[i], is_row);
        if (plan->spec->pool != POOL_ADAPTIVE)
            inner += bins;
        else
            inner += extent % bins == 0 ? bins - 1 : 2 * (bins - 1);
    }
    return inner + 2 < extent + 1 ? inner + 2 : extent + 1;
}

void plan_begin_axes(struct plan *plan)
{
    plan->rows.edges_max = count_edges(plan, true, plan->g.input.h);
    plan->columns.edges_max = count_edges(plan, false, plan->g.input.w);
}

static void place_axis(const struct plan *plan, bool is_row, size_t extent, struct pool_axis *axis,
                       struct room *room)
{
    axis->marks = room_take(room, extent / MARKS_IN_WORD + 1, sizeof *axis->marks);
    axis->edges = room_take(room, axis->edges_max, sizeof *axis->edges);
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        axis->bins[i] =
            room_take(room, bins_on_axis(&plan->g.branches[i], is_row), sizeof *axis->bins[i]);
}

void plan_place_axes(struct plan *plan, struct room *room)
{
    place_axis(plan, true, plan->g.input.h, &plan->rows, room);
    place_axis(plan, false, plan->g.input.w, &plan->columns, room);
}

static void mark(struct pool_axis *axis, size_t pixel)
{
    axis->marks[pixel / MARKS_IN_WORD] |= (uint64_t)1 << pixel % MARKS_IN_WORD;
}

/* The pixels of each bin, for now, and a mark at both ends. */
static void fill_bins(const struct plan *plan, bool is_row, size_t extent, const struct run *run,
                      struct pool_axis *axis)
{
    memset(axis->marks, 0, (extent / MARKS_IN_WORD + 1) * sizeof *axis->marks);
    for (size_t i = 0; i < plan->spec->branch_count; i++)
        for (size_t k = 0; k < bins_on_axis(&plan->g.branches[i], is_row) && !plan_stops(run, k);
             k++) {
            size_t from, to;
            bin_pixels(plan->spec, &plan->g.branches[i], is_row, extent, k, &from, &to);
            axis->bins[i][k] = (struct cell_range){(uint32_t)from, (uint32_t)to};
            mark(axis, from);
            mark(axis, to);
        }
}

static void fill_edges(size_t extent, struct pool_axis *axis)
{
    size_t count = 0;
    for (size_t word = 0; word <= extent / MARKS_IN_WORD; word++)
        for (uint64_t marks = axis->marks[word]; marks; marks &= marks - 1)
            axis->edges[count++] =
                (uint32_t)(word * MARKS_IN_WORD + (size_t)__builtin_ctzll(marks));
    assert(count > 1 && count <= axis->edges_max);
    axis->cell_count = count - 1;
}

/* From pixels to cells: both ends of bins ascend, as edges do. */
static void count_cells(const struct plan *plan, bool is_row, const struct run *run,
                        struct pool_axis *axis)
{
    for (size_t i = 0; i < plan->spec->branch_count; i++) {
        uint32_t from = 0, to = 0;
        for (size_t k = 0; k < bins_on_axis(&plan->g.branches[i], is_row) && !plan_stops(run, k);
             k++) {
            struct cell_range *bin = &axis->bins[i][k];
            while (axis->edges[from] < bin->from)
                from++;
            while (axis->edges[to] < bin->to)
                to++;
            *bin = (struct cell_range){from, to};
        }
    }
}

static void fill_axis(const struct plan *plan, bool is_row, size_t extent, const struct run *run,
                      struct pool_axis *axis)
{
    fill_bins(plan, is_row, extent, run, axis);
    if (run && run_is_cancelled(run))
        return;
    fill_edges(extent, axis);
    count_cells(plan, is_row, run, axis);
}

void plan_fill_axes(struct plan *plan, const struct run *run)
{
    fill_axis(plan, true, plan->g.input.h, run, &plan->rows);
    fill_axis(plan, false, plan->g.input.w, run, &plan->columns);
}
