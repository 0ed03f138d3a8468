/*
 * head.c - the head in passes over tiles of pixels.
 *
 * A pass gathers a block of columns, multiplies it, and applies all layers up to the next 3x3
 * convolution while the block is in cache; only then is it stored. The concat exists no further
 * than one block at a time, and where branches are folded not even that.
 */
#include "core/engine.h"
#include "core/threads.h"

#include <string.h>

enum { RUNS_MAX = 24 };

/* K steps packed at a time, and the runs of products over them. */
struct chunk {
    struct piece pieces[RUNS_MAX];
    size_t offsets[RUNS_MAX]; /* of each piece among the chunk's steps */
    size_t piece_count, steps;
    bool is_first, is_last;
};

/* Walks the steps of a conv: part, tap, channel. */
struct cursor {
    size_t part, tap, first;
};

static size_t part_branch(const struct work *work, const struct pass *pass, size_t part)
{
    return pass->map ? BRANCHES_MAX : plan_branch_of_part(work->spec, part);
}

/* Moves past parts that are folded: their products are taken from elsewhere. */
static void skip_folded(const struct work *work, const struct pass *pass, struct cursor *cursor)
{
    const struct layer *conv = pass->layers;
    while (cursor->part < conv->part_count) {
        const size_t branch = part_branch(work, pass, cursor->part);
        if (branch == BRANCHES_MAX || !work_folds(work, branch))
            return;
        *cursor = (struct cursor){.part = cursor->part + 1};
    }
}

static void next_chunk(const struct work *work, const struct pass *pass, struct cursor *cursor,
                       struct chunk *chunk)
{
    const struct layer *conv = pass->layers;
    const size_t taps = conv->kernel * conv->kernel;
    *chunk = (struct chunk){.is_first = cursor->part == 0 && cursor->tap == 0 && !cursor->first};
    skip_folded(work, pass, cursor);
    while (cursor->part < conv->part_count && chunk->piece_count < RUNS_MAX - 1 &&
           chunk->steps < CHUNK_STEPS_MAX) {
        const size_t left = conv->parts[cursor->part].channels - cursor->first;
        const size_t room = CHUNK_STEPS_MAX - chunk->steps;
        const size_t count = left < room ? left : room;
        chunk->offsets[chunk->piece_count] = chunk->steps;
        chunk->pieces[chunk->piece_count++] =
            (struct piece){cursor->part, cursor->tap, cursor->first, count};
        chunk->steps += count;
        cursor->first += count;
        if (count < left)
            break;
        cursor->first = 0;
        if (++cursor->tap == taps)
            *cursor = (struct cursor){.part = cursor->part + 1};
        skip_folded(work, pass, cursor);
    }
    chunk->is_last = cursor->part == conv->part_count;
}

/* How the product of a block is to be stored. */
struct target {
    float *c; /* of the block's first tile */
    size_t c_stride, tile_stride;
};

/* One panel of weights times one packed tile. */
static void multiply(const struct work *work, const struct pass *pass, const struct block *block,
                     const struct chunk *chunk, size_t panel, size_t tile, const float *packed,
                     const struct target *target, size_t layers_fused)
{
    const struct simd_ops *ops = core_simd();
    const struct plan *plan = work->plan;
    const struct layer *conv = pass->layers;
    const size_t width = ops->gemm_columns, row = panel * ops->gemm_rows;
    const size_t pixel = (block->first + tile) * width, left = plan->pixels - pixel;
    const size_t steps = plan->folded_steps;
    struct simd_gemm_run runs[RUNS_MAX];
    struct simd_gemm_tile product = {.runs = runs,
                                     .c = target->c + tile * target->tile_stride +
                                          row * target->c_stride,
                                     .c_stride = target->c_stride,
                                     .rows = conv_panel_rows(conv, panel),
                                     .columns = left < width ? left : width,
                                     .accumulates = !chunk->is_first};
    for (size_t i = 0; i < chunk->piece_count; i++) {
        const struct piece *piece = &chunk->pieces[i];
        runs[product.run_count++] = (struct simd_gemm_run){
            .a = conv_panel_at(conv, panel, piece->part, piece->tap, piece->first),
            .b = packed + chunk->offsets[i] * width,
            .k = piece->count};
        runs[product.run_count - 1].next_a =
            runs[product.run_count - 1].a +
            conv->in_channels * conv->kernel * conv->kernel * ops->gemm_rows;
    }
    if (chunk->is_last && !pass->map && steps > 0 && work->is_finite)
        runs[product.run_count++] = (struct simd_gemm_run){
            .a = work->folded + (block->n * conv->out_channels + row) * steps,
            .b = plan->interpolation + (block->first + tile) * steps * width,
            .k = steps};
    if (chunk->is_last) {
        product.scale = conv->scale32 + row;
        product.shift = conv->shift32 + row;
        fused_clamp(layers_fused == 2 ? conv + 1 : NULL, &product.low, &product.high);
    }
    ops->gemm_tile(&product);
}

