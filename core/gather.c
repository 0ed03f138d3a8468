/* gather.c - channels of the concat, or of a stored map, as the register tile reads them. */
#include "core/engine.h"

#include <string.h>

/* Neighbouring columns of a tile whose pixels are neighbours on a row of the map. */
struct segment {
    size_t column, row, left, count;
};
enum { SEGMENTS_MAX = 64 };

/* Segments of the tile's columns, each pixel moved by the tap (down - 1, right - 1), clipped to the
 * map [h][w]. Returns how many; *ret_covers says whether they cover all columns of the panel. */
static size_t find_segments(size_t h, size_t w, size_t pixel, size_t columns, size_t down,
                            size_t right, struct segment *ret, bool *ret_covers)
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
    *ret_covers = covered == core_simd()->gemm_columns;
    return count;
}

/* A row of one channel of a branch's upsampled map, from its stretched rows [ph][w]. */
static void take_row(const struct plan *plan, size_t branch, const float *stretched, size_t row,
                     size_t left, size_t count, float *ret)
{
    const size_t w = plan->g.branches[branch].target_w;
    const struct resize_tap *tap = &plan->row_taps[branch][row];
    core_simd()->lerp_rows(stretched + tap->low * w + left, stretched + tap->high * w + left,
                           (float)tap->weight, ret, count);
}

void gather_row(const struct work *work, size_t branch, size_t n, size_t c, size_t row, float *ret)
{
    const struct branch_geometry *g = &work->plan->g.branches[branch];
    const size_t channels = work->results[branch].channels;
    take_row(work->plan, branch,
             work->expanded[branch] + (n * channels + c) * g->pooled_h * g->target_w, row, 0,
             g->target_w, ret);
}

static void gather_branch(const struct work *work, size_t n, size_t branch,
                          const struct piece *piece, const struct segment *segments, size_t count,
                          float *ret)
{
    const struct branch_geometry *g = &work->plan->g.branches[branch];
    const size_t channel_floats = g->pooled_h * g->target_w, width = core_simd()->gemm_columns;
    const float *stretched = work->expanded[branch] +
                             (n * work->results[branch].channels + piece->first) * channel_floats;
    for (size_t i = 0; i < piece->count; i++, stretched += channel_floats, ret += width)
        for (size_t s = 0; s < count; s++)
            take_row(work->plan, branch, stretched, segments[s].row, segments[s].left,
                     segments[s].count, ret + segments[s].column);
}

static void gather_map(const float *map, size_t h, size_t w, size_t channels,
                       const struct segment *segments, size_t count, float *ret)
{
    const size_t width = core_simd()->gemm_columns;
    for (size_t i = 0; i < channels; i++, map += h * w, ret += width)
        for (size_t s = 0; s < count; s++)
            memcpy(ret + segments[s].column, map + segments[s].row * w + segments[s].left,
                   segments[s].count * sizeof *ret);
}

static void gather_map_nhwc(const float *map, size_t w, size_t stride, size_t channels,
                            const struct segment *segments, size_t count, float *ret)
{
    const size_t width = core_simd()->gemm_columns;
    for (size_t s = 0; s < count; s++)
        for (size_t j = 0; j < segments[s].count; j++) {
            const float *pixel = map + (segments[s].row * w + segments[s].left + j) * stride;
            for (size_t i = 0; i < channels; i++)
                ret[i * width + segments[s].column + j] = pixel[i];
        }
}

/* The input's or the map's channels of a piece, and how many channels it has in all. */
static const float *map_of(const struct work *work, const struct pass *pass, size_t n,
                           size_t *ret_channels)
{
    *ret_channels = pass->map ? pass->map_channels : work->spec->channels;
    return (pass->map ? pass->map : work->x) + n * *ret_channels * work->plan->pixels;
}

/* One tile, whatever the tap and the part. */
static void gather_tile(const struct work *work, const struct pass *pass, size_t n, size_t tile,
                        size_t kernel, const struct piece *piece, float *ret)
{
    const struct plan *plan = work->plan;
    const size_t h = plan->g.h, w = plan->g.w, width = core_simd()->gemm_columns;
    const size_t pixel = tile * width;
    const size_t columns = plan->pixels - pixel < width ? plan->pixels - pixel : width;
    const size_t branch = pass->map ? BRANCHES_MAX : plan_branch_of_part(work->spec, piece->part);
    const bool is_nhwc = !pass->map && work->x_layout == PPM_NHWC;
    size_t channels;
    const float *map = map_of(work, pass, n, &channels);
    if (branch == BRANCHES_MAX && kernel == 1 && is_nhwc) {
        core_simd()->pack_columns(map + pixel * channels + piece->first, channels, piece->count,
                                  columns, ret);
        return;
    }

    struct segment segments[SEGMENTS_MAX];
    bool covers;
    const size_t count = find_segments(h, w, pixel, columns, kernel == 1 ? 1 : piece->tap / 3,
                                       kernel == 1 ? 1 : piece->tap % 3, segments, &covers);
    if (!covers)
        memset(ret, 0, piece->count * width * sizeof *ret);
    if (branch != BRANCHES_MAX)
        gather_branch(work, n, branch, piece, segments, count, ret);
    else if (is_nhwc)
        gather_map_nhwc(map + piece->first, w, channels, piece->count, segments, count, ret);
    else
        gather_map(map + piece->first * plan->pixels, h, w, piece->count, segments, count, ret);
}

void gather(const struct work *work, const struct pass *pass, const struct block *block,
            size_t kernel, const struct piece *piece, float *ret, size_t tile_stride)
{
    const size_t pixels = work->plan->pixels, width = core_simd()->gemm_columns;
    const bool is_map =
        pass->map || (plan_branch_of_part(work->spec, piece->part) == BRANCHES_MAX &&
                      work->x_layout == PPM_NCHW);
    if (is_map && kernel == 1) {
        const size_t pixel = block->first * width, left = pixels - pixel;
        const size_t columns = left < block->count * width ? left : block->count * width;
        size_t channels;
        const float *map = map_of(work, pass, block->n, &channels);
        core_simd()->pack_rows(map + piece->first * pixels + pixel, pixels, piece->count, columns,
                               ret, tile_stride);
        return;
    }
    for (size_t tile = 0; tile < block->count; tile++)
        gather_tile(work, pass, block->n, block->first + tile, kernel, piece,
                    ret + tile * tile_stride);
}
