/* costs.h - what a model's graph takes to compute. */
#ifndef PPM_CORE_SHAPE_COSTS_H
#define PPM_CORE_SHAPE_COSTS_H

#include "core/shape/geometry.h"

/* 2 * multiply-adds of a layer over `pixels` pixels. Only convolutions count. */
uint64_t layer_flops(const struct layer *layer, uint64_t pixels);

/* Roughly how long the folded graph takes one thread, with the weights in cache. */
double costs_map_us(const struct spec *spec, const struct geometry *geometry);

#endif
