/*
 * section_state.h - what the stages of a section share.
 *
 * Each thread has its own, which is equal to the others'. All stage_ functions are called by every
 * thread of one OpenMP team; they share the work among themselves and return together. "columns"
 * are the points of all grids of a batch: N * points.
 */
#ifndef PPM_CORE_ENGINE_SECTION_STATE_H
#define PPM_CORE_ENGINE_SECTION_STATE_H

#include "core/engine/micro_panels.h"
#include "core/engine/section.h"

struct section_state {
    const struct section_run *of;
    const struct run *run;
    const struct section_plan *plan;
    const struct pyramid_plan *pyramid; /* the plan's */
    const struct simd_ops *simd;        /* the plan's */
    const struct layer *conv;           /* that the section begins with; or NULL */
    size_t n;

    /* scratch, placed by section.c */
    struct micro_panels pooled[BRANCHES_MAX];  /* [C] channels, columns of branch i; or the run's */
    struct micro_panels results[BRANCHES_MAX]; /* of branch i's layers */
    float *buffers[BRANCHES_MAX][2];           /* of its stack, in turn */
    float *expanded[BRANCHES_MAX];             /* [n][Ci][ph][W]: upsampled along rows only; NULL
                                                  for a branch that is planned to be folded */
    float *folded;                             /* [n][panel][grid_steps][rows] */
    float *columns; /* of U, of all tiles, if plan_shares_columns: [tile][folded_steps]
                       [gemm_columns]; else NULL */
    float *cells;   /* [thread][cell_floats]: for pooling */
    float *blocks;  /* [thread][block_floats] */
    size_t cell_floats, block_floats;
    float *maps[2]; /* between passes: [n, widest, H, W] */
};

static inline bool state_is_finite(const struct section_state *state, size_t n)
{
    return atomic_load(&state->of->is_finite[n]);
}

/* Notes that map n is not finite. */
static inline void state_found_not_finite(const struct section_state *state, size_t n)
{
    atomic_store(&state->of->is_finite[n], false);
}

/* What the section's pyramid pools. */
static inline const struct map *section_pooled_map(const struct section_state *state)
{
    return &state->of->values[state->plan->section->pyramid_value];
}

/* Whether branch i is read folded for map n. */
static inline bool state_folds(const struct section_state *state, size_t n, size_t branch)
{
    return state->pyramid->is_folded[branch] && state_is_finite(state, n);
}

#endif
