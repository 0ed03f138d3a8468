/* gather.c - see gather.h. */
#include "core/engine/gather.h"
#include "core/engine/upsample.h"

#include <string.h>

/* Neighboring columns of a tile whose pixels are neighbors on a row of the map. */
struct segment {
    size_t column, row, left, count;
};
enum { SEGMENTS_MAX = SIMD_GEMM_COLUMNS_MAX };

/* Segments of `columns` pixels from `pixel` on, as a tap of the kernel sees them, clipped to the
 * map [h][w]. Returns how many; *ret_covered: the columns that they cover. */
static size_t find_segments(size_t h, size_t w, const struct tile_pixels *pixels, size_t kernel,
                            size_t tap, struct segment *ret, size_t *ret_covered)
{
    const size_t border = kernel / 2, down = tap / kernel, right = tap % kernel;
    size_t count = 0, covered = 0;
    for (size_t column = 0; column < pixels->columns;) {
        const size_t row = (pixels->first + column) / w, left = (pixels->first + column) % w;
        const size_t length = size_min(w - left, pixels->columns - column);
        const size_t end = left + right + length; /* all in coordinates of the map with border */
        const size_t skip = left + right < border ? border - left - right : 0;
        const size_t over = end > w + border ? end - (w + border) : 0;
        if (row + down >= border && row + down < h + border && skip + over < length) {
            ret[count++] = (struct segment){.column = column + skip,
                                            .row = row + down - border,
                                            .left = left + skip + right - border,
                                            .count = length - skip - over};
            covered += length - skip - over;
        }
        column += length;
    }
    *ret_covered = covered;
    return count;
}

static void gather_branch(const struct run_state *state, size_t n, size_t branch,
                          const struct piece *piece, const struct segment *segments, size_t count,
                          float *ret)
{
    for (size_t i = 0; i < piece->count; i++, ret += state->plan->simd->gemm_columns)
        for (size_t s = 0; s < count; s++)
            upsample_row(state, branch, n, piece->first + i, segments[s].row, segments[s].left,
                         segments[s].count, ret + segments[s].column);
}

static void gather_map(const struct plan *plan, const float *map, size_t channels,
                       const struct segment *segments, size_t count, float *ret)
{
    const size_t w = plan->g.w, width = plan->simd->gemm_columns;
    for (size_t i = 0; i < channels; i++, map += plan->tiles.pixels, ret += width)
        for (size_t s = 0; s < count; s++)
            memcpy(ret + segments[s].column, map + segments[s].row * w + segments[s].left,
                   segments[s].count * sizeof *ret);
}

static void gather_map_nhwc(const struct plan *plan, const float *map, size_t stride,
                            size_t channels, const struct segment *segments, size_t count,
                            float *ret)
{
    const size_t w = plan->g.w, width = plan->simd->gemm_columns;
    for (size_t s = 0; s < count; s++)
        plan->simd->transpose(map + (segments[s].row * w + segments[s].left) * stride, stride,
                              segments[s].count, channels, ret + segments[s].column, width);
}

/* Channel first of the map that the pass reads. */
static const float *map_of(const struct block *block, size_t first)
{
    const struct pass *pass = block->pass;
    const size_t pixels = block->state->plan->tiles.pixels;
    return pass->map + block->n * pass->map_channels * pixels +
           first * (pass->map_layout == PPM_NHWC ? 1 : pixels);
}

static struct part part_of(const struct block *block, const struct piece *piece)
{
    return pass_part(block->state->spec, block->pass, piece->part);
}

