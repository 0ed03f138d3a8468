/*
 * head.c - the head in passes over tiles of pixels.
 *
 * A pass gathers a block of columns, multiplies it, and applies all layers up to the next 3x3
 * convolution while the block is in cache; only then is it stored. The concat exists no further
 * than one block at a time, and where branches are folded not even that.
 */
#include "core/base/threads.h"
#include "core/engine/engine.h"

#include <string.h>

/* A later 1x1 conv of a pass: micro-panels to micro-panels, one tile. */
static void run_inner_conv(const struct run *of, const struct layer *conv, const struct layer *next,
                           const float *x, float *ret)
{
    size_t done = 0;
    const struct simd_ops *ops = conv->simd;
    const size_t width = ops->gemm_columns;
    struct simd_gemm_run run = {.b = x, .k = conv->in_channels, .words = conv_float32_words(conv)};
    struct simd_gemm_tile tile = {
        .runs = &run, .run_count = 1, .c_stride = width, .columns = width};
    fused_clamp(next, &tile.low, &tile.high);
    for (size_t panel = 0; panel < conv_panel_count(conv) && run_goes_on(of, &done, run.k * width);
         panel++) {
        const size_t row = panel * ops->gemm_rows;
        tile.rows = conv_panel_rows(conv, panel);
        run.a = conv_panel_at(conv, panel, 0, 0, 0);
        run.next_a = run.a + conv_words(conv, run.k) * tile.rows;
        tile.scale = conv->scale32 + row;
        tile.shift = conv->shift32 + row;
        tile.c = ret + row * width;
        conv_multiply(conv, &tile);
    }
}

float *run_layers(const struct run *run, const struct pass *pass, float *x, float *other)
{
    for (size_t i = pass->fused; i < pass->count; i++) {
        const struct layer *layer = &pass->layers[i];
        if (layer->kind != LAYER_CONV) {
            apply_pointwise(layer, x, 0, layer->out_channels);
            continue;
        }
        float low, high;
        const bool fuses = i + 1 < pass->count && fused_clamp(layer + 1, &low, &high);
        run_inner_conv(run, layer, fuses ? layer + 1 : NULL, x, other);
        float *result = other;
        other = x;
        x = result;
        i += fuses ? 1 : 0;
    }
    return x;
}

void store_columns(const struct work *work, const struct pass *pass, size_t n, const float *x,
                   size_t first_pixel, size_t count)
{
    const size_t width = work->plan->simd->gemm_columns, all = work->plan->pixels;
    const size_t channels = pass->ret_channels;
    float *ret = pass->ret + n * channels * all;
    if (pass->ret_layout == PPM_NCHW) {
        for (size_t c = 0; c < channels; c++)
            memcpy(ret + c * all + first_pixel, x + c * width, count * sizeof *ret);
        return;
    }
    work->plan->simd->transpose(x, width, channels, count, ret + first_pixel * channels, channels);
}

/* Gathers what a pass reads, where it does not begin with a conv. */
static void gather_parts(const struct block *block)
{
    const struct spec *spec = block->work->spec;
    if (block->pass->map) {
        gather(block, &(struct piece){.count = block->pass->map_channels}, block->tiles,
               block->tile_floats);
        return;
    }
    for (size_t part = 0; part < spec->part_count; part++) {
        const struct piece piece = {.part = part, .count = spec->parts[part].channels};
        gather(block, &piece,
               block->tiles + spec->parts[part].first * block->work->plan->simd->gemm_columns,
               block->tile_floats);
    }
}

/* Steps of K that are packed at a time. */
static size_t packed_steps(const struct pass *pass)
{
    if (pass->fused == 0)
        return 0;
    const size_t steps = pass_steps(pass);
    return steps < CHUNK_STEPS_MAX ? steps : CHUNK_STEPS_MAX;
}

/* Tiles [first, first + count) of map n; of the panels, share `group` of the pass's groups. */
static void run_block(const struct work *work, const struct pass *pass, size_t n, size_t first,
                      size_t count, size_t group, float *scratch)
{
    const size_t width = work->plan->simd->gemm_columns;
    const size_t tile_floats = pass_widest(work->spec, pass) * width;
    const size_t panels = pass->fused > 0 ? conv_panel_count(pass->layers) : 0;
    struct block block = {.work = work,
                          .pass = pass,
                          .n = n,
                          .first = first,
                          .count = count,
                          .first_panel = panels * group / pass->panel_groups,
                          .end_panel = panels * (group + 1) / pass->panel_groups,
                          .tiles = scratch,
                          .tile_floats = tile_floats,
                          .c = scratch,
                          .c_stride = width};
    float *other = block.tiles + (pass->is_direct ? 0 : count * tile_floats);
    block.packed = other + (pass->is_direct ? 0 : tile_floats);
    block.blended = block.packed + count * packed_steps(pass) * width;
    block.columns = block.blended; /* it is one or the other */
    if (work->columns)
        block.columns =
            work->columns + first * work->plan->folded_steps * work->plan->simd->gemm_columns;
    if (pass->is_direct) {
        block.c_stride = work->plan->pixels;
        block.c = pass->ret + n * pass->ret_channels * block.c_stride +
                  plan_tile(work->plan, first).first;
    }
    if (pass->fused > 0)
        run_bottleneck(&block);
    else
        gather_parts(&block);
    for (size_t i = 0; i < count && !pass->is_direct; i++) {
        const struct plan_pixels pixels = plan_tile(work->plan, first + i);
        const float *result = run_layers(work->run, pass, block.tiles + i * tile_floats, other);
        store_columns(work, pass, n, result, pixels.first, pixels.columns);
    }
}

