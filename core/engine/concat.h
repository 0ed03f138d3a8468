/* concat.h - a section without layers. */
#ifndef PPM_CORE_ENGINE_CONCAT_H
#define PPM_CORE_ENGINE_CONCAT_H

#include "core/engine/pass.h"

/* Each part of the concat straight into its place of the section's result; all maps are NCHW. */
void stage_concat(const struct section_state *state, const struct source *sources);

/* Whether they are. */
bool concat_fits(const struct section_state *state, const struct source *sources);

#endif
