/*
 * step_run.h - a step of a network that is no section: the layer of one node, and perhaps an
 * activation. All of its maps are NCHW.
 *
 * Its work is divided into units, each on one thread. Results are the same for any number of
 * threads, since no sum goes beyond a unit.
 */
#ifndef PPM_CORE_ENGINE_STEPS_STEP_RUN_H
#define PPM_CORE_ENGINE_STEPS_STEP_RUN_H

#include "core/base/cancel.h"
#include "core/model/layers.h"
#include "core/plan/map.h"
#include "core/plan/step_plan.h"

struct step_run {
    const struct run *run;
    const struct simd_ops *simd;
    const struct step_plan *plan;
    const struct layer *layer;
    const struct layer *after; /* an activation that is applied to the result; or NULL */
    const struct map *values;  /* of which the layer reads: */
    const size_t *reads;
    size_t read_count;
    struct map ret; /* may be in place of what is read first, where plan/places.c allows it */
    size_t n;
};

static inline const struct map *step_read(const struct step_run *step, size_t k)
{
    return &step->values[step->reads[k]];
}

/* Rows [first, first + count) of a plane of ret, or of all planes of a map. */
struct unit {
    size_t n, channel;
    size_t first, count;
};

/* How a kind of layer is computed. */
struct step_row {
    /* A unit is some rows of a plane; some rows of all planes of a map, for layers over the
     * channels of a pixel; a whole plane; or the planes of a group of channels. */
    enum { BY_ROWS, BY_PIXELS, BY_PLANES, BY_GROUPS } units;
    /* Computes one. *done is run_goes_on's. scratch has step_scratch_floats. */
    void (*run)(const struct step_run *step, const struct unit *unit, size_t *done, float *scratch);
};

/* The units of a step, and one of them. */
size_t step_unit_count(const struct step_run *step);
void step_run_unit(const struct step_run *step, size_t index, size_t *done, float *scratch);

/* Scratch of a thread: a row of what is read first, with its padding, or some without. */
enum { STEP_SCRATCH_ROWS = 8 };
size_t step_scratch_floats(const struct step_run *step);

/* The values that a step computes or reads: whether it is worth a team. */
size_t step_values(const struct step_run *step);

/* Applies the activation after the layer, in place. */
static inline void step_activate(const struct step_run *step, float *values, size_t count)
{
    if (step->after)
        step->simd->activate[step->after->activation](values, values, count, step->after->slope);
}

#endif
