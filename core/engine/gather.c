/* gather.c - see gather.h. */
#include "core/engine/gather.h"
#include "core/engine/upsample.h"

#include <string.h>

/* Neighboring columns of a tile whose pixels are on one row of the map. */
struct segment {
    size_t column;
    struct span span;
};
enum { SEGMENTS_MAX = SIMD_GEMM_COLUMNS_MAX };

/* Of outputs [first, first + count) on an axis, those that a tap sees within extent pixels:
 * output i sees pixel i * stride + offset - before. Returns how many; *ret_skip come before them.
 */
static size_t clip(size_t first, size_t count, size_t stride, size_t offset, size_t before,
                   size_t extent, size_t *ret_skip)
{
    const size_t at = first * stride + offset, past = extent + before;
    const size_t skip = at < before ? size_div_up(before - at, stride) : 0;
    const size_t end = at < past ? size_min(size_div_up(past - at, stride), count) : 0;
    *ret_skip = skip;
    return skip < end ? end - skip : 0;
}

/* Segments of the outputs of a tile, as a tap of the window sees them, clipped to the map. Returns
 * how many; *ret_covered: the columns that they cover. */
static size_t find_segments(const struct pass *pass, const struct tile_pixels *pixels, size_t tap,
                            struct segment *ret, size_t *ret_covered)
{
    const struct window *window = &pass->window;
    const size_t w = pass->tiles.map_w, along = window->size[AXIS_W];
    const size_t down_by = tap / along * window->dilation[AXIS_H],
                 right_by = tap % along * window->dilation[AXIS_W];
    size_t count = 0, covered = 0;
    for (size_t column = 0; column < pixels->columns;) {
        const size_t row = (pixels->first + column) / w, left = (pixels->first + column) % w;
        const size_t length = size_min(w - left, pixels->columns - column);
        size_t above, skip;
        const size_t rows = clip(row, 1, window->stride[AXIS_H], down_by, window->before[AXIS_H],
                                 pass->in.h, &above);
        const size_t seen = clip(left, length, window->stride[AXIS_W], right_by,
                                 window->before[AXIS_W], pass->in.w, &skip);
        if (rows > 0 && seen > 0) {
            const struct span span = {
                .row = row * window->stride[AXIS_H] + down_by - window->before[AXIS_H],
                .left = (left + skip) * window->stride[AXIS_W] + right_by - window->before[AXIS_W],
                .count = seen,
                .step = window->stride[AXIS_W]};
            ret[count++] = (struct segment){column + skip, span};
            covered += seen;
        }
        column += length;
    }
    *ret_covered = covered;
    return count;
}

static void gather_branch(const struct block *block, size_t branch, const struct piece *piece,
                          const struct span *span, size_t ret_stride, float *ret)
{
    const size_t together = span->step == 1 ? span->count : 1;
    for (size_t i = 0; i < piece->count; i++, ret += ret_stride)
        for (size_t j = 0; j < span->count; j += together)
            upsample_row(block->state, branch, block->n, piece->first + i, span->row,
                         span->left + j * span->step, together, ret + j);
}

static void gather_map(const struct block *block, const struct source *source,
                       const struct piece *piece, const struct span *span, size_t ret_stride,
                       float *ret)
{
    const size_t pixel = map_pixel_stride(&source->map), channel = map_channel_stride(&source->map);
    const float *map = map_at(&source->map, block->n, source->from + piece->first) +
                       (span->row * source->map.w + span->left) * pixel;
    if (source->map.layout == PPM_NHWC) {
        block->state->simd->transpose(map, span->step * pixel, span->count, piece->count, ret,
                                      ret_stride);
        return;
    }
    if (span->step > 1) {
        block->state->simd->pick_rows(map, channel, piece->count, span->step, span->count, ret,
                                      ret_stride);
        return;
    }
    for (size_t i = 0; i < piece->count; i++, map += channel, ret += ret_stride)
        memcpy(ret, map, span->count * sizeof *ret);
}

