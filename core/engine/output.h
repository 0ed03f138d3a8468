/* output.h - the output stage. */
#ifndef PPM_CORE_ENGINE_OUTPUT_H
#define PPM_CORE_ENGINE_OUTPUT_H

#include "core/engine/run_state.h"

/* y = state->values [N, channels, H, W] resized, soft-maxed or arg-maxed. */
void stage_output(struct run_state *state, size_t channels, const struct ppm_tensor *y);

/* Scratch that a thread needs for that. */
size_t output_scratch_floats(const struct plan *plan, size_t channels);

#endif
