/* winograd_tiles.h - the tiles of output pixels that Winograd's F(4x4, 3x3) computes together. */
#ifndef PPM_CORE_SHAPE_WINOGRAD_TILES_H
#define PPM_CORE_SHAPE_WINOGRAD_TILES_H

#include "core/base/size.h"
#include "core/model/window.h"
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

/* A dilated conv is one conv for each phase, on every dilation-th row and column: as many tiles in
 * each, of which the last may be empty. */
static inline size_t winograd_phase_tiles(const struct window *window, size_t h, size_t w)
{
    return winograd_tiles(size_div_up(h, window->dilation[AXIS_H]),
                          size_div_up(w, window->dilation[AXIS_W]));
}
static inline size_t winograd_phases(const struct window *window)
{
    return window->dilation[AXIS_H] * window->dilation[AXIS_W];
}

#endif
