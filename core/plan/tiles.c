/* tiles.c - see tiles.h. */
#include "core/plan/tiles.h"
#include "core/base/size.h"

struct tiles tiles_of(size_t width, size_t h, size_t w)
{
    return (struct tiles){
        .width = width, .map_w = w, .pixels = h * w, .count = size_div_up(h * w, width)};
}

struct tiles tiles_by_rows(size_t width, size_t h, size_t w)
{
    struct tiles tiles = tiles_of(width, h, w);
    tiles.in_row = size_div_up(w, width);
    tiles.count = h * tiles.in_row;
    return tiles;
}

struct tile_pixels tiles_at(const struct tiles *tiles, size_t tile)
{
    const size_t row = tiles->in_row > 0 ? tile / tiles->in_row : 0;
    const size_t first = row * tiles->map_w + (tile - row * tiles->in_row) * tiles->width;
    const size_t end = tiles->in_row > 0 ? (row + 1) * tiles->map_w : tiles->pixels;
    return (struct tile_pixels){first, size_min(end - first, tiles->width)};
}
