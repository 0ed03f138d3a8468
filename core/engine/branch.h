/* branch.h - the branches' layers on their grids. */
#ifndef PPM_CORE_ENGINE_BRANCH_H
#define PPM_CORE_ENGINE_BRANCH_H

#include "core/engine/section_state.h"

/* results[i] = branch i's layers over pooled[i] */
void stage_branches(struct section_state *state);

#endif
