/* reference_maps.h - what the operators of the literal graph read and make. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_MAPS_H
#define PPM_CORE_REFERENCE_REFERENCE_MAPS_H

#include "core/base/cancel.h"
#include "core/base/size.h"
#include "core/model/layers.h"

/* [N, C, h, w], NCHW. */
struct reference_map {
    struct ppm_shape shape;
    const float *values;
};

/* The maps that a layer reads, in the order of the configuration, and the one that it makes. */
struct reference_maps {
    const struct reference_map *reads;
    size_t count;
    struct ppm_shape shape; /* of ret */
    float *ret;
};

/* Pixels computed at a time: a row of double accumulators on the stack. */
enum { COLUMNS = 256 };

static inline size_t columns_from(size_t column, size_t count)
{
    return size_min(count - column, COLUMNS);
}

#endif