/* The conv that a pass begins with, over a block; packed: room for a chunk of it. */
static void run_bottleneck(const struct work *work, const struct pass *pass,
                           const struct block *block, float *packed, const struct target *target,
                           size_t layers_fused)
{
    const size_t width = core_simd()->gemm_columns;
    const size_t panels = conv_panel_count(pass->layers);
    struct cursor cursor = {0};
    struct chunk chunk;
    do {
        next_chunk(work, pass, &cursor, &chunk);
        const size_t tile_floats = chunk.steps * width;
        for (size_t i = 0; i < chunk.piece_count; i++)
            gather(work, pass, block, pass->layers->kernel, &chunk.pieces[i],
                   packed + chunk.offsets[i] * width, tile_floats);
        for (size_t panel = 0; panel < panels; panel++)
            for (size_t tile = 0; tile < block->count; tile++)
                multiply(work, pass, block, &chunk, panel, tile, packed + tile * tile_floats,
                         target, layers_fused);
    } while (!chunk.is_last && !run_is_cancelled(work->run));
}

/* A later 1x1 conv of a pass: micro-panels to micro-panels, one tile. */
static void run_inner_conv(const struct layer *conv, const struct layer *next, const float *x,
                           float *ret)
{
    const struct simd_ops *ops = core_simd();
    const size_t width = ops->gemm_columns;
    struct simd_gemm_run run = {.b = x, .k = conv->in_channels};
    struct simd_gemm_tile tile = {
        .runs = &run, .run_count = 1, .c_stride = width, .columns = width};
    fused_clamp(next, &tile.low, &tile.high);
    for (size_t panel = 0; panel < conv_panel_count(conv); panel++) {
        const size_t row = panel * ops->gemm_rows;
        run.a = conv_panel_at(conv, panel, 0, 0, 0);
        tile.rows = conv_panel_rows(conv, panel);
        tile.scale = conv->scale32 + row;
        tile.shift = conv->shift32 + row;
        tile.c = ret + row * width;
        ops->gemm_tile(&tile);
    }
}

/* The layers of a pass from `from` on, over one tile; returns where the result stands: x or other.
 */
static float *run_layers(const struct pass *pass, size_t from, float *x, float *other)
{
    for (size_t i = from; i < pass->count; i++) {
        const struct layer *layer = &pass->layers[i];
        if (layer->kind != LAYER_CONV) {
            apply_pointwise(layer, x, 0, layer->out_channels);
            continue;
        }
        float low, high;
        const bool fuses = i + 1 < pass->count && fused_clamp(layer + 1, &low, &high);
        run_inner_conv(layer, fuses ? layer + 1 : NULL, x, other);
        float *result = other;
        other = x;
        x = result;
        i += fuses ? 1 : 0;
    }
    return x;
}

static void store_tile(const struct work *work, const struct pass *pass, size_t n, size_t tile,
                       const float *x)
{
    const size_t width = core_simd()->gemm_columns, pixels = work->plan->pixels;
    const size_t channels = pass->ret_channels, pixel = tile * width;
    const size_t columns = pixels - pixel < width ? pixels - pixel : width;
    float *ret = pass->ret + n * channels * pixels;
    if (pass->ret_layout == PPM_NCHW) {
        for (size_t c = 0; c < channels; c++)
            memcpy(ret + c * pixels + pixel, x + c * width, columns * sizeof *ret);
        return;
    }
    for (size_t j = 0; j < columns; j++)
        for (size_t c = 0; c < channels; c++)
            ret[(pixel + j) * channels + c] = x[c * width + j];
}

/* Gathers the concat itself, for a pass that does not begin with a conv. */
static void gather_parts(const struct work *work, const struct pass *pass,
                         const struct block *block, float *ret, size_t tile_stride)
{
    const struct spec *spec = work->spec;
    for (size_t part = 0; part < spec->part_count; part++) {
        const struct piece piece = {.part = part, .count = spec->parts[part].channels};
        gather(work, pass, block, 1, &piece,
               ret + spec->parts[part].first * core_simd()->gemm_columns, tile_stride);
    }
}

