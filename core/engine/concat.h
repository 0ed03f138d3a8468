/* concat.h - the answer of a model without a head. */
#ifndef PPM_CORE_ENGINE_CONCAT_H
#define PPM_CORE_ENGINE_CONCAT_H

#include "core/engine/run_state.h"

/* Each part of the concat straight into its place of ret [N, Cc, H, W]; x is NCHW. */
void stage_concat(struct run_state *state, float *ret);

#endif
