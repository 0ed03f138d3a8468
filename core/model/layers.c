/* layers.c - see layers.h. */
#include "core/model/layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* State shared by the readers of layers' options. */
struct stack_reader {
    struct stack *stack;
    const char *group; /* "branch" or "head": first part of default tensor names */
    bool is_head;
    size_t branch_index;
    size_t convs; /* read so far */
    size_t channels;
    const json_t *value; /* of the layer being read, and where it is */
    const struct json_place *place;
    struct ppm_error *error;
};

/* Replaces {i} by the branch's index from 0, and {n} by the index from 1. */
static enum ppm_status expand_name(const struct stack_reader *reader, const char *pattern,
                                   const struct json_place *place, const json_t *found,
                                   char *ret_name)
{
    size_t at = 0;
    for (const char *c = pattern; *c && at < NAME_BYTES; c++) {
        bool is_index = strncmp(c, "{i}", 3) == 0, is_number = strncmp(c, "{n}", 3) == 0;
        if (!is_index && !is_number) {
            ret_name[at++] = *c;
            continue;
        }
        if (reader->is_head)
            return json_refuse(place, found, reader->error,
                               "a name without {i} or {n}, which number branches");
        at += (size_t)snprintf(ret_name + at, NAME_BYTES - at, "%zu",
                               reader->branch_index + (is_number ? 1 : 0));
        c += 2;
    }
    if (at >= NAME_BYTES)
        return json_refuse(place, found, reader->error, "a tensor name of at most %d bytes",
                           NAME_BYTES - 1);
    ret_name[at] = '\0';
    return PPM_OK;
}

/* The "weights" of a layer, or the default: branch.{i}.conv, head.{k}.batch_norm, ... In a head, a
 * norm or PReLU has the number of the conv before it. */
static enum ppm_status read_weights_name(struct stack_reader *reader, const json_t *options,
                                         const struct json_place *place, const char *type,
                                         struct layer *layer)
{
    char pattern[NAME_BYTES] = "";
    const json_t *given = json_object_get(options, "weights");
    struct json_place member = json_member(place, "weights");
    if (json_read_string(options, place, "weights", pattern, sizeof pattern, reader->error) !=
        PPM_OK)
        return reader->error->status;
    if (given && !*pattern)
        return json_refuse(&member, given, reader->error, "the tensors' name without its suffix");
    if (given)
        return expand_name(reader, pattern, &member, given, layer->weights_name);
    size_t convs_before =
        layer->kind == LAYER_CONV || reader->convs == 0 ? reader->convs : reader->convs - 1;
    snprintf(layer->weights_name, NAME_BYTES, "%s.%zu.%s", reader->group,
             reader->is_head ? convs_before : reader->branch_index, type);
    layer->name_is_default = true;
    return PPM_OK;
}

static enum ppm_status read_kernel(const struct stack_reader *reader, const json_t *options,
                                   const struct json_place *place, struct layer *layer)
{
    const json_t *kernel = json_object_get(options, "kernel");
    const struct json_place member = json_member(place, "kernel");
    const json_int_t size = kernel ? json_integer_value(kernel) : 1;
    const size_t taps = size == 3 ? 3 : 1, border = taps / 2;
    layer->window = (struct window){.size = {taps, taps},
                                    .stride = {1, 1},
                                    .dilation = {1, 1},
                                    .before = {border, border},
                                    .after = {border, border}};
    if (size != 1 && (size != 3 || !reader->is_head))
        return json_refuse(&member, kernel, reader->error,
                           reader->is_head ? "1 or 3" : "1: the convolutions of a branch are 1x1");
    return PPM_OK;
}

static enum ppm_status read_conv(struct stack_reader *reader, const json_t *options,
                                 const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"channels", "kernel", "bias", "weights", NULL};
    struct ppm_error *error = reader->error;
    layer->has_bias = true;
    if (json_check_keys(options, place, keys, error) != PPM_OK ||
        json_read_size(options, place, "channels", 1, CHANNELS_MAX, &layer->out_channels, error) !=
            PPM_OK ||
        read_kernel(reader, options, place, layer) != PPM_OK ||
        json_read_bool(options, place, "bias", &layer->has_bias, error) != PPM_OK)
        return error->status;
    if (read_weights_name(reader, options, place, "conv", layer) != PPM_OK)
        return error->status;
    reader->convs++;
    return PPM_OK;
}

static enum ppm_status read_batch_norm(struct stack_reader *reader, const json_t *options,
                                       const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"eps", "scale", "center", "weights", NULL};
    struct ppm_error *error = reader->error;
    layer->eps = 1e-5;
    layer->has_scale = layer->has_center = true;
    if (json_check_keys(options, place, keys, error) != PPM_OK ||
        json_read_double(options, place, "eps", 0, 1, &layer->eps, error) != PPM_OK ||
        json_read_bool(options, place, "scale", &layer->has_scale, error) != PPM_OK ||
        json_read_bool(options, place, "center", &layer->has_center, error) != PPM_OK)
        return error->status;
    return read_weights_name(reader, options, place, "batch_norm", layer);
}

static enum ppm_status read_prelu(struct stack_reader *reader, const json_t *options,
                                  const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {"weights", NULL};
    if (json_check_keys(options, place, keys, reader->error) != PPM_OK)
        return reader->error->status;
    return read_weights_name(reader, options, place, "prelu", layer);
}

static enum ppm_status read_softmax(struct stack_reader *reader, const json_t *options,
                                    const struct json_place *place, struct layer *layer)
{
    static const char *const keys[] = {NULL};
    if (layer->in_channels == 1)
        return json_refuse(reader->place, reader->value, reader->error,
                           "\"sigmoid\": softmax of 1 channel is 1 everywhere");
    return json_check_keys(options, place, keys, reader->error);
}

