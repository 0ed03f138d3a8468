/* winograd.h - a pass that begins with a 3x3 conv, by Winograd's F(4x4, 3x3). */
#ifndef PPM_CORE_ENGINE_WINOGRAD_H
#define PPM_CORE_ENGINE_WINOGRAD_H

#include "core/engine/pass.h"

/* Fills in what direct_plan does, for maps that are not finite, and returns the scratch that a
 * thread needs. */
size_t winograd_plan(const struct section_state *state, struct pass *pass);

/* Whether a pass can take layers after the conv, other than a clamp: not if threads share the
 * channels of a pixel, nor if the conv is dilated. */
bool winograd_takes_layers(const struct section_state *state, const struct pass *pass);

/* Over the maps that are finite. False: not all are, now. */
bool winograd_run(const struct section_state *state, const struct pass *pass);

#endif
