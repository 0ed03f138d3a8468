/* reference_graph.h - a graph node by node, each map freed after its last reader. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_GRAPH_H
#define PPM_CORE_REFERENCE_REFERENCE_GRAPH_H

#include "core/base/cancel.h"
#include "core/model/graph.h"

/* Bytes that a run allocates, the map of the output included; saturating. shapes: of all nodes, by
 * shapes_of. */
enum ppm_status reference_graph_bytes(const struct graph *graph, const struct ppm_shape *shapes,
                                      size_t *ret_bytes, struct ppm_error *error);

/* Runs the nodes whose values the output depends on, in order; norms that are folded into the layer
 * before them add nothing. inputs[i] is the map of node i, NCHW.
 * *ret_values is the output's map, and *ret_owned the memory that the caller frees: the same, or
 * NULL if the output is an input. The values of an abandoned run must not be read. */
enum ppm_status reference_graph_run(const struct graph *graph, const struct ppm_shape *shapes,
                                    const float *const *inputs, const struct run *run,
                                    const float **ret_values, float **ret_owned,
                                    struct ppm_stage_times *times, struct ppm_error *error);

/* The same up to the last node for which kept[node] is not NULL: copies the maps of these nodes
 * there, NCHW. None of them may be folded into another. Takes at most reference_graph_bytes. */
enum ppm_status reference_graph_keep(const struct graph *graph, const struct ppm_shape *shapes,
                                     const float *const *inputs, const struct run *run,
                                     float *const *kept, struct ppm_error *error);

#endif
