/* shapes.h - the shapes of a network's maps, from those of its inputs. */
#ifndef PPM_CORE_SHAPE_SHAPES_H
#define PPM_CORE_SHAPE_SHAPES_H

#include "core/model/graph.h"

/* ret_shapes[i] = the shape [N, C, H, W] of node i's map, for all graph->count nodes, in O(nodes)
 * and the maps that they read. Sizes are PyTorch's:
 *
 *     conv, pools          window_axis_of
 *     adaptive_avg_pool    the bins, whatever the size of the map
 *     resize               [h, w] as given, floor(H * scale) x floor(W * scale), or as the other
 * map pyramid              the size of its concat add, mul             that of the largest map: one
 * of 1 x 1 is broadcast concat               that of all maps others               that of the map
 * they read
 *
 * PPM_UNFIT, with the node and both sizes, for maps that do not fit a node, each other or the
 * model's inputs; PPM_TOO_LARGE for a map that takes more bytes than can be counted, or is longer
 * than 2^32 - 1 pixels. No sum or product of sizes that follow from a shape overflows. */
enum ppm_status shapes_of(const struct graph *graph, const struct ppm_sizes *sizes,
                          struct ppm_shape *ret_shapes, struct ppm_error *error);

/* The same in memory that the caller frees. NULL on failure, also with PPM_NO_MEMORY. */
struct ppm_shape *shapes_create(const struct graph *graph, const struct ppm_sizes *sizes,
                                struct ppm_error *error);

#endif
