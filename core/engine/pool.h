/* pool.h - the means of all bins of all branches, in one read of x. */
#ifndef PPM_CORE_ENGINE_POOL_H
#define PPM_CORE_ENGINE_POOL_H

#include "core/engine/section_state.h"

/* pooled[i] = mean of what is pooled over each bin of branch i, for the planes that are not yet */
void stage_pool(const struct section_state *state);

/* Scratch that a thread needs for stage_pool, and for pool_plane alone. */
size_t pool_scratch_floats(const struct pyramid_plan *plan, enum ppm_layout layout);
size_t pool_plane_floats(const struct pyramid_plan *plan);

/* Columns of branch i for n maps, rounded up to whole micro-panels. */
size_t pool_columns(const struct pyramid_plan *plan, size_t n, size_t branch);

/* The same as stage_pool for one plane of x [N, C, H, W], plane = n * C + c. run may be NULL. */
void pool_plane(const struct run *run, size_t *done, const struct pyramid_plan *plan,
                const float *x, size_t plane, float *scratch, const struct micro_panels *pooled);

#endif
