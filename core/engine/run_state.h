/*
 * run_state.h - what the stages of a run share.
 *
 * All stage_ functions are called by every thread of one OpenMP team; they share the work among
 * themselves and return together. "columns" are the points of all grids of a batch: N * points.
 */
#ifndef PPM_CORE_ENGINE_RUN_STATE_H
#define PPM_CORE_ENGINE_RUN_STATE_H

#include "core/engine/micro_panels.h"
#include "core/plan/plan.h"

struct run_state {
    const struct plan *plan;
    const struct spec *spec;
    const struct run *run;
    const float *x; /* in x_layout */
    enum ppm_layout x_layout;
    size_t n;
    int threads;
    size_t planes_pooled;   /* before the run: the first ones of x */
    atomic_bool are_finite; /* all maps, as is_finite says of each */

    /* [n] maps: no branch and no transform has produced NaN or Inf. Branches are folded and convs
     * transformed for these maps only, so that no map's bits depend on another's values. */
    atomic_bool *is_finite;

    /* scratch, placed by engine.c */
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
    float *values;  /* before the output stage: [n, Ch, H, W] */
};

/* Whether the head takes branch i of map n folded. */
static inline bool state_folds(const struct run_state *state, size_t n, size_t branch)
{
    return state->plan->is_folded[branch] && atomic_load(&state->is_finite[n]);
}

/* Notes that map n is not finite. */
static inline void state_found_not_finite(struct run_state *state, size_t n)
{
    atomic_store(&state->is_finite[n], false);
    atomic_store(&state->are_finite, false);
}

#endif
