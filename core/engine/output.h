/* output.h - the output stage. */
#ifndef PPM_CORE_ENGINE_OUTPUT_H
#define PPM_CORE_ENGINE_OUTPUT_H

#include "core/base/team.h"
#include "core/plan/map.h"
#include "core/plan/plan.h"

/* What the output stage reads and writes; the same for all threads. */
struct output_run {
    const struct plan *plan;
    const struct run *run;
    size_t n;
    const struct map *values; /* NCHW */
    const struct ppm_tensor *y;
    struct team_share *shares;
    float *blocks; /* scratch: [thread][output_block_floats] */
};

/* y = what the output stage makes of values. Called by every thread of one OpenMP team. */
void stage_output(const struct output_run *of);

/* Scratch that a thread needs for that. */
size_t output_block_floats(const struct plan *plan, size_t channels);

#endif
