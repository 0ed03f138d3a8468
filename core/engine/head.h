/* head.h - the head as passes, each by the algorithm for its conv. */
#ifndef PPM_CORE_ENGINE_HEAD_H
#define PPM_CORE_ENGINE_HEAD_H

#include "core/engine/pass.h"

enum { PASSES_MAX = LAYERS_MAX + 1 };

struct head {
    struct pass passes[PASSES_MAX];
    size_t count;        /* at least 1 */
    size_t block_floats; /* scratch that a thread needs */
};

void head_plan(const struct run_state *state, struct head *ret_head);

/* ret = the head; without one, the concat. */
void stage_head(struct run_state *state, const struct head *head, float *ret);

#endif