static enum ppm_status read_activation(struct stack_reader *reader, const json_t *options,
                                       const struct json_place *place, struct layer *layer)
{
    static const char *const no_keys[] = {NULL}, *const keys[] = {"slope", NULL};
    const bool has_slope = layer->activation == SIMD_LEAKY_RELU;
    double slope = 0.01;
    if (json_check_keys(options, place, has_slope ? keys : no_keys, reader->error) != PPM_OK ||
        json_read_double(options, place, "slope", -100, 100, &slope, reader->error) != PPM_OK)
        return reader->error->status;
    layer->slope = (float)slope;
    return PPM_OK;
}

/* The names of layers. */
static const struct layer_type {
    const char *name;
    enum layer_kind kind;
    enum simd_activation activation;
    enum ppm_status (*read)(struct stack_reader *reader, const json_t *options,
                            const struct json_place *place, struct layer *layer);
} layer_types[] = {
#define LAYER(constant, name) {#name, LAYER_##constant, 0, read_##name},
#define ACTIVATION(constant, name, low, high)                                                      \
    {#name, LAYER_ACTIVATION, SIMD_##constant, read_activation},
    LAYERS(LAYER) SIMD_ACTIVATIONS(ACTIVATION)};
enum { TYPES = sizeof layer_types / sizeof *layer_types };

const char *layer_name(const struct layer *layer)
{
    size_t i = 0;
    while (layer_types[i].kind != layer->kind || layer_types[i].activation != layer->activation)
        i++;
    return layer_types[i].name;
}

static const struct layer_type *find_type(const char *name)
{
    for (size_t i = 0; name && i < TYPES; i++)
        if (strcmp(layer_types[i].name, name) == 0)
            return &layer_types[i];
    return NULL;
}

static enum ppm_status refuse_layer(const struct stack_reader *reader)
{
    char names[256] = "";
    for (size_t i = 0, at = 0; i < TYPES && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s",
                               i == 0           ? ""
                               : i + 1 == TYPES ? " or "
                                                : ", ",
                               layer_types[i].name);
    return json_refuse(reader->place, reader->value, reader->error,
                       "one layer: %s, as \"relu\" or {\"conv\": {...}}", names);
}

/* A layer is "relu" or {"conv": {...}}. */
static enum ppm_status read_layer(struct stack_reader *reader, struct layer *layer)
{
    const json_t *value = reader->value;
    void *member_iterator = json_object_iter((json_t *)value);
    const char *name = json_is_string(value)     ? json_string_value(value)
                       : member_iterator != NULL ? json_object_iter_key(member_iterator)
                                                 : NULL;
    const json_t *options = member_iterator ? json_object_iter_value(member_iterator) : NULL;
    const struct layer_type *type = find_type(name);
    if (!type || json_object_size(value) > 1)
        return refuse_layer(reader);
    struct json_place member = json_member(reader->place, type->name);
    if (options && !json_is_object(options))
        return json_refuse(&member, options, reader->error, "an object of options");
    *layer = (struct layer){.kind = type->kind,
                            .activation = type->activation,
                            .in_channels = reader->channels,
                            .out_channels = reader->channels};
    return type->read(reader, options, options ? &member : reader->place, layer);
}

/* Layers with the same default name would silently share tensors. */
static enum ppm_status check_name_is_free(const struct stack_reader *reader, size_t index)
{
    const struct layer *layers = reader->stack->layers;
    for (size_t i = 0; i < index; i++)
        if (layers[index].name_is_default && layers[i].name_is_default &&
            strcmp(layers[index].weights_name, layers[i].weights_name) == 0)
            return json_refuse(reader->place, reader->value, reader->error,
                               "a \"weights\" name here: layer %zu has the default name %s already",
                               i, layers[i].weights_name);
    return PPM_OK;
}

enum ppm_status stack_read(const json_t *list, const struct json_place *place, const char *group,
                           size_t index, size_t in_channels, struct stack *ret_stack,
                           struct ppm_error *error)
{
    struct stack_reader reader = {.stack = ret_stack,
                                  .group = group,
                                  .is_head = strcmp(group, "head") == 0,
                                  .branch_index = index,
                                  .channels = in_channels,
                                  .error = error};
    size_t count = json_array_size(list);
    ret_stack->in_channels = ret_stack->out_channels = in_channels;
    if (!json_is_array(list) || count > LAYERS_MAX)
        return json_refuse(place, list, error, "a list of at most %d layers", LAYERS_MAX);
    if (count > 0 && !(ret_stack->layers = calloc(count, sizeof *ret_stack->layers)))
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", place->file);
    ret_stack->count = count;
    for (size_t i = 0; i < count; i++) {
        struct json_place element = json_element(place, i);
        struct layer *layer = &ret_stack->layers[i];
        reader.value = json_array_get(list, i);
        reader.place = &element;
        if (read_layer(&reader, layer) != PPM_OK || check_name_is_free(&reader, i) != PPM_OK)
            return error->status;
        if (i == 0 && !reader.is_head && layer->kind != LAYER_CONV)
            return json_refuse(&element, reader.value, error,
                               "a branch that begins with a conv, or []");
        reader.channels = layer->out_channels;
    }
    ret_stack->out_channels = reader.channels;
    return PPM_OK;
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
    for (size_t i = 0; i < stack->count; i++) {
        free(stack->layers[i].panels);
        free(stack->layers[i].parts);
        free(stack->layers[i].slopes);
        free(stack->layers[i].scale32);
        free(stack->layers[i].shift32);
        free(stack->layers[i].scale);
        free(stack->layers[i].shift);
    }
    free(stack->layers);
    *stack = (struct stack){0};
}
