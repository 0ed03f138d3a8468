/* costs.h - what a model's graph takes to compute: FLOPs and time. */
#ifndef PPM_CORE_SHAPE_COSTS_H
#define PPM_CORE_SHAPE_COSTS_H

#include "core/shape/geometry.h"

/* 2 * multiply-adds of a layer for `pixels` pixels of its result. Only convolutions count. */
uint64_t layer_flops(const struct layer *layer, uint64_t pixels);

/* Of all layers over a batch of geometry->input.n: as written, and with branches folded where that
 * saves any. */
uint64_t costs_literal_flops(const struct spec *spec, const struct geometry *geometry);
uint64_t costs_folded_flops(const struct spec *spec, const struct geometry *geometry);

/* Of the nodes of a network that are computed, as written, for the shapes of all maps (shapes_of);
 * saturating. */
uint64_t costs_graph_flops(const struct graph *graph, const struct ppm_shape *shapes);

/* Roughly how long one thread takes for `flops` FLOPs and to move `values` values, or input and
 * output, with the weights in cache; and to read the weights from memory. */
double costs_us(uint64_t flops, double values);
double costs_one_thread_us(uint64_t flops, struct ppm_shape input, struct ppm_shape output);
double costs_weights_us(uint64_t bytes);

/* Roughly how long the folded graph takes one thread, with the weights in cache. */
double costs_map_us(const struct spec *spec, const struct geometry *geometry);

#endif