static void run_block(const struct work *work, const struct pass *pass, const struct block *block,
                      float *scratch)
{
    const size_t width = core_simd()->gemm_columns;
    const bool has_conv = pass->count > 0 && pass->layers[0].kind == LAYER_CONV;
    float low, high;
    const size_t fused = !has_conv                                                       ? 0
                         : pass->count > 1 && fused_clamp(&pass->layers[1], &low, &high) ? 2
                                                                                         : 1;
    const bool is_direct = fused == pass->count && has_conv && pass->ret_layout == PPM_NCHW;
    const size_t pixels = work->plan->pixels, tile_floats = pass_widest(work->spec, pass) * width;
    float *tiles = scratch, *other = tiles + block->count * tile_floats;
    float *packed = other + tile_floats;
    struct target target = {.c = tiles, .c_stride = width, .tile_stride = tile_floats};
    if (is_direct)
        target = (struct target){.c = pass->ret + block->n * pass->ret_channels * pixels +
                                      block->first * width,
                                 .c_stride = pixels,
                                 .tile_stride = width};
    if (has_conv)
        run_bottleneck(work, pass, block, packed, &target, fused);
    else
        gather_parts(work, pass, block, tiles, tile_floats);
    for (size_t tile = 0; tile < block->count && !is_direct; tile++) {
        float *x = tiles + tile * tile_floats;
        store_tile(work, pass, block->n, block->first + tile, run_layers(pass, fused, x, other));
    }
}

size_t pass_widest(const struct spec *spec, const struct pass *pass)
{
    const bool has_conv = pass->count > 0 && pass->layers[0].kind == LAYER_CONV;
    size_t widest = has_conv ? 0 : spec->concat_channels;
    for (size_t i = 0; i < pass->count; i++)
        if (pass->layers[i].out_channels > widest)
            widest = pass->layers[i].out_channels;
    return widest;
}

size_t pass_block_floats(const struct spec *spec, const struct pass *pass)
{
    const size_t width = core_simd()->gemm_columns;
    const bool has_conv = pass->count > 0 && pass->layers[0].kind == LAYER_CONV;
    size_t steps = 0;
    if (has_conv) {
        steps = pass->layers[0].in_channels * pass->layers[0].kernel * pass->layers[0].kernel;
        steps = steps < CHUNK_STEPS_MAX ? steps : CHUNK_STEPS_MAX;
    }
    return ((pass->block_tiles + 1) * pass_widest(spec, pass) + pass->block_tiles * steps) * width;
}

void stage_pass(struct work *work, const struct pass *pass)
{
    const size_t blocks = (work->plan->tile_count + pass->block_tiles - 1) / pass->block_tiles;
    float *scratch = work->blocks + (size_t)omp_get_thread_num() * work->block_floats;
#pragma omp for collapse(2) schedule(dynamic)
    for (size_t n = 0; n < work->n; n++)
        for (size_t i = 0; i < blocks; i++) {
            const size_t first = i * pass->block_tiles, left = work->plan->tile_count - first;
            const struct block block = {.n = n,
                                        .first = first,
                                        .count =
                                            left < pass->block_tiles ? left : pass->block_tiles};
            if (!run_is_cancelled(work->run))
                run_block(work, pass, &block, scratch);
        }
}

/* Channels are shared out: each is written once, from end to end. */
void stage_concat(struct work *work, float *ret)
{
    const struct spec *spec = work->spec;
    const struct plan *plan = work->plan;
    const size_t pixels = plan->pixels, w = plan->g.w;
    for (size_t part = 0; part < spec->part_count; part++) {
        const size_t branch = plan_branch_of_part(spec, part);
        const size_t channels = spec->parts[part].channels;
#pragma omp for collapse(2) schedule(dynamic, 8) nowait
        for (size_t n = 0; n < work->n; n++)
            for (size_t c = 0; c < channels; c++) {
                float *to =
                    ret + (n * spec->concat_channels + spec->parts[part].first + c) * pixels;
                if (branch == BRANCHES_MAX) {
                    memcpy(to, work->x + (n * channels + c) * pixels, pixels * sizeof *to);
                    continue;
                }
                for (size_t row = 0; row < plan->g.h; row++)
                    gather_row(work, branch, n, c, row, to + row * w);
            }
    }
#pragma omp barrier
}
