/*
 * engine.h - the fast engine: runs a plan.
 *
 * Levels of work, from the largest: a run computes y from its inputs, step after step, each by
 * every thread of one OpenMP team; a step is a section, or another layer (engine/steps/) whose
 * units are each on one thread; the stages of a section pool, run the branches of a pyramid, and
 * its layers in passes, each of which reads a map and writes one; a pass is computed block by
 * block, each on one thread; a block is several tiles, each as wide as the register tile.
 *
 * Of K, the channels (times taps) that a convolution sums over: a part comes from one source, a
 * piece is some channels of a part through one tap, a chunk is what is packed at a time.
 */
#ifndef PPM_CORE_ENGINE_ENGINE_H
#define PPM_CORE_ENGINE_ENGINE_H

#include "core/plan/plan.h"

/* The scratch that a run of n maps takes on one thread or on `threads`, saturating. */
size_t engine_scratch_bytes(struct ppm_plan *plan, size_t n, enum ppm_layout layout, int threads);

/* Computes the same as reference_run in the folded form, the model's inputs and y in one layout; y
 * has data. */
enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *inputs,
                           struct ppm_tensor *y, const struct run *run,
                           struct ppm_stage_times *times, struct ppm_error *error);

#endif
