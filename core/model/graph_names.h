/* graph_names.h - the names of a network's inputs and entries. */
#ifndef PPM_CORE_MODEL_GRAPH_NAMES_H
#define PPM_CORE_MODEL_GRAPH_NAMES_H

#include "core/model/layers.h"

#define GRAPH_ONLY_INPUT "x" /* the name of an input that is the only one */

/* Positions count the inputs, then the entries. */
struct graph_names {
    struct graph_name {
        const char *text; /* of the JSON, which outlives the names */
        size_t position;
    } * list; /* sorted by text */
    size_t count;
    size_t *nodes; /* [positions] the node that each one stands for, once it is read */
    size_t input_count;
    size_t position; /* of the entry being read: it may use what is before it */
};

/* Collects the names of inputs, the keys of an object or NULL for GRAPH_ONLY_INPUT, and of
 * entries, a list at place. Refuses what is no name or not the only one. *ret_names must be
 * released in any case. */
enum ppm_status graph_names_collect(const json_t *inputs, const json_t *entries,
                                    const struct json_place *place, struct graph_names *ret_names,
                                    struct ppm_error *error);
void graph_names_release(struct graph_names *names);

/* Whether it can be a name: 1 to NAME_BYTES - 1 letters, digits, '.', '_' and '-'. */
bool graph_is_name(const char *text);
#define GRAPH_NAME_EXPECTED "a name of at most 127 letters, digits, '.', '_' and '-'"

/* *ret_node = the node of a name that is above the entry being read. */
enum ppm_status graph_names_find(const struct graph_names *names, const json_t *value,
                                 const struct json_place *place, size_t *ret_node,
                                 struct ppm_error *error);

#endif
