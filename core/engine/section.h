/*
 * section.h - a section of a network, run by a team of threads.
 *
 * The plan of a section is made for the sizes of the values that it reads. Its scratch holds the
 * means of a pyramid, folded columns, blocks, and what is kept between its passes; it is dead once
 * the section has run, so that all sections of a network share one place.
 */
#ifndef PPM_CORE_ENGINE_SECTION_H
#define PPM_CORE_ENGINE_SECTION_H

#include "core/base/cancel.h"
#include "core/base/team.h"
#include "core/plan/map.h"
#include "core/plan/section_plan.h"

/* What a section reads and writes; the same for all threads. */
struct section_run {
    const struct section_plan *plan;
    const struct run *run;
    size_t n;
    int threads;               /* of the team */
    struct team_share *shares; /* [threads] */
    const struct map *values;  /* that the section's parts, pyramid and residual name by index */
    struct map ret;
    /* [n]: no branch and no transform has produced NaN or Inf for this map, in this section or
     * before. Branches are folded and convs transformed for these maps only, so that no map's bits
     * depend on another's values. */
    atomic_bool *is_finite;
    const struct ppm_pooling *pooling; /* of what its pyramid pools, begun before; NULL: none */
    struct ppm_stage_times *times;     /* pool, branches and head are filled in; or NULL */
};

/* Bytes of scratch that it takes, saturating. Maps have sizes and layouts, but no data. */
size_t section_scratch_bytes(const struct section_run *of);

/* ret = the section. Called by every thread of the team; they share the work, and return together.
 * Results are the same for any number of threads. */
void section_run(const struct section_run *of, void *scratch);

#endif
