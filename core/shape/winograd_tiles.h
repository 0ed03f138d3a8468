/* winograd_tiles.h - the tiles of output pixels that Winograd's F(4x4, 3x3) computes together. */
#ifndef PPM_CORE_SHAPE_WINOGRAD_TILES_H
#define PPM_CORE_SHAPE_WINOGRAD_TILES_H

#include "core/base/size.h"
#include "simd/simd.h"

/* On an axis of extent pixels, and of a whole map. The last ones may extend beyond the edge. */
static inline size_t winograd_tiles_on(size_t extent)
{
    return size_div_up(extent, SIMD_WINOGRAD_TILE);
}

static inline size_t winograd_tiles(size_t h, size_t w)
{
    return winograd_tiles_on(h) * winograd_tiles_on(w);
}

#endif
