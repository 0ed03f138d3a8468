/* grouped.h - a pass of a conv in groups. */
#ifndef PPM_CORE_ENGINE_GROUPED_H
#define PPM_CORE_ENGINE_GROUPED_H

#include "core/engine/pass.h"

/* Fills in block_tiles, and returns the scratch that a thread needs. */
size_t grouped_plan(const struct section_state *state, struct pass *pass);

/* Over all maps. Always true: nothing remains to do. */
bool grouped_run(const struct section_state *state, const struct pass *pass);

#endif
