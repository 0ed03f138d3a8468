/* gather.c - channels of the concat, or of a stored map, as the register tile reads them. */
#include "core/engine/engine.h"

#include <string.h>

/* Neighbouring columns of a tile whose pixels are neighbours on a row of the map. */
struct segment {
    size_t column, row, left, count;
};
enum { SEGMENTS_MAX = 64 };

/* Segments of the tile's columns, each pixel moved by the tap (down - 1, right - 1), clipped to the
 * map [h][w]. Returns how many; *ret_covered: the columns that they cover. */
static size_t find_segments(size_t h, size_t w, size_t pixel, size_t columns, size_t down,
                            size_t right, struct segment *ret, size_t *ret_covered)
{
    size_t count = 0, covered = 0;
    for (size_t column = 0; column < columns;) {
        const size_t row = (pixel + column) / w, left = (pixel + column) % w;
        const size_t length = w - left < columns - column ? w - left : columns - column;
        const size_t skip = left + right == 0 ? 1 : 0; /* the first pixel lies left of the map */
        const size_t over = left + right + length > w + 1 ? left + right + length - (w + 1) : 0;
        if (row + down >= 1 && row + down <= h && skip + over < length) {
            ret[count++] = (struct segment){.column = column + skip,
                                            .row = row + down - 1,
                                            .left = left + skip + right - 1,
                                            .count = length - skip - over};
            covered += length - skip - over;
        }
        column += length;
    }
    *ret_covered = covered;
    return count;
}

/* Of a branch that was to be folded and is not finite: its grid rows are stretched here and now. */
static void stretch_and_blend(const struct work *work, size_t branch, size_t n, size_t c,
                              const struct resize_tap *down, size_t left, size_t count, float *ret)
{
    enum { COLUMNS = 64 };
    float above[COLUMNS], below[COLUMNS];
    for (size_t at = 0; at < count; at += COLUMNS) {
        const size_t some = count - at < COLUMNS ? count - at : COLUMNS;
        stretch_row(work, branch, n, c, down->low, left + at, some, above);
        stretch_row(work, branch, n, c, down->high, left + at, some, below);
        work->plan->simd->lerp_rows(above, below, (float)down->weight, ret + at, some);
    }
}

/* ret[count] = columns [left, ...) of a row of channel c of a branch's upsampled map */
static void take_row(const struct work *work, size_t branch, size_t n, size_t c, size_t row,
                     size_t left, size_t count, float *ret)
{
    const struct plan *plan = work->plan;
    const size_t w = plan->g.branches[branch].target_w, h = plan->g.branches[branch].pooled_h;
    const struct resize_tap down = plan_row_tap(plan, branch, row);
    if (!work->expanded[branch]) {
        stretch_and_blend(work, branch, n, c, &down, left, count, ret);
        return;
    }
    const float *stretched =
        work->expanded[branch] + (n * work->results[branch].channels + c) * h * w + left;
    plan->simd->lerp_rows(stretched + down.low * w, stretched + down.high * w, (float)down.weight,
                          ret, count);
}

void gather_row(const struct work *work, size_t branch, size_t n, size_t c, size_t row, size_t left,
                size_t count, float *ret)
{
    take_row(work, branch, n, c, row, left, count, ret);
}

static void gather_branch(const struct work *work, size_t n, size_t branch,
                          const struct piece *piece, const struct segment *segments, size_t count,
                          float *ret)
{
    for (size_t i = 0; i < piece->count; i++, ret += work->plan->simd->gemm_columns)
        for (size_t s = 0; s < count; s++)
            take_row(work, branch, n, piece->first + i, segments[s].row, segments[s].left,
                     segments[s].count, ret + segments[s].column);
}

