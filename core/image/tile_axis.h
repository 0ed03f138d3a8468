/* tile_axis.h - where tiles are along an axis of an image. */
#ifndef PPM_CORE_IMAGE_TILE_AXIS_H
#define PPM_CORE_IMAGE_TILE_AXIS_H

#include <stddef.h>

/* A tile begins every `stride` pixels; the last one is shifted back to the border, so that it ends
 * with the image. An image of less than a tile has one. */
struct tile_axis {
    size_t extent;  /* of the image */
    size_t covered; /* pixels of the image in a tile: its own, or fewer if the image is smaller */
    size_t stride, count;
};

struct tile_axis tile_axis_of(size_t extent, size_t tile, size_t overlap);

/* The first pixel of tile k. */
size_t tile_start(const struct tile_axis *axis, size_t k);

/* How many tiles have pixel i. */
size_t tile_cover(const struct tile_axis *axis, size_t i);

#endif
