/*
 * engine.h - the fast engine: runs a plan.
 *
 * Levels of work, from the largest: a run computes y from x; its stages pool, run the branches,
 * run the head and compute the output, each by every thread of one OpenMP team; the head is split
 * into passes, each of which reads a map and writes one; a pass is computed block by block, each on
 * one thread; a block is several tiles, each as wide as the register tile.
 *
 * Of K, the channels (times taps) that a convolution sums over: a part comes from one source, a
 * piece is some channels of a part through one tap, a chunk is what is packed at a time.
 */
#ifndef PPM_CORE_ENGINE_ENGINE_H
#define PPM_CORE_ENGINE_ENGINE_H

#include "core/plan/plan.h"

/* The scratch that a run of n maps takes on one thread or on `threads`, saturating. */
size_t engine_scratch_bytes(const struct plan *plan, size_t n, enum ppm_layout layout, int threads);

/* Computes the same as reference_run in the folded form, x and y in their layouts; y has data. */
enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *x, struct ppm_tensor *y,
                           const struct run *run, struct ppm_stage_times *times,
                           struct ppm_error *error);

#endif
