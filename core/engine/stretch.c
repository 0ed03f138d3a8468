/* stretch.c - see stretch.h. */
#include "core/engine/stretch.h"

/* Columns that are stretched together, and those of the map that they read. */
enum { COLUMNS_MAX = 64, READ_MAX = 128 };

/* Columns of a span, and the columns of the map that they read: [first, first + count). */
struct taps {
    size_t columns, first, count;
    uint32_t low[COLUMNS_MAX], high[COLUMNS_MAX]; /* from first on */
    float weight[COLUMNS_MAX];
};

/* As many columns from the one at `at` as fit. */
static void find_taps(const struct source *source, const struct span *span, size_t at,
                      struct taps *ret)
{
    const double *sources = source->stretch->columns + span->left;
    const size_t columns = size_min(span->count - at, COLUMNS_MAX), w = source->map.w;
    ret->columns = ret->count = 0;
    ret->first = geometry_tap_at(sources[at * span->step], w).low;
    for (size_t i = 0; i < columns; i++) {
        const struct resize_tap tap = geometry_tap_at(sources[(at + i) * span->step], w);
        if (tap.high - ret->first >= READ_MAX)
            return;
        ret->low[i] = (uint32_t)(tap.low - ret->first);
        ret->high[i] = (uint32_t)(tap.high - ret->first);
        ret->weight[i] = (float)tap.weight;
        ret->count = tap.high - ret->first + 1;
        ret->columns = i + 1;
    }
}

/* One channel: rows above and below, whose pixels are pixel_stride apart, to columns of ret. */
static void stretch_channel(const struct simd_ops *simd, const struct taps *taps,
                            const float *above, const float *below, size_t pixel_stride, float down,
                            float *ret)
{
    float row[READ_MAX];
    if (pixel_stride == 1)
        simd->lerp_rows(above, below, down, row, taps->count);
    for (size_t j = 0; pixel_stride > 1 && j < taps->count; j++)
        row[j] = (1 - down) * above[j * pixel_stride] + down * below[j * pixel_stride];
    for (size_t j = 0; j < taps->columns; j++)
        ret[j] = (1 - taps->weight[j]) * row[taps->low[j]] + taps->weight[j] * row[taps->high[j]];
}

/* The same without interpolation. */
static void pick_channel(const struct taps *taps, const float *row, size_t pixel_stride, float *ret)
{
    for (size_t j = 0; j < taps->columns; j++)
        ret[j] = row[taps->low[j] * pixel_stride];
}

void stretch_pixels(const struct section_state *state, const struct source *source, size_t n,
                    size_t first, size_t channels, const struct span *span, float *ret,
                    size_t ret_stride)
{
    const struct map *map = &source->map;
    const size_t pixel_stride = map_pixel_stride(map), channel_stride = map_channel_stride(map);
    const struct resize_tap down = geometry_tap_at(source->stretch->rows[span->row], map->h);
    const float *from = map_at(map, n, source->from + first);
    struct taps taps;
    for (size_t at = 0; at < span->count; at += taps.columns) {
        find_taps(source, span, at, &taps);
        const float *above = from + (down.low * map->w + taps.first) * pixel_stride;
        const float *below = from + (down.high * map->w + taps.first) * pixel_stride;
        for (size_t c = 0; c < channels; c++, above += channel_stride, below += channel_stride)
            if (source->stretch->is_nearest)
                pick_channel(&taps, above, pixel_stride, ret + c * ret_stride + at);
            else
                stretch_channel(state->simd, &taps, above, below, pixel_stride, (float)down.weight,
                                ret + c * ret_stride + at);
    }
}
