/* layer_read.h - reads one layer of a stack or of a network. */
#ifndef PPM_CORE_MODEL_LAYER_READ_H
#define PPM_CORE_MODEL_LAYER_READ_H

#include "core/model/layers.h"

struct graph_names;

/* Where a layer stands: what it may be there, and how its tensors are named by default. */
struct layer_scope {
    bool is_network;   /* every kind and option; otherwise those of a "head" or a "branch" */
    bool is_branch;    /* {i} and {n} in the names of tensors are its number, from 0 and from 1 */
    const char *group; /* default names begin with GROUP.INDEX, but in a head with GROUP.CONV */
    size_t index;      /* of the branch, or of the entry of a network */
    const char *name;  /* of the entry, and so of its tensors; NULL: it has none */
    const struct graph_names *names; /* of what is above the entry; NULL in stacks */
};

/* A map that the layer reads. */
struct layer_map {
    const char *name; /* for messages */
    size_t channels;
};

struct layer_reader {
    const struct layer_scope *scope;
    const struct layer_map *maps; /* one, but for the JOIN_LAYERS */
    size_t map_count;
    size_t convs;        /* in the stack so far */
    const json_t *value; /* of the layer, and its place */
    const struct json_place *place;
    struct ppm_error *error;
};

/* What an entry says: "relu", {"conv": {...}} or {"add": [...]}. */
struct layer_entry {
    const struct layer_type *type;
    enum layer_kind kind;
    const json_t *options;    /* NULL: there are none */
    struct json_place member; /* of the options */
};

/* Looks at reader->value; a network's entries may also have the members "from" and "name". */
enum ppm_status layer_parse(const struct layer_reader *reader, struct layer_entry *ret_entry);

/* *ret_layer = the layer, for the maps of the reader. Not for a pyramid. */
enum ppm_status layer_read(struct layer_reader *reader, const struct layer_entry *entry,
                           struct layer *ret_layer);

/* The "weights" of a layer, or their default name. */
enum ppm_status layer_read_weights_name(struct layer_reader *reader, const json_t *options,
                                        const struct json_place *place, const char *type,
                                        struct layer *layer);

/* read_NAME reads the options, an object or NULL, into *layer, whose kind and channels are set:
 * in_channels those of the first map, out_channels the same unless the function says otherwise. */
#define READ_LAYER(constant, name)                                                                 \
    enum ppm_status read_##name(struct layer_reader *reader, const json_t *options,                \
                                const struct json_place *place, struct layer *layer);
STACK_LAYERS(READ_LAYER)
MAP_LAYERS(READ_LAYER)
JOIN_LAYERS(READ_LAYER)
READ_LAYER(ACTIVATION, activation)
#undef READ_LAYER

#endif
