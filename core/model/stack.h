/* stack.h - stacks: layers one after the other, each of which reads the one before. */
#ifndef PPM_CORE_MODEL_STACK_H
#define PPM_CORE_MODEL_STACK_H

#include "core/model/layer_read.h"

struct stack {
    struct layer *layers; /* owned */
    size_t count;
    size_t in_channels, out_channels;
};

/* Reads a stack (a JSON list of layers) for in_channels. *ret_stack starts as {0}, and must be
 * released in any case. */
enum ppm_status stack_read(const json_t *list, const struct json_place *place,
                           const struct layer_scope *scope, size_t in_channels,
                           struct stack *ret_stack, struct ppm_error *error);
void stack_release(struct stack *stack);

/* Whether each result depends on one pixel: 1x1 convs of stride 1 without groups, and the other
 * STACK_LAYERS. */
bool stack_is_pointwise(const struct stack *stack);

/* Channels of the widest map within a stack, including its input. */
size_t stack_widest(const struct stack *stack);

#endif