static void gather_map(const struct plan *plan, const float *map, size_t channels,
                       const struct segment *segments, size_t count, float *ret)
{
    const size_t w = plan->g.w, width = plan->simd->gemm_columns;
    for (size_t i = 0; i < channels; i++, map += plan->pixels, ret += width)
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

/* Channel first of map n: of the input, or of the pass before. */
static const float *map_of(const struct block *block, size_t first)
{
    const struct work *work = block->work;
    const struct pass *pass = block->pass;
    const bool is_nhwc = !pass->map && work->x_layout == PPM_NHWC;
    const size_t channels = pass->map ? pass->map_channels : work->spec->channels;
    return (pass->map ? pass->map : work->x) + block->n * channels * work->plan->pixels +
           first * (is_nhwc ? 1 : work->plan->pixels);
}

size_t block_branch(const struct block *block, size_t part)
{
    return block->pass->map ? BRANCHES_MAX : plan_branch_of_part(block->work->spec, part);
}

/* One tile, whatever the tap and the part. */
static void gather_tile(const struct block *block, size_t tile, const struct piece *piece,
                        float *ret)
{
    const struct plan *plan = block->work->plan;
    const size_t width = plan->simd->gemm_columns;
    const struct plan_pixels pixels = plan_tile(plan, tile);
    const size_t branch = block_branch(block, piece->part);
    const bool is_nhwc = !block->pass->map && block->work->x_layout == PPM_NHWC;
    const bool is_point = block->pass->fused == 0 || block->pass->layers->kernel == 1;
    const size_t channels = block->work->spec->channels;
    const float *map = map_of(block, piece->first);
    if (branch == BRANCHES_MAX && is_point && is_nhwc) {
        plan->simd->transpose(map + pixels.first * channels, channels, pixels.columns, piece->count,
                              ret, width);
        return;
    }

    struct segment segments[SEGMENTS_MAX];
    size_t covered;
    const size_t count = find_segments(plan->g.h, plan->g.w, pixels.first, pixels.columns,
                                       is_point ? 1 : piece->tap / 3, is_point ? 1 : piece->tap % 3,
                                       segments, &covered);
    if (covered < width)
        memset(ret, 0, piece->count * width * sizeof *ret);
    if (branch != BRANCHES_MAX)
        gather_branch(block->work, block->n, branch, piece, segments, count, ret);
    else if (is_nhwc)
        gather_map_nhwc(plan, map, channels, piece->count, segments, count, ret);
    else
        gather_map(plan, map, piece->count, segments, count, ret);
}

const float *rows_in_place(const struct block *block, const struct piece *piece)
{
    const struct layer *conv = block->pass->layers;
    const bool is_nchw = block->pass->map || block->work->x_layout == PPM_NCHW;
    const bool are_packed_by_tile = !conv->bfloat16 || block->pass->takes_pairs;
    if (conv->kernel > 1 || block_branch(block, piece->part) != BRANCHES_MAX || !is_nchw ||
        !are_packed_by_tile)
        return NULL;
    return map_of(block, piece->first) + plan_tile(block->work->plan, block->first).first;
}

void gather(const struct block *block, const struct piece *piece, float *ret, size_t tile_stride)
{
    for (size_t i = 0; i < block->count; i++)
        gather_tile(block, block->first + i, piece, ret + i * tile_stride);
}

void gather_rows(const struct block *block, const struct piece *piece, const struct rows *rows,
                 float *ret)
{
    const struct plan *plan = block->work->plan;
    const size_t h = plan->g.h, w = plan->g.w, channels = block->work->spec->channels;
    const size_t branch = block_branch(block, piece->part);
    const bool is_nhwc = !block->pass->map && block->work->x_layout == PPM_NHWC;
    const float *map = branch == BRANCHES_MAX ? map_of(block, piece->first) : NULL;
    for (size_t i = rows->first == 0 ? 1 : 0; i < rows->count && rows->first + i <= h; i++) {
        const size_t row = rows->first + i - 1;
        float *to = ret + i * rows->stride + 1;
        if (map && is_nhwc) {
            plan->simd->transpose(map + row * w * channels, channels, w, piece->count, to,
                                  rows->plane_stride);
            continue;
        }
        for (size_t c = 0; c < piece->count; c++, to += rows->plane_stride)
            if (map)
                memcpy(to, map + c * plan->pixels + row * w, w * sizeof *to);
            else
                gather_row(block->work, branch, block->n, piece->first + c, row, 0, w, to);
    }
}

/* So many channels at a time that they are rounded where they were gathered, in the first-level
 * cache. */
void gather_pairs(const struct block *block, const struct piece *piece, float *ret,
                  size_t tile_stride)
{
    enum { CHANNELS = 64 };
    const size_t width = block->work->plan->simd->gemm_columns;
    float channels[CHANNELS * SIMD_GEMM_COLUMNS_MAX];
    for (size_t i = 0; i < block->count; i++)
        for (size_t at = 0; at < piece->count; at += CHANNELS) {
            const size_t left = piece->count - at;
            const struct piece some = {piece->part, piece->tap, piece->first + at,
                                       left < CHANNELS ? left : CHANNELS};
            gather_tile(block, block->first + i, &some, channels);
            block->pass->layers->bfloat16->pack_pairs(channels, some.count, width,
                                                      ret + i * tile_stride + at / 2 * width);
        }
}
