/*
 * section.h - a section of a network, run by a team of threads.
 *
 * The plan of a section is made for the sizes of the values that it reads. Its scratch holds the
 * means of a pyramid, folded columns, blocks, and what is kept between its passes; it is dead once
 * the section has run, so that all sections of a network share one place.
 */
#ifndef PPM_CORE_ENGINE_SECTION_H
#define PPM_CORE_ENGINE_SECTION_H

#include "core/engine/run_state.h"

/* A map of each of n inputs, without gaps. */
struct map {
    float *data;
    enum ppm_layout layout;
};

/* What a section reads and writes. */
struct section_run {
    const struct plan *plan; /* of the section */
    const struct run *run;
    size_t n;
    int threads;            /* of the team */
    const struct map *maps; /* [nodes]: those that are values, and ret: that of the step */
    atomic_bool *is_finite; /* [n], all true: see struct run_state */
};

/* Bytes of scratch that it takes, saturating. maps have layouts, but no data. */
size_t section_scratch_bytes(const struct section_run *of);

/* maps[step's value] = the section. Called by every thread of the team; they share the work, and
 * return together. Results are the same for any number of threads. */
void section_run(const struct section_run *of, void *scratch);

#endif