size_t pass_channels(const struct spec *spec, const struct pass *pass)
{
    return pass->count > 0 ? pass->layers[0].in_channels : spec->concat_channels;
}

size_t pass_steps(const struct pass *pass)
{
    const struct layer *conv = pass->layers;
    return pass->takes_pairs ? conv_panel_words(conv)
                             : conv->in_channels * conv->kernel * conv->kernel;
}

size_t pass_steps_of(const struct pass *pass, size_t channels)
{
    return pass->takes_pairs ? conv_words(pass->layers, channels) : channels;
}

size_t pass_widest(const struct spec *spec, const struct pass *pass)
{
    const bool has_conv = pass->count > 0 && pass->layers[0].kind == LAYER_CONV;
    size_t widest = has_conv ? 0 : pass_channels(spec, pass);
    for (size_t i = 0; i < pass->count; i++)
        if (pass->layers[i].out_channels > widest)
            widest = pass->layers[i].out_channels;
    return widest;
}

/* What folded branches take of a block's scratch: of a tile's U, or blended for a row. */
static size_t folded_block_floats(const struct plan *plan, const struct pass *pass)
{
    if (!pass->reads_concat || plan->is_winograd || plan_shares_columns(plan))
        return 0;
    return plan->folded_steps * (plan->is_row_wise ? plan->simd->gemm_rows
                                                   : pass->block_tiles * plan->simd->gemm_columns);
}

size_t pass_block_floats(const struct work *work, const struct pass *pass)
{
    const size_t width = work->plan->simd->gemm_columns;
    const size_t folded = folded_block_floats(work->plan, pass);
    const size_t results =
        pass->is_direct ? 0 : (pass->block_tiles + 1) * pass_widest(work->spec, pass);
    const size_t direct = (results + pass->block_tiles * packed_steps(pass)) * width + folded;
    const size_t winograd = pass->is_winograd ? winograd_block_floats(work->plan, pass) : 0;
    return direct > winograd ? direct : winograd;
}

void stage_pass(struct work *work, const struct pass *pass)
{
    const size_t tiles = work->plan->tile_count, together = pass->block_tiles;
    float *scratch = work->blocks + (size_t)omp_get_thread_num() * work->block_floats;
#pragma omp for collapse(3) schedule(dynamic, share_of_loop(work->n))
    for (size_t n = 0; n < work->n; n++)
        for (size_t first = 0; first < tiles; first += together)
            for (size_t group = 0; group < pass->panel_groups; group++) {
                const size_t left = tiles - first;
                if (!(pass->is_winograd && atomic_load(&work->is_finite[n])) &&
                    !run_is_cancelled(work->run))
                    run_block(work, pass, n, first, left < together ? left : together, group,
                              scratch);
            }
}

static void concat_channel(const struct work *work, size_t *done, size_t n, size_t channel,
                           float *ret)
{
    const struct spec *spec = work->spec;
    const size_t pixels = work->plan->pixels, w = work->plan->g.w;
    size_t part = 0;
    while (channel >= spec->parts[part].first + spec->parts[part].channels)
        part++;
    const size_t branch = plan_branch_of_part(spec, part), c = channel - spec->parts[part].first;
    if (branch == BRANCHES_MAX)
        run_copy(work->run, ret, work->x + (n * spec->channels + c) * pixels, pixels);
    else
        for (size_t row = 0; row < work->plan->g.h; row++)
            for (size_t left = 0; left < w; left += RUN_VALUES) {
                const size_t count = w - left < RUN_VALUES ? w - left : RUN_VALUES;
                if (!run_goes_on(work->run, done, count))
                    return;
                gather_row(work, branch, n, c, row, left, count, ret + row * w + left);
            }
}

/* Channels are shared out: each is written once, from end to end. */
void stage_concat(struct work *work, float *ret)
{
    const size_t channels = work->spec->concat_channels, planes = work->n * channels;
    const size_t share = 8 * share_of_loop(planes / 8);
    size_t done = 0;
#pragma omp for schedule(dynamic)
    for (size_t first = 0; first < planes; first += share) {
        const size_t end = first + share < planes ? first + share : planes;
        for (size_t plane = first; plane < end && run_goes_on(work->run, &done, 0); plane++)
            concat_channel(work, &done, plane / channels, plane % channels,
                           ret + plane * work->plan->pixels);
    }
}
