/* join.h - what sums and products of maps share. */
#ifndef PPM_CORE_ENGINE_STEPS_JOIN_H
#define PPM_CORE_ENGINE_STEPS_JOIN_H

#include "core/engine/steps/step_run.h"

/* ret[i] = ret[i] op x[i], and ret[i] op value. */
struct join {
    void (*rows)(const struct step_run *step, const float *x, size_t count, float *ret);
    void (*value)(const struct step_run *step, float value, size_t count, float *ret);
};

/* ret = x_0 op x_1 op ... for the rows of a unit; an x of one channel, or of 1 x 1 pixels, stands
 * for all. ret may be x_0. Then the activation. */
void join_run(const struct step_run *step, const struct unit *unit, size_t *done,
              const struct join *join);

#endif