static void gather_tile(const struct block *block, size_t tile, const struct piece *piece,
                        float *ret)
{
    const struct plan *plan = block->state->plan;
    const struct pass *pass = block->pass;
    const size_t width = plan->simd->gemm_columns, kernel = pass_kernel(pass);
    const struct tile_pixels pixels = tiles_at(&plan->tiles, tile);
    const struct part part = part_of(block, piece);
    const bool is_nhwc = part.source == PART_MAP && pass->map_layout == PPM_NHWC;
    const float *map = part.source == PART_MAP ? map_of(block, piece->first) : NULL;
    if (is_nhwc && kernel == 1) {
        plan->simd->transpose(map + pixels.first * pass->map_channels, pass->map_channels,
                              pixels.columns, piece->count, ret, width);
        return;
    }

    struct segment segments[SEGMENTS_MAX];
    size_t covered;
    const size_t count =
        find_segments(plan->g.h, plan->g.w, &pixels, kernel, piece->tap, segments, &covered);
    if (covered < width)
        memset(ret, 0, piece->count * width * sizeof *ret);
    if (part.source == PART_BRANCH)
        gather_branch(block->state, block->n, part.branch, piece, segments, count, ret);
    else if (is_nhwc)
        gather_map_nhwc(plan, map, pass->map_channels, piece->count, segments, count, ret);
    else
        gather_map(plan, map, piece->count, segments, count, ret);
}

const float *gather_in_place(const struct block *block, const struct piece *piece)
{
    const struct pass *pass = block->pass;
    const bool are_packed_by_tile = !pass->layers->bfloat16 || pass->takes_pairs;
    if (pass_kernel(pass) > 1 || part_of(block, piece).source != PART_MAP ||
        pass->map_layout != PPM_NCHW || !are_packed_by_tile)
        return NULL;
    return map_of(block, piece->first) + tiles_at(&block->state->plan->tiles, block->first).first;
}

void gather(const struct block *block, const struct piece *piece, float *ret, size_t tile_stride)
{
    for (size_t i = 0; i < block->count; i++)
        gather_tile(block, block->first + i, piece, ret + i * tile_stride);
}

/* Row `row` of the first `count` channels of a map of the pass, plane_stride apart. */
static void gather_map_row(const struct block *block, const float *map, size_t count, size_t row,
                           size_t plane_stride, float *ret)
{
    const struct plan *plan = block->state->plan;
    const size_t w = plan->g.w, channels = block->pass->map_channels;
    if (block->pass->map_layout == PPM_NHWC) {
        plan->simd->transpose(map + row * w * channels, channels, w, count, ret, plane_stride);
        return;
    }
    for (size_t c = 0; c < count; c++, map += plan->tiles.pixels, ret += plane_stride)
        memcpy(ret, map + row * w, w * sizeof *ret);
}

void gather_planes(const struct block *block, const struct piece *piece,
                   const struct planes *planes)
{
    const size_t h = block->state->plan->g.h, w = block->state->plan->g.w;
    const size_t above = planes->first_row == 0 ? 1 : 0; /* rows of the border */
    const size_t end = size_min(planes->rows, h + 1 - planes->first_row);
    const struct part part = part_of(block, piece);
    const float *map = part.source == PART_MAP ? map_of(block, piece->first) : NULL;
    for (size_t i = above; i < end; i++) {
        const size_t row = planes->first_row + i - 1;
        float *ret = planes->data + i * planes->row_stride + 1;
        if (map)
            gather_map_row(block, map, piece->count, row, planes->plane_stride, ret);
        for (size_t c = 0; !map && c < piece->count; c++, ret += planes->plane_stride)
            upsample_row(block->state, part.branch, block->n, piece->first + c, row, 0, w, ret);
    }
}

/* A few channels at a time, which are still in the first-level cache when they are rounded. */
void gather_pairs(const struct block *block, const struct piece *piece, float *ret,
                  size_t tile_stride)
{
    enum { CHANNELS = 64 };
    const size_t width = block->state->plan->simd->gemm_columns;
    float channels[CHANNELS * SIMD_GEMM_COLUMNS_MAX];
    for (size_t i = 0; i < block->count; i++)
        for (size_t at = 0; at < piece->count; at += CHANNELS) {
            const struct piece some = {piece->part, piece->tap, piece->first + at,
                                       size_min(piece->count - at, CHANNELS)};
            gather_tile(block, block->first + i, &some, channels);
            block->pass->layers->bfloat16->pack_pairs(channels, some.count, width,
                                                      ret + i * tile_stride + at / 2 * width);
        }
}
