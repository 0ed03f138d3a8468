/* winograd.h - a pass that begins with a 3x3 conv, by Winograd's F(4x4, 3x3). */
#ifndef PPM_CORE_ENGINE_WINOGRAD_H
#define PPM_CORE_ENGINE_WINOGRAD_H

#include "core/engine/pass.h"

/* Scratch that a thread needs. */
size_t winograd_block_floats(const struct section_state *state, const struct pass *pass);

/* Whether a pass can take layers after the conv, other than a clamp: not if threads share the
 * channels of a pixel, nor if the conv is dilated. */
bool winograd_takes_layers(const struct section_state *state, const struct pass *pass);

/* Over the maps that are finite. False: not all are, now. */
bool winograd_run(const struct section_state *state, const struct pass *pass);

#endif
