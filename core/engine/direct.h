/* direct.h - a pass in the direct form: any layers, and a conv as a product for each tap. */
#ifndef PPM_CORE_ENGINE_DIRECT_H
#define PPM_CORE_ENGINE_DIRECT_H

#include "core/engine/gather.h"

/* Fills in block_tiles and panel_groups, and returns the scratch that a thread needs. */
size_t direct_plan(const struct section_state *state, struct pass *pass);

/* One block, for the index-th of the groups that share its panels. */
void direct_block(const struct block *block, size_t group, float *scratch);

/* Over all maps. Always true: nothing remains to do. */
bool direct_run(const struct section_state *state, const struct pass *pass);

/* Over the maps that are not finite. */
void direct_run_again(const struct section_state *state, const struct pass *pass);

#endif
