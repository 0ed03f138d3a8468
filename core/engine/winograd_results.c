/*
 * winograd_results.c - see winograd_results.h.
 *
 * Without more layers, a channel's pixels go straight to their places in the map. Layers that
 * follow need all channels of a pixel, so the pixels of a micro-panel of tiles are gathered first:
 * each row of them makes as many micro-panels of pixels as a tile is wide.
 */
#include "core/engine/winograd_results.h"

#include <string.h>

enum { PANELS = TILE * TILE }; /* of pixels, in a micro-panel of tiles */

static size_t first_channel(const struct winograd_block *block)
{
    return block->first_panel * block->conv->simd->gemm_rows;
}

static size_t end_channel(const struct winograd_block *block)
{
    return size_min(block->end_panel * block->conv->simd->gemm_rows, block->conv->out_channels);
}

/* Pixels of the map in a row of a strip: its last tile may extend beyond the edge, and all of it
 * may in a phase that is smaller than others. */
static size_t pixels_in_row(const struct winograd_block *block, const struct strip *strip)
{
    const struct pass *pass = block->source.pass;
    const size_t step = pass->window.dilation[AXIS_W],
                 first = strip->band->phase[AXIS_W] + TILE * strip->first * step;
    const size_t left = first < pass->in.w ? size_div_up(pass->in.w - first, step) : 0;
    return size_min(TILE * strip->count, left);
}

/* The index-th row of a strip, in the map; its height or more: it is beyond the edge. */
static size_t row_of(const struct winograd_block *block, const struct strip *strip, size_t index)
{
    return strip->band->phase[AXIS_H] +
           (TILE * strip->row + index) * block->source.pass->window.dilation[AXIS_H];
}

/* The first pixel of such a row, in its row of the map. */
static size_t column_of(const struct winograd_block *block, const struct strip *strip)
{
    return strip->band->phase[AXIS_W] +
           TILE * strip->first * block->source.pass->window.dilation[AXIS_W];
}

/* x[TILE][stride] = clamp(x + residual, low, high); NaN stays. */
static void add_residual(const struct winograd_block *block, const struct strip *strip,
                         size_t channel, float *x, size_t stride, float low, float high)
{
    const struct pass *pass = block->source.pass;
    const struct map *from = pass->residual;
    const size_t count = pixels_in_row(block, strip), pixel = map_pixel_stride(from);
    const size_t step = pass->window.dilation[AXIS_W] * pixel;
    for (size_t i = 0; i < TILE && row_of(block, strip, i) < pass->in.h; i++, x += stride) {
        const float *added =
            map_at(from, block->source.n, channel) +
            (row_of(block, strip, i) * pass->in.w + column_of(block, strip)) * pixel;
        if (step == 1)
            block->conv->simd->add(added, x, low, high, x, count);
        for (size_t j = 0; step > 1 && j < count; j++) {
            const float sum = x[j] + added[j * step];
            const float raised = sum < low ? low : sum;
            x[j] = raised > high ? high : raised;
        }
    }
}

/* One channel of a strip as pixels: ret[TILE][stride]. False: something was not finite. */
static bool transform_strip(const struct winograd_block *block, const struct strip *strip,
                            size_t channel, float *ret, size_t stride)
{
    const struct layer *conv = block->conv;
    const struct simd_ops *ops = conv->simd;
    const size_t at = channel - first_channel(block), width = ops->gemm_columns;
    const size_t tile_floats = ops->gemm_rows * width, place_floats = block->micros * tile_floats;
    struct simd_winograd_sums from = {
        .sums = block->sums + at / ops->gemm_rows * PLACES * place_floats +
                strip->micro * tile_floats + at % ops->gemm_rows * width + strip->column,
        .stride = place_floats,
        .count = strip->count,
        .scale = conv->scale32[channel],
        .shift = conv->shift32[channel]};
    fused_clamp(pass_clamp(block->source.pass), &from.low, &from.high);
    if (!block->source.pass->residual)
        return ops->winograd_output(&from, ret, stride);
    const float low = from.low, high = from.high;
    from.low = -INFINITY;
    from.high = INFINITY;
    const bool are_finite = ops->winograd_output(&from, ret, stride);
    add_residual(block, strip, channel, ret, stride, low, high);
    return are_finite;
}

/* ---- the conv alone ---- */

