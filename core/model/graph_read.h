/* graph_read.h - a graph from the JSON of a model. */
#ifndef PPM_CORE_MODEL_GRAPH_READ_H
#define PPM_CORE_MODEL_GRAPH_READ_H

#include "core/model/graph.h"

/* How inputs are given. */
struct inputs_spec {
    enum ppm_layout layout;
    bool takes_images; /* the only input can be one */
    struct ppm_image_info image;
};

/* Adds the inputs: the member "input", or with may_be_several "inputs" instead. */
enum ppm_status graph_read_inputs(const json_t *root, const struct json_place *place,
                                  bool may_be_several, struct graph *graph,
                                  struct inputs_spec *ret_inputs, struct ppm_error *error);

/* Adds the entries of the list "network" to a graph of inputs, and finishes it. */
enum ppm_status graph_read_network(const json_t *root, const struct json_place *place,
                                   struct graph *graph, struct ppm_error *error);

/* Adds a pyramid over what node x makes, as one node or as several; its memory is the graph's from
 * then on, or released. entry and name are those of the pyramid's last node; object, at place, is
 * its JSON. */
enum ppm_status graph_add_pyramid(struct graph *graph, struct pyramid *pyramid, size_t x,
                                  size_t entry, const char *name, const json_t *object,
                                  const struct json_place *place, struct ppm_error *error);

#endif
