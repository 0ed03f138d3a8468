/*
 * pool_axis.h - the cells that pooling adds up, and which of them each bin covers, along one axis.
 *
 * Cells are the rectangles between the edges of all bins of all branches: each pixel is added to
 * one cell, and each bin is a sum of cells.
 */
#ifndef PPM_CORE_PLAN_POOL_AXIS_H
#define PPM_CORE_PLAN_POOL_AXIS_H

#include "core/base/cancel.h"
#include "core/base/memory.h"
#include "core/shape/geometry.h"

struct cell_range {
    uint32_t from, to; /* cells [from, to) of an axis */
};

struct pool_axis {
    enum axis axis;
    size_t extent; /* of the input */
    size_t edges_max;
    uint64_t *marks; /* a bit for each pixel that is an edge */
    uint32_t *edges; /* ascending; cell i is [edges[i], edges[i + 1]) */
    size_t cell_count;
    struct cell_range *bins[BRANCHES_MAX]; /* of each branch: [its pooled size] */
};

/* The axis without its tables; then their places; then their contents. run may be NULL. */
struct pool_axis pool_axis_of(const struct pyramid *pyramid, const struct geometry *g,
                              enum axis axis);
void pool_axis_place(struct pool_axis *axis, const struct pyramid *pyramid,
                     const struct geometry *g, struct room *room);
void pool_axis_fill(struct pool_axis *axis, const struct pyramid *pyramid, const struct geometry *g,
                    const struct run *run);

#endif