void gather_span(const struct block *block, const struct piece *piece, const struct span *span,
                 size_t ret_stride, float *ret)
{
    const struct source *source = &block->pass->sources[piece->part];
    if (source->kind == PART_BRANCH)
        gather_branch(block, source->branch, piece, span, ret_stride, ret);
    else if (source->kind == PART_STRETCHED)
        stretch_pixels(block->state, source, block->n, piece->first, piece->count, span, ret,
                       ret_stride);
    else
        gather_map(block, source, piece, span, ret_stride, ret);
}

static void gather_tile(const struct block *block, size_t tile, const struct piece *piece,
                        float *ret)
{
    const struct pass *pass = block->pass;
    const struct source *source = &pass->sources[piece->part];
    const size_t width = block->state->simd->gemm_columns;
    const struct tile_pixels pixels = tiles_at(&pass->tiles, tile);
    if (source->kind == PART_MAP && source->map.layout == PPM_NHWC && pass_is_pointwise(pass)) {
        const size_t stride = map_pixel_stride(&source->map);
        block->state->simd->transpose(map_at(&source->map, block->n, source->from + piece->first) +
                                          pixels.first * stride,
                                      stride, pixels.columns, piece->count, ret, width);
        return;
    }
    struct segment segments[SEGMENTS_MAX];
    size_t covered;
    const size_t count = find_segments(pass, &pixels, piece->tap, segments, &covered);
    if (covered < width)
        memset(ret, 0, piece->count * width * sizeof *ret);
    for (size_t i = 0; i < count; i++)
        gather_span(block, piece, &segments[i].span, width, ret + segments[i].column);
}

const float *gather_in_place(const struct block *block, const struct piece *piece,
                             size_t *ret_stride)
{
    const struct pass *pass = block->pass;
    const struct source *source = &pass->sources[piece->part];
    const bool are_packed_by_tile = !pass->layers[0]->bfloat16 || pass->takes_pairs;
    if (!pass_is_pointwise(pass) || source->kind != PART_MAP || source->map.layout != PPM_NCHW ||
        !are_packed_by_tile)
        return NULL;
    *ret_stride = map_channel_stride(&source->map);
    return map_at(&source->map, block->n, source->from + piece->first) +
           tiles_at(&pass->tiles, block->first).first;
}

void gather(const struct block *block, const struct piece *piece, float *ret, size_t tile_stride)
{
    for (size_t i = 0; i < block->count; i++)
        gather_tile(block, block->first + i, piece, ret + i * tile_stride);
}

static size_t in_phase(size_t extent, size_t phase, size_t step)
{
    return extent > phase ? size_div_up(extent - phase, step) : 0;
}

void gather_planes(const struct block *block, const struct piece *piece,
                   const struct planes *planes)
{
    const struct map_size in = block->pass->in;
    const size_t h = in_phase(in.h, planes->phase[AXIS_H], planes->step[AXIS_H]);
    const size_t w = in_phase(in.w, planes->phase[AXIS_W], planes->step[AXIS_W]);
    const size_t above = planes->first_row == 0 ? 1 : 0; /* rows of the border */
    for (size_t i = above; i < planes->rows && planes->first_row + i <= h; i++) {
        const size_t row = planes->first_row + i - 1;
        const struct span span = {.row = planes->phase[AXIS_H] + row * planes->step[AXIS_H],
                                  .left = planes->phase[AXIS_W],
                                  .count = w,
                                  .step = planes->step[AXIS_W]};
        gather_span(block, piece, &span, planes->plane_stride,
                    planes->data + i * planes->row_stride + 1);
    }
}

/* A few channels at a time, which are still in the first-level cache when they are rounded. */
void gather_pairs(const struct block *block, const struct piece *piece, float *ret,
                  size_t tile_stride)
{
    enum { CHANNELS = 64 };
    const size_t width = block->state->simd->gemm_columns;
    float channels[CHANNELS * SIMD_GEMM_COLUMNS_MAX];
    for (size_t i = 0; i < block->count; i++)
        for (size_t at = 0; at < piece->count; at += CHANNELS) {
            const struct piece some = {piece->part, piece->tap, piece->first + at,
                                       size_min(piece->count - at, CHANNELS)};
            gather_tile(block, block->first + i, &some, channels);
            block->pass->layers[0]->bfloat16->pack_pairs(channels, some.count, width,
                                                         ret + i * tile_stride + at / 2 * width);
        }
}
