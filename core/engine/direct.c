/*
 * direct.c - a pass over blocks of tiles.
 *
 * A block is gathered and multiplied, and all layers up to the next 3x3 convolution are applied
 * while it is in cache; only then is it stored. The concat never exists beyond one block, and where
 * branches are folded not even that.
 */
#include "core/engine/direct.h"
#include "core/base/team.h"
#include "core/engine/direct_products.h"
#include "core/model/panels.h"
#include "core/plan/plan_columns.h"

#include <assert.h>

enum {
    /* Packed columns that a thread multiplies at a time stay in its second-level cache, next to the
     * weights that stream through, and to the next block if that is prefetched. */
    BLOCK_BYTES = 900 << 10,
    BLOCK_BYTES_AHEAD = 300 << 10,
    BLOCK_TILES_MAX = 8,
    SHARED_BLOCK_BYTES = 128 << 10, /* packed by every thread that shares its panels */
};

/* ---- sizes ---- */

/* Steps of K that are packed at a time. */
static size_t packed_steps(const struct pass *pass)
{
    return pass->fused > 0 ? size_min(pass_steps(pass), CHUNK_STEPS_MAX) : 0;
}

/* A block has as many tiles as fill a core's cache with packed columns, but no more than leave
 * enough blocks for all threads. If all tiles are few, threads share the panels instead, so that
 * they do not write to the same cache lines. */
static void choose_blocks(const struct section_state *state, struct pass *pass)
{
    const size_t all = pass->tiles.count, tasks = 4 * (size_t)state->of->threads;
    const size_t steps = pass->fused > 0 ? pass_steps(pass) : pass->channels;
    const size_t packed = size_min(steps, CHUNK_STEPS_MAX);
    const size_t tile_bytes = packed * state->simd->gemm_columns * sizeof(float);
    const bool is_pointwise = pass_is_pointwise(pass);
    assert(tile_bytes > 0);
    pass->panel_groups = 1;
    if (pass->is_conv_alone && is_pointwise && packed == steps &&
        all * tile_bytes <= SHARED_BLOCK_BYTES) {
        pass->block_tiles = all;
        pass->panel_groups = size_min(conv_panel_count(pass_conv(pass)), tasks);
        return;
    }
    const size_t fit = (is_pointwise ? BLOCK_BYTES_AHEAD : BLOCK_BYTES) / tile_bytes;
    const size_t fair = all * state->n / tasks;
    pass->block_tiles = size_max(size_min(size_min(fit, fair), BLOCK_TILES_MAX), 1);
}

/* Of the folded branches: U of the block's tiles, or their columns blended for a row. */
static size_t folded_floats(const struct section_plan *plan, const struct pass *pass)
{
    if (!pass->is_first || !section_folds(plan))
        return 0;
    if (plan->tiles.in_row > 0)
        return plan->pyramid->folded_steps * plan->simd->gemm_rows;
    return plan->pyramid->takes_columns && !plan_shares_columns(plan)
               ? plan->pyramid->folded_steps * pass->block_tiles * plan->simd->gemm_columns
               : 0;
}

size_t direct_plan(const struct section_state *state, struct pass *pass)
{
    choose_blocks(state, pass);
    const size_t results = pass->is_conv_alone ? 0 : (pass->block_tiles + 1) * pass_widest(pass);
    return (results + pass->block_tiles * packed_steps(pass)) * state->simd->gemm_columns +
           folded_floats(state->plan, pass);
}

/* ---- a block ---- */

/* ret[tile * tile_stride][channels][gemm_columns] = what the pass reads */
static void gather_parts(const struct block *block, float *ret, size_t tile_stride)
{
    for (size_t i = 0; i < block->pass->source_count; i++) {
        const struct source *source = &block->pass->sources[i];
        const struct piece piece = {.part = i, .count = source->channels};
        gather(block, &piece, ret + source->first * block->state->simd->gemm_columns, tile_stride);
    }
}

/* The pass's conv over a block, for one of the groups that share the panels. c: where the results
 * go, its rows c_stride and its tiles tile_stride apart. */
static void multiply(const struct block *source, size_t group, float *c, size_t c_stride,
                     size_t tile_stride, float *scratch)
{
    const struct section_state *state = source->state;
    const struct pass *pass = source->pass;
    const size_t panels = conv_panel_count(pass_conv(pass)), groups = pass->panel_groups;
    const size_t width = state->simd->gemm_columns;
    float *folded = scratch + source->count * packed_steps(pass) * width;
    const struct direct_block block = {
        .source = *source,
        .first_panel = panels * group / groups,
        .end_panel = panels * (group + 1) / groups,
        .c = c,
        .c_stride = c_stride,
        .c_tile_stride = tile_stride,
        .packed = scratch,
        .blended = folded,
        .columns = state->columns
                       ? state->columns + source->first * state->pyramid->folded_steps * width
                       : folded};
    direct_multiply(&block);
}

/* A block whose conv stores straight to the pass's map. */
static void run_conv(const struct block *block, size_t group, float *scratch)
{
    const struct pass *pass = block->pass;
    multiply(block, group,
             map_at(&pass->ret, block->n, 0) + tiles_at(&pass->tiles, block->first).first,
             map_channel_stride(&pass->ret), 0, scratch);
}

static void run_block(const struct block *block, float *scratch)
{
    const struct section_state *state = block->state;
    const struct pass *pass = block->pass;
    const size_t width = state->simd->gemm_columns;
    const size_t tile_floats = pass_widest(pass) * width;
    float *results = scratch, *other = results + block->count * tile_floats;
    if (pass->fused > 0)
        multiply(block, 0, results, width, tile_floats, other + tile_floats);
    else
        gather_parts(block, results, tile_floats);
    for (size_t i = 0; i < block->count; i++) {
        const struct tile_pixels tile = tiles_at(&pass->tiles, block->first + i);
        const struct pixels_of pixels = {block->n, tile.first, tile.columns};
        const float *result =
            run_layers(state->run, pass, &pixels, results + i * tile_floats, other);
        store_columns(state->simd, pass, &pixels, result);
    }
}

void direct_block(const struct block *block, size_t group, float *scratch)
{
    if (block->pass->is_conv_alone)
        run_conv(block, group, scratch);
    else
        run_block(block, scratch);
}

/* ---- a pass ---- */

static void run_maps(const struct section_state *state, const struct pass *pass, bool skips_finite)
{
    const size_t tiles = pass->tiles.count, together = pass->block_tiles;
    float *scratch = state->blocks + (size_t)omp_get_thread_num() * state->block_floats;
    const size_t blocks = size_div_up(tiles, together), groups = pass->panel_groups;
    struct team_loop loop = team_begin(state->of->shares, state->n * blocks * groups);
    for (size_t task; team_next(&loop, &task);) {
        const size_t n = task / groups / blocks, first = task / groups % blocks * together;
        const struct block block = {.state = state,
                                    .pass = pass,
                                    .n = n,
                                    .first = first,
                                    .count = size_min(tiles - first, together)};
        if ((skips_finite && state_is_finite(state, n)) || run_is_cancelled(state->run))
            continue;
        direct_block(&block, task % groups, scratch);
    }
    team_end(&loop);
}

bool direct_run(const struct section_state *state, const struct pass *pass)
{
    run_maps(state, pass, false);
    return true;
}

void direct_run_again(const struct section_state *state, const struct pass *pass)
{
    run_maps(state, pass, true);
}
