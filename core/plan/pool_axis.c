/* pool_axis.c - see pool_axis.h. */
#include "core/plan/pool_axis.h"

#include <assert.h>
#include <string.h>

enum { MARKS_IN_WORD = 64 };

static size_t bins_on(enum axis axis, const struct branch_geometry *branch)
{
    return axis == AXIS_H ? branch->pooled_h : branch->pooled_w;
}

/* An upper bound of the edges of an axis, both ends included. */
static size_t count_edges(const struct pyramid *pyramid, const struct geometry *g, enum axis axis,
                          size_t extent)
{
    size_t inner = 0;
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const size_t bins = bins_on(axis, &g->branches[i]);
        if (pyramid->pool != POOL_ADAPTIVE)
            inner += bins;
        else
            inner += extent % bins == 0 ? bins - 1 : 2 * (bins - 1);
    }
    return size_min(inner + 2, extent + 1);
}

struct pool_axis pool_axis_of(const struct pyramid *pyramid, const struct geometry *g,
                              enum axis axis)
{
    const size_t extent = axis == AXIS_H ? g->input.h : g->input.w;
    return (struct pool_axis){
        .axis = axis, .extent = extent, .edges_max = count_edges(pyramid, g, axis, extent)};
}

void pool_axis_place(struct pool_axis *axis, const struct pyramid *pyramid,
                     const struct geometry *g, struct room *room)
{
    axis->marks = room_take(room, axis->extent / MARKS_IN_WORD + 1, sizeof *axis->marks);
    axis->edges = room_take(room, axis->edges_max, sizeof *axis->edges);
    for (size_t i = 0; i < pyramid->branch_count; i++)
        axis->bins[i] =
            room_take(room, bins_on(axis->axis, &g->branches[i]), sizeof *axis->bins[i]);
}

static void mark(struct pool_axis *axis, size_t pixel)
{
    axis->marks[pixel / MARKS_IN_WORD] |= (uint64_t)1 << pixel % MARKS_IN_WORD;
}

/* The pixels of each bin, for now, and a mark at both ends. */
static void fill_bins(struct pool_axis *axis, const struct pyramid *pyramid,
                      const struct geometry *g, size_t *done, const struct run *run)
{
    memset(axis->marks, 0, (axis->extent / MARKS_IN_WORD + 1) * sizeof *axis->marks);
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const size_t bins = bins_on(axis->axis, &g->branches[i]);
        for (size_t k = 0; k < bins && run_goes_on(run, done, 1); k++) {
            size_t from, to;
            geometry_bin(pyramid->pool, &g->branches[i], axis->axis, axis->extent, k, &from, &to);
            axis->bins[i][k] = (struct cell_range){(uint32_t)from, (uint32_t)to};
            mark(axis, from);
            mark(axis, to);
        }
    }
}

static void fill_edges(struct pool_axis *axis)
{
    size_t count = 0;
    for (size_t word = 0; word <= axis->extent / MARKS_IN_WORD; word++)
        for (uint64_t marks = axis->marks[word]; marks; marks &= marks - 1)
            axis->edges[count++] =
                (uint32_t)(word * MARKS_IN_WORD + (size_t)__builtin_ctzll(marks));
    assert(count > 1 && count <= axis->edges_max);
    axis->cell_count = count - 1;
}

/* From pixels to cells: both ends of bins ascend, as edges do. */
static void count_cells(struct pool_axis *axis, const struct pyramid *pyramid,
                        const struct geometry *g, size_t *done, const struct run *run)
{
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        const size_t bins = bins_on(axis->axis, &g->branches[i]);
        uint32_t from = 0, to = 0;
        for (size_t k = 0; k < bins && run_goes_on(run, done, 1); k++) {
            struct cell_range *bin = &axis->bins[i][k];
            while (axis->edges[from] < bin->from)
                from++;
            while (axis->edges[to] < bin->to)
                to++;
            *bin = (struct cell_range){from, to};
        }
    }
}

void pool_axis_fill(struct pool_axis *axis, const struct pyramid *pyramid, const struct geometry *g,
                    const struct run *run)
{
    size_t done = 0;
    fill_bins(axis, pyramid, g, &done, run);
    if (run && run_is_cancelled(run))
        return;
    fill_edges(axis);
    count_cells(axis, pyramid, g, &done, run);
}
