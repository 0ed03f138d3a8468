/* map.h - a map that is stored between steps. */
#ifndef PPM_CORE_PLAN_MAP_H
#define PPM_CORE_PLAN_MAP_H

#include "core/ppm.h"

/* [N, channels, h, w] in a layout, without gaps. */
struct map {
    float *data;
    size_t channels, h, w;
    enum ppm_layout layout;
};

/* Elements between channels, and between pixels. */
static inline size_t map_channel_stride(const struct map *map)
{
    return map->layout == PPM_NHWC ? 1 : map->h * map->w;
}
static inline size_t map_pixel_stride(const struct map *map)
{
    return map->layout == PPM_NHWC ? map->channels : 1;
}

/* A channel of map n, at its first pixel. */
static inline float *map_at(const struct map *map, size_t n, size_t channel)
{
    return map->data + n * map->channels * map->h * map->w + channel * map_channel_stride(map);
}

#endif
