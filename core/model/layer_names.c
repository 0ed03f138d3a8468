/* layer_names.c - the names of a layer's tensors. */
#include "core/model/layer_read.h"

#include <stdio.h>
#include <string.h>

static enum ppm_status refuse_length(const struct layer_reader *reader,
                                     const struct json_place *place, const json_t *found)
{
    return json_refuse(place, found, reader->error, "a tensor name of at most %d bytes",
                       NAME_BYTES - 1);
}

/* Replaces {i} by the branch's index from 0, and {n} by the index from 1. */
static enum ppm_status expand_name(const struct layer_reader *reader, const char *pattern,
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
        if (!reader->scope->is_branch)
            return json_refuse(place, found, reader->error,
                               "a name without {i} or {n}, which number branches");
        at += (size_t)snprintf(ret_name + at, NAME_BYTES - at, "%zu",
                               reader->scope->index + (is_number ? 1 : 0));
        c += 2;
    }
    if (at >= NAME_BYTES)
        return refuse_length(reader, place, found);
    ret_name[at] = '\0';
    return PPM_OK;
}

/* branch.{i}.conv, head.{k}.batch_norm, network.{k}.conv, ... In a head, a norm or PReLU has the
 * number of the conv before it. */
static enum ppm_status default_name(const struct layer_reader *reader, const char *type,
                                    struct layer *layer)
{
    const struct layer_scope *scope = reader->scope;
    const bool is_head = !scope->is_branch && !scope->is_network;
    const size_t convs_before =
        layer->kind == LAYER_CONV || reader->convs == 0 ? reader->convs : reader->convs - 1;
    const int length = scope->name
                           ? snprintf(layer->weights_name, NAME_BYTES, "%s", scope->name)
                           : snprintf(layer->weights_name, NAME_BYTES, "%s.%zu.%s", scope->group,
                                      is_head ? convs_before : scope->index, type);
    layer->name_is_default = true;
    if (length >= NAME_BYTES)
        return refuse_length(reader, reader->place, reader->value);
    return PPM_OK;
}

enum ppm_status layer_read_weights_name(struct layer_reader *reader, const json_t *options,
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
    return given ? expand_name(reader, pattern, &member, given, layer->weights_name)
                 : default_name(reader, type, layer);
}
