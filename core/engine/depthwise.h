/* depthwise.h - a pass of a depthwise conv. */
#ifndef PPM_CORE_ENGINE_DEPTHWISE_H
#define PPM_CORE_ENGINE_DEPTHWISE_H

#include "core/engine/pass.h"

/* Scratch that a thread needs. */
size_t depthwise_plan(const struct section_state *state, struct pass *pass);

/* Over all maps. Always true: nothing remains to do. */
bool depthwise_run(const struct section_state *state, const struct pass *pass);

#endif
