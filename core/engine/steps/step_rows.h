/* step_rows.h - a row for each kind of layer that can be a step of its own. */
#ifndef PPM_CORE_ENGINE_STEPS_STEP_ROWS_H
#define PPM_CORE_ENGINE_STEPS_STEP_ROWS_H

#include "core/engine/steps/step_run.h"

/* Of the layers of stacks, those that are not computed by sections alone. */
#define LONE_LAYERS(X)                                                                             \
    X(BATCH_NORM, batch_norm)                                                                      \
    X(PRELU, prelu)                                                                                \
    X(SOFTMAX, softmax)                                                                            \
    X(ACTIVATION, activation)

/* X(CONSTANT, name): name_step, in core/engine/steps/name.c or in that of its family. */
#define STEP_LAYERS(X) MAP_LAYERS(X) JOIN_LAYERS(X) LONE_LAYERS(X)

#define DECLARE_STEP(constant, name) extern const struct step_row name##_step;
STEP_LAYERS(DECLARE_STEP)
#undef DECLARE_STEP

#endif
