/*
 * section_plan.h - what follows from a section and the sizes of what it reads: tiles, the algorithm
 * for each of its convs, tables.
 */
#ifndef PPM_CORE_PLAN_SECTION_PLAN_H
#define PPM_CORE_PLAN_SECTION_PLAN_H

#include "core/model/algorithms.h"
#include "core/model/program.h"
#include "core/plan/pyramid_plan.h"
#include "core/plan/tiles.h"

struct map_size {
    size_t h, w;
};

/* Sizes that a section is planned for. */
struct section_sizes {
    struct map_size in, out;        /* of the concat, and of what the section makes */
    const struct map_size *values;  /* of the program's values; for stretched parts */
    const struct geometry *pyramid; /* NULL: it has none */
};

/* Where the rows and columns of a stretched part are taken from, for geometry_tap_at: [in.h],
 * [in.w]. */
struct stretch {
    struct map_size from;
    bool is_nearest; /* only the lower one counts */
    double *rows, *columns;
};

struct section_plan {
    const struct section *section;
    const struct simd_ops *simd; /* the model's */
    struct map_size in, out;
    const struct map_size *values; /* of the program; until its tables are filled in */
    struct tiles tiles;            /* of what it makes */
    enum algorithm by[LAYERS_MAX]; /* that computes each conv of the stack */
    struct pyramid_plan *pyramid;  /* NULL: it has none */
    struct stretch *stretches;     /* [parts]; NULL: no part is stretched */
};

/* Everything except the tables, which takes no memory; their places; their contents. pyramid is
 * room for the plan of the section's pyramid, which may move before its tables are placed; NULL if
 * it has none. is_exact: of the model. */
void section_plan_begin(struct section_plan *ret_plan, struct pyramid_plan *pyramid,
                        const struct section *section, const struct section_sizes *sizes,
                        const struct simd_ops *simd, bool is_exact);
void section_plan_place(struct section_plan *plan, struct room *room);
void section_plan_fill(struct section_plan *plan, const struct run *run);

/* The window of a conv over a map of that size: its padding is known. */
struct window section_window(const struct layer *conv, struct map_size in);

/* Whether the conv at the section's start reads branches on their grids. */
static inline bool section_folds(const struct section_plan *plan)
{
    return plan->pyramid && plan->pyramid->folded_steps > 0;
}

#endif
