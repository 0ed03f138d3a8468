/* passes.h - a section's layers as passes, each by the algorithm for its conv. */
#ifndef PPM_CORE_ENGINE_PASSES_H
#define PPM_CORE_ENGINE_PASSES_H

#include "core/engine/pass.h"
#include "core/model/program.h"

enum { PASSES_MAX = LAYERS_MAX + 2 };

struct passes {
    struct pass list[PASSES_MAX];
    size_t count;                      /* at least 1 */
    struct source sources[PARTS_MAX];  /* of the first */
    struct source between[PASSES_MAX]; /* of each of the others */
    size_t block_floats;               /* scratch that a thread needs */
    size_t widest;                     /* channels of the maps between passes */
};

/* Without the maps between passes, which the state does not have yet. ret_passes holds pointers to
 * itself. */
void passes_plan(const struct section_state *state, struct passes *ret_passes);

/* The section's result = all passes; without layers, the concat. */
void stage_passes(const struct section_state *state, struct passes *passes);

#endif
