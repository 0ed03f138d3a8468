/* tile_axis.c - see tile_axis.h. */
#include "core/image/tile_axis.h"
#include "core/base/size.h"

struct tile_axis tile_axis_of(size_t extent, size_t tile, size_t overlap)
{
    struct tile_axis axis = {
        .extent = extent, .covered = size_min(extent, tile), .stride = tile - overlap, .count = 1};
    axis.count += size_div_up(extent - axis.covered, axis.stride);
    return axis;
}

size_t tile_start(const struct tile_axis *axis, size_t k)
{
    return size_min(k * axis->stride, axis->extent - axis->covered);
}

size_t tile_cover(const struct tile_axis *axis, size_t i)
{
    const size_t last = axis->count - 1;
    /* of the tiles before the last, those that begin at most covered - 1 pixels before i */
    const size_t from = i < axis->covered ? 0 : (i - axis->covered) / axis->stride + 1;
    const size_t to = size_min(i / axis->stride + 1, last);
    return (to > from ? to - from : 0) + (i >= tile_start(axis, last));
}
