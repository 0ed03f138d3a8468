/* layers.c - the table of layers. */
#include "core/model/layer_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum standing { IN_STACKS, IN_BRANCHES_OF_NETWORKS, IN_NETWORKS };

static const struct layer_type {
    const char *name;
    enum layer_kind kind;
    enum simd_activation activation;
    enum standing standing; /* where such a layer may be, and in what follows in the enum */
    enum ppm_status (*read)(struct layer_reader *reader, const json_t *options,
                            const struct json_place *place, struct layer *layer);
} layer_types[] = {
#define LAYER(constant, name) {#name, LAYER_##constant, 0, IN_STACKS, read_##name},
#define MAP_LAYER(constant, name)                                                                  \
    {#name, LAYER_##constant, 0, IN_BRANCHES_OF_NETWORKS, read_##name},
#define JOIN(constant, name) {#name, LAYER_##constant, 0, IN_NETWORKS, read_##name},
#define ACTIVATION(constant, name, low, high)                                                      \
    {#name, LAYER_ACTIVATION, SIMD_##constant, IN_STACKS, read_activation},
    STACK_LAYERS(LAYER) MAP_LAYERS(MAP_LAYER)
        JOIN_LAYERS(JOIN){"pyramid", LAYER_PYRAMID, 0, IN_NETWORKS, NULL},
    SIMD_ACTIVATIONS(ACTIVATION)};
enum { TYPES = sizeof layer_types / sizeof *layer_types };

const char *layer_name(const struct layer *layer)
{
    for (size_t i = 0; i < TYPES; i++)
        if (layer_types[i].kind == layer->kind &&
            (layer->kind != LAYER_ACTIVATION || layer_types[i].activation == layer->activation))
            return layer_types[i].name;
    return "input";
}

static bool may_stand(const struct layer_type *type, const struct layer_scope *scope)
{
    const enum standing here = !scope->is_network ? IN_STACKS
                               : scope->is_branch ? IN_BRANCHES_OF_NETWORKS
                                                  : IN_NETWORKS;
    return type->standing <= here;
}

static const struct layer_type *find_type(const char *name, const struct layer_scope *scope)
{
    for (size_t i = 0; name && i < TYPES; i++)
        if (strcmp(layer_types[i].name, name) == 0 && may_stand(&layer_types[i], scope))
            return &layer_types[i];
    return NULL;
}

static enum ppm_status refuse_layer(const struct layer_reader *reader)
{
    char names[320] = "";
    for (size_t i = 0, at = 0; i < TYPES && at < sizeof names; i++)
        if (may_stand(&layer_types[i], reader->scope))
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s",
                                   i == 0           ? ""
                                   : i + 1 == TYPES ? " or "
                                                    : ", ",
                                   layer_types[i].name);
    return json_refuse(reader->place, reader->value, reader->error,
                       "one layer: %s, as \"relu\" or {\"conv\": {...}}", names);
}

/* The member that says the layer; NULL unless there is exactly one. */
static const char *layer_key(const struct layer_reader *reader)
{
    const bool is_entry = reader->scope->is_network && !reader->scope->is_branch;
    const char *key, *ret = NULL;
    json_t *value;
    size_t count = 0;
    json_object_foreach((json_t *)reader->value, key, value)
    {
        if (is_entry && (strcmp(key, "from") == 0 || strcmp(key, "name") == 0))
            continue;
        ret = key;
        count++;
    }
    return count == 1 ? ret : NULL;
}

enum ppm_status layer_parse(const struct layer_reader *reader, struct layer_entry *ret_entry)
{
    const json_t *value = reader->value;
    const char *name = json_is_string(value) ? json_string_value(value) : layer_key(reader);
    const struct layer_type *type = find_type(name, reader->scope);
    if (!type)
        return refuse_layer(reader);
    const json_t *options = json_object_get(value, type->name);
    *ret_entry = (struct layer_entry){.type = type,
                                      .kind = type->kind,
                                      .options = options,
                                      .member = json_member(reader->place, type->name)};
    if (options && !json_is_object(options) && !layer_is_join(type->kind))
        return json_refuse(&ret_entry->member, options, reader->error, "an object of options");
    return PPM_OK;
}

enum ppm_status layer_read(struct layer_reader *reader, const struct layer_entry *entry,
                           struct layer *ret_layer)
{
    const size_t channels = reader->maps[0].channels;
    *ret_layer =
        (struct layer){.kind = entry->kind, .in_channels = channels, .out_channels = channels};
    if (entry->kind == LAYER_ACTIVATION)
        ret_layer->activation = entry->type->activation;
    return entry->type->read(reader, entry->options, &entry->member, ret_layer);
}

bool layer_is_join(enum layer_kind kind)
{
#define IS_KIND(constant, name) || kind == LAYER_##constant
    return false JOIN_LAYERS(IS_KIND);
}

bool layer_is_pointwise(const struct layer *layer)
{
    const struct window *window = &layer->window;
    if (layer->kind == LAYER_CONV)
        return conv_taps(layer) == 1 && layer->groups == 1 && window->stride[0] == 1 &&
               window->stride[1] == 1 &&
               window->before[0] + window->before[1] + window->after[0] + window->after[1] == 0;
    const enum layer_kind kind = layer->kind;
    return kind == LAYER_ACTIVATION STACK_LAYERS(IS_KIND);
}

void layer_release(struct layer *layer)
{
    free(layer->panels);
    free(layer->parts);
    free(layer->slopes);
    free(layer->scale32);
    free(layer->shift32);
    free(layer->scale);
    free(layer->shift);
}
