/* tiles.h - the pixels of a map, in tiles as wide as the register tile. */
#ifndef PPM_CORE_PLAN_TILES_H
#define PPM_CORE_PLAN_TILES_H

#include <stddef.h>

struct tiles {
    size_t width; /* gemm_columns: pixels of a tile at most */
    size_t map_w, pixels;
    size_t count;
    size_t in_row; /* row-wise, each row of the map begins a tile: tiles in a row; else 0 */
};

/* Pixels [first, first + columns) of the map, in row-major order. */
struct tile_pixels {
    size_t first, columns;
};

struct tiles tiles_of(size_t width, size_t h, size_t w);
struct tiles tiles_by_rows(size_t width, size_t h, size_t w);
struct tile_pixels tiles_at(const struct tiles *tiles, size_t tile);

#endif