/* One channel of a strip, as pixels, to its place in the pass's map. */
static void store_pixels(const struct winograd_block *block, const struct strip *strip,
                         size_t channel, size_t stride)
{
    const struct pass *pass = block->source.pass;
    const size_t count = pixels_in_row(block, strip), column = column_of(block, strip);
    const size_t pixel = map_pixel_stride(&pass->ret), step = pass->window.dilation[AXIS_W] * pixel;
    float *map = map_at(&pass->ret, block->source.n, channel);
    for (size_t i = 0; i < TILE && row_of(block, strip, i) < pass->in.h; i++) {
        const float *from = block->pixels + i * stride;
        float *to = map + (row_of(block, strip, i) * pass->in.w + column) * pixel;
        if (step == 1)
            memcpy(to, from, count * sizeof *to);
        for (size_t j = 0; step > 1 && j < count; j++)
            to[j * step] = from[j];
    }
}

static bool store_by_channels(const struct winograd_block *block)
{
    const size_t stride = TILE * (block->micros * block->conv->simd->gemm_columns + TOGETHER);
    bool are_finite = true;
    for (size_t channel = first_channel(block); channel < end_channel(block); channel++)
        for (size_t i = 0; i < block->strip_count; i++) {
            const struct strip *strip = &block->strips[i];
            are_finite =
                transform_strip(block, strip, channel, block->pixels, stride) && are_finite;
            store_pixels(block, strip, channel, stride);
        }
    return are_finite;
}

/* ---- with more layers ---- */

/* Between panels: one line more, so that they do not all share a line of the cache. */
static size_t panel_stride(const struct simd_ops *ops, const struct pass *pass)
{
    return (pass_widest(pass) + 1) * ops->gemm_columns;
}

size_t winograd_results_floats(const struct simd_ops *ops, const struct pass *pass)
{
    if (pass->count == pass->fused)
        return 0;
    return (PANELS + 1) * panel_stride(ops, pass);
}

/* All channels of a micro-panel of tiles into the micro-panels of its pixels. */
static bool gather_results(const struct winograd_block *block, size_t micro, size_t panel_floats)
{
    const size_t width = block->conv->simd->gemm_columns, stride = TILE * (width + TOGETHER);
    bool are_finite = true;
    memset(block->pixels, 0, TILE * stride * sizeof *block->pixels); /* after the last tile */
    for (size_t channel = 0; channel < block->conv->out_channels; channel++) {
        for (size_t i = 0; i < block->strip_count; i++) {
            const struct strip *strip = &block->strips[i];
            if (strip->micro == micro)
                are_finite = transform_strip(block, strip, channel,
                                             block->pixels + TILE * strip->column, stride) &&
                             are_finite;
        }
        for (size_t panel = 0; panel < PANELS; panel++)
            memcpy(block->results + panel * panel_floats + channel * width,
                   block->pixels + panel / TILE * stride + panel % TILE * width,
                   width * sizeof *block->results);
    }
    return are_finite;
}

/* A strip's part of a micro-panel of pixels, to its place in the pass's map. */
static void store_panel(const struct winograd_block *block, const struct strip *strip, size_t panel,
                        const float *x)
{
    const struct pass *pass = block->source.pass;
    const size_t width = block->conv->simd->gemm_columns, row = TILE * strip->row + panel / TILE;
    const size_t panel_first = panel % TILE * width, panel_end = panel_first + width;
    const size_t run_first = TILE * strip->column,
                 run_end = run_first + pixels_in_row(block, strip);
    const size_t first = size_max(panel_first, run_first);
    const size_t end = size_min(panel_end, run_end);
    const struct pixels_of pixels = {
        block->source.n, row * pass->in.w + TILE * strip->first + (first - run_first), end - first};
    if (row < pass->in.h && first < end)
        store_columns(block->conv->simd, pass, &pixels, x + (first - panel_first));
}

/* The layers that follow, over one micro-panel of the pixels of a micro-panel of tiles. */
static void finish_panel(const struct winograd_block *block, size_t micro, size_t panel, float *x,
                         float *other)
{
    const size_t width = block->conv->simd->gemm_columns;
    if (panel % TILE * width >= TILE * (block->source.count - micro * width))
        return; /* after the last tile */
    const float *result = run_layers(block->source.state->run, block->source.pass, NULL, x, other);
    for (size_t i = 0; i < block->strip_count; i++)
        if (block->strips[i].micro == micro)
            store_panel(block, &block->strips[i], panel, result);
}

static bool store_by_panels(const struct winograd_block *block)
{
    const size_t panel_floats = panel_stride(block->conv->simd, block->source.pass);
    bool are_finite = true;
    for (size_t micro = 0; micro < block->micros; micro++) {
        are_finite = gather_results(block, micro, panel_floats) && are_finite;
        for (size_t panel = 0; panel < PANELS; panel++)
            finish_panel(block, micro, panel, block->results + panel * panel_floats,
                         block->results + PANELS * panel_floats);
    }
    return are_finite;
}

bool store_results(const struct winograd_block *block)
{
    const struct pass *pass = block->source.pass;
    return pass->count == pass->fused ? store_by_channels(block) : store_by_panels(block);
}
