/* graph_network.c - the list "network" of a model: entries become nodes. */
#include "core/model/graph_names.h"
#include "core/model/graph_read.h"

#include <stdio.h>

/* State shared by the readers of entries. */
struct network_reader {
    struct graph *graph;
    struct graph_names names;
    size_t index; /* of the entry being read, its JSON and place, and its name or NULL */
    const json_t *value;
    const struct json_place *place;
    const char *name;
    struct node node; /* to be added: what it reads */
    size_t reads[READS_MAX];
    struct layer_map maps[READS_MAX];
    struct ppm_error *error;
};

static enum ppm_status add_read(struct network_reader *reader, const json_t *name,
                                const struct json_place *place)
{
    size_t *read = &reader->reads[reader->node.read_count];
    if (graph_names_find(&reader->names, name, place, read, reader->error) != PPM_OK)
        return reader->error->status;
    reader->maps[reader->node.read_count++] =
        (struct layer_map){json_string_value(name), reader->graph->nodes[*read].layer.out_channels};
    return PPM_OK;
}

/* The options of an add, mul or concat are the names of what it reads. */
static enum ppm_status read_names(struct network_reader *reader, const struct layer_entry *entry)
{
    const json_t *list = entry->options, *from = json_object_get(reader->value, "from");
    const struct json_place from_place = json_member(reader->place, "from");
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count < 2 || count > BRANCHES_MAX)
        return json_refuse(&entry->member, list, reader->error,
                           "a list of 2 to %d names, as {\"%s\": [\"a\", \"b\"]}", BRANCHES_MAX,
                           entry->member.key);
    if (from)
        return json_refuse(&from_place, from, reader->error,
                           "nothing: the entry's own list has the names of what it reads");
    for (size_t i = 0; i < count; i++) {
        const struct json_place element = json_element(&entry->member, i);
        if (add_read(reader, json_array_get(list, i), &element) != PPM_OK)
            return reader->error->status;
    }
    return PPM_OK;
}

/* "from": a name, or a list of one; otherwise the entry before. */
static enum ppm_status read_from(struct network_reader *reader)
{
    const json_t *from = json_object_get(reader->value, "from");
    const struct json_place place = json_member(reader->place, "from");
    const struct json_place element = json_element(&place, 0);
    const struct graph_names *names = &reader->names;
    if (json_is_array(from) && json_array_size(from) != 1)
        return json_refuse(&place, from, reader->error, "the name of the one map that it reads");
    if (from)
        return json_is_array(from) ? add_read(reader, json_array_get(from, 0), &element)
                                   : add_read(reader, from, &place);
    if (reader->index == 0 && names->input_count > 1)
        return json_refuse(&place, NULL, reader->error, "the name of one of the %zu inputs",
                           names->input_count);
    const size_t before = names->nodes[names->position - 1];
    reader->reads[0] = before;
    reader->maps[0] = (struct layer_map){"", reader->graph->nodes[before].layer.out_channels};
    reader->node.read_count = 1;
    return PPM_OK;
}

static enum ppm_status check_width(const struct network_reader *reader,
                                   const struct pyramid *pyramid)
{
    if (pyramid->concat_channels > CHANNELS_MAX && !pyramid->is_sum)
        return json_refuse(reader->place, reader->value, reader->error,
                           "at most %d channels; its parts have %zu", CHANNELS_MAX,
                           pyramid->concat_channels);
    return PPM_OK;
}

static enum ppm_status add_pyramid(struct network_reader *reader, const struct layer_entry *entry)
{
    static const char *const keys[] = {"bins",     "windows",  "pool",        "branch",
                                       "branches", "upsample", "upsample_to", "concat",
                                       "cascade",  "sum",      NULL};
    char group[NAME_BYTES + sizeof ".branch"];
    const struct layer_scope scope = {.is_network = true, .is_branch = true, .group = group};
    struct pyramid pyramid = {0};
    if (reader->name)
        snprintf(group, sizeof group, "%s.branch", reader->name);
    else
        snprintf(group, sizeof group, "network.%zu.branch", reader->index);
    if (json_check_keys(entry->options, &entry->member, keys, reader->error) != PPM_OK)
        return reader->error->status;
    if (pyramid_read(entry->options, &entry->member, &scope, reader->maps[0].channels, &pyramid,
                     reader->error) != PPM_OK ||
        check_width(reader, &pyramid) != PPM_OK) {
        pyramid_release(&pyramid);
        return reader->error->status;
    }
    return graph_add_pyramid(reader->graph, &pyramid, reader->reads[0], reader->index, reader->name,
                             entry->options, &entry->member, reader->error);
}

static enum ppm_status add_layer(struct network_reader *reader, const struct layer_entry *entry,
                                 struct layer_reader *layer_reader)
{
    struct layer layer;
    if (layer_read(layer_reader, entry, &layer) != PPM_OK)
        return reader->error->status;
    reader->node.entry = reader->index;
    reader->node.reads = reader->reads;
    snprintf(reader->node.name, sizeof reader->node.name, "%s", reader->name ? reader->name : "");
    return graph_add(reader->graph, &reader->node, &layer, reader->place->file, reader->error);
}

static enum ppm_status read_entry(struct network_reader *reader)
{
    const struct layer_scope scope = {.is_network = true,
                                      .group = "network",
                                      .index = reader->index,
                                      .name = reader->name,
                                      .names = &reader->names};
    struct layer_reader layer_reader = {.scope = &scope,
                                        .value = reader->value,
                                        .place = reader->place,
                                        .maps = reader->maps,
                                        .error = reader->error};
    struct layer_entry entry;
    reader->node = (struct node){0};
    if (layer_parse(&layer_reader, &entry) != PPM_OK ||
        (layer_is_join(entry.kind) ? read_names(reader, &entry) : read_from(reader)) != PPM_OK)
        return reader->error->status;
    layer_reader.map_count = reader->node.read_count;
    return entry.kind == LAYER_PYRAMID ? add_pyramid(reader, &entry)
                                       : add_layer(reader, &entry, &layer_reader);
}

enum ppm_status graph_read_network(const json_t *root, const struct json_place *place,
                                   struct graph *graph, struct ppm_error *error)
{
    const json_t *entries = json_object_get(root, "network");
    const struct json_place member = json_member(place, "network");
    struct network_reader reader = {.graph = graph, .error = error};
    if (!json_is_array(entries) || json_array_size(entries) < 1 ||
        json_array_size(entries) > NODES_MAX)
        return json_refuse(&member, entries, error, "a list of 1 to %d layers", NODES_MAX);
    if (graph_names_collect(json_object_get(root, "inputs"), entries, &member, &reader.names,
                            error) != PPM_OK)
        goto out;
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const struct json_place element = json_element(&member, i);
        reader.index = i;
        reader.value = json_array_get(entries, i);
        reader.place = &element;
        reader.name = json_string_value(json_object_get(reader.value, "name"));
        if (read_entry(&reader) != PPM_OK)
            goto out;
        reader.names.nodes[reader.names.position++] = graph->count - 1;
    }
    graph_finish(graph, error);
out:
    graph_names_release(&reader.names);
    return error->status;
}
