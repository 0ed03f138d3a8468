/* stack.c - see stack.h. */
#include "core/model/stack.h"

#include <stdlib.h>
#include <string.h>

/* Layers with the same default name would silently share tensors. */
static enum ppm_status check_name_is_free(const struct layer_reader *reader,
                                          const struct layer *layers, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (layers[index].name_is_default && layers[i].name_is_default &&
            strcmp(layers[index].weights_name, layers[i].weights_name) == 0)
            return json_refuse(reader->place, reader->value, reader->error,
                               "a \"weights\" name here: layer %zu has the default name %s already",
                               i, layers[i].weights_name);
    return PPM_OK;
}

/* The pyramids of today's JSON are always computed as one; in a network they need not be. */
static enum ppm_status check_start(const struct layer_reader *reader, const struct layer *first)
{
    if (reader->scope->is_branch && !reader->scope->is_network && first->kind != LAYER_CONV)
        return json_refuse(reader->place, reader->value, reader->error,
                           "a branch that begins with a conv, or []");
    return PPM_OK;
}

enum ppm_status stack_read(const json_t *list, const struct json_place *place,
                           const struct layer_scope *scope, size_t in_channels,
                           struct stack *ret_stack, struct ppm_error *error)
{
    struct layer_map map = {.channels = in_channels};
    struct layer_reader reader = {.scope = scope, .maps = &map, .map_count = 1, .error = error};
    const size_t count = json_array_size(list);
    ret_stack->in_channels = ret_stack->out_channels = in_channels;
    if (!json_is_array(list) || count > LAYERS_MAX)
        return json_refuse(place, list, error, "a list of at most %d layers", LAYERS_MAX);
    if (count > 0 && !(ret_stack->layers = calloc(count, sizeof *ret_stack->layers)))
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", place->file);
    ret_stack->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct json_place element = json_element(place, i);
        struct layer *layer = &ret_stack->layers[i];
        struct layer_entry entry;
        reader.value = json_array_get(list, i);
        reader.place = &element;
        if (layer_parse(&reader, &entry) != PPM_OK ||
            layer_read(&reader, &entry, layer) != PPM_OK ||
            check_name_is_free(&reader, ret_stack->layers, i) != PPM_OK ||
            (i == 0 && check_start(&reader, layer) != PPM_OK))
            return error->status;
        reader.convs += layer->kind == LAYER_CONV;
        map.channels = layer->out_channels;
    }
    ret_stack->out_channels = map.channels;
    return PPM_OK;
}

bool stack_is_pointwise(const struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        if (!layer_is_pointwise(&stack->layers[i]))
            return false;
    return true;
}

size_t stack_widest(const struct stack *stack)
{
    size_t channels = stack->in_channels;
    for (size_t i = 0; i < stack->count; i++)
        if (stack->layers[i].out_channels > channels)
            channels = stack->layers[i].out_channels;
    return channels;
}

void stack_release(struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        layer_release(&stack->layers[i]);
    free(stack->layers);
    *stack = (struct stack){0};
}
