/*
 * winograd.c - a 3x3 conv in a quarter of the products: Winograd's F(4x4, 3x3).
 *
 * Tiles of 4 x 4 outputs are the columns of 36 matrix products, one for each place of the
 * transformed domain. A thread takes a block of tiles and walks K in chunks: it transforms the
 * chunk's inputs once, and the weights of a panel right before they are multiplied. So neither is
 * ever stored as a whole, and weights are read untransformed, at a quarter of the size. The sums of
 * all panels are kept until all of K is done.
 *
 * A transform spreads a value that is not finite, or gets too large, over its tile. Such a map is
 * computed again in the direct form, in this pass and those after it.
 */
#include "core/engine/winograd.h"
#include "core/base/team.h"
#include "core/engine/direct.h"
#include "core/engine/direct_products.h"
#include "core/engine/fold.h"
#include "core/engine/winograd_inputs.h"
#include "core/engine/winograd_results.h"
#include "core/model/panels.h"

#include <string.h>

/* ---- scratch ---- */

struct scratch_sizes {
    size_t planes, seen, inputs, weights, sums, pixels, results;
};

static size_t in_lines(size_t floats)
{
    return size_round_up(floats, LINE_FLOATS);
}

/* The most panels whose sums a block keeps. */
static size_t panels_of_block(const struct layer *conv)
{
    const size_t columns = winograd_columns(conv->simd);
    const size_t bytes = PLACES * conv->simd->gemm_rows * columns * sizeof(float);
    return size_min(SUMS_BYTES / bytes, conv_panel_count(conv));
}

/* Between places: not a multiple of the page size, or all would share a line of the cache. */
static size_t weights_stride(size_t steps, size_t rows)
{
    return in_lines(steps * rows) + LINE_FLOATS;
}

static struct scratch_sizes scratch_of(const struct section_plan *plan, const struct pass *pass)
{
    const struct simd_ops *ops = plan->simd;
    const size_t columns = winograd_columns(ops), steps = winograd_steps(ops);
    return (struct scratch_sizes){
        .planes =
            in_lines(PLANES_TOGETHER * winograd_rows_max(ops, pass) * winograd_row_floats(pass)),
        .seen = pass->is_first ? in_lines(seen_floats(plan)) : 0,
        .inputs = in_lines(PLACES * (steps * columns + LINE_FLOATS)),
        .weights = PLACES * weights_stride(steps, ops->gemm_rows),
        .sums = in_lines(panels_of_block(pass_conv(pass)) * PLACES * ops->gemm_rows * columns),
        .pixels = in_lines(TILE * TILE * (columns + TOGETHER)),
        .results = winograd_results_floats(ops, pass),
    };
}

size_t winograd_plan(const struct section_state *state, struct pass *pass)
{
    const size_t direct = direct_plan(state, pass);
    const struct scratch_sizes sizes = scratch_of(state->plan, pass);
    return size_max(direct, sizes.planes + sizes.seen + sizes.inputs + sizes.weights + sizes.sums +
                                sizes.pixels + sizes.results);
}

static void take_scratch(struct winograd_block *block, const struct pass *pass, float *scratch)
{
    const struct scratch_sizes sizes = scratch_of(block->source.state->plan, pass);
    block->planes = scratch;
    block->seen = block->planes + sizes.planes;
    block->inputs = block->seen + sizes.seen;
    block->weights = block->inputs + sizes.inputs;
    block->sums = block->weights + sizes.weights;
    block->pixels = block->sums + sizes.sums;
    block->results = block->pixels + sizes.pixels;
}

/* ---- products ---- */

/* sums += the weights of a panel, transformed, times a chunk of inputs. next_taps[tap *
 * tap_stride]: what will be multiplied next, to be prefetched meanwhile; NULL: nothing. */
static void multiply(const struct winograd_block *block, size_t panel,
                     const struct winograd_chunk *chunk, bool accumulates, const float *next_taps,
                     size_t tap_stride)
{
    const struct simd_ops *ops = block->conv->simd;
    const size_t width = ops->gemm_columns, rows = conv_panel_rows(block->conv, panel);
    const size_t tile_floats = ops->gemm_rows * width;
    struct simd_gemm_run run = {.k = chunk->steps};
    struct simd_gemm_tile tile = {.runs = &run,
                                  .run_count = 1,
                                  .c = block->sums + (panel - block->first_panel) * PLACES *
                                                         block->micros * tile_floats,
                                  .c_stride = width,
                                  .rows = rows,
                                  .accumulates = accumulates};
    for (size_t place = 0; place < PLACES; place++) {
        run.a = block->weights + place * weights_stride(chunk->steps, rows);
        run.next_a = next_taps && place < TAPS ? next_taps + place * tap_stride : run.a;
        for (size_t micro = 0; micro < block->micros; micro++, tile.c += tile_floats) {
            run.b = chunk->data + place * chunk->place_stride + micro * chunk->micro_stride;
            tile.columns = size_min(block->source.count - micro * width, width);
            ops->gemm_tile(&tile);
        }
    }
}

/* Channels [first, first + steps) of a part, for all panels. */
static void multiply_part(const struct winograd_block *block, size_t part, size_t first,
                          size_t steps, bool accumulates)
{
    const struct layer *conv = block->conv;
    const struct winograd_chunk chunk = transform_channels(block, part, first, steps);
    for (size_t panel = block->first_panel; panel < block->end_panel; panel++) {
        const size_t rows = conv_panel_rows(conv, panel);
        const size_t tap_stride = conv->parts[part].channels * rows;
        const bool is_last = panel + 1 == block->end_panel;
        conv->simd->winograd_weights(conv_panel_at(conv, panel, part, 0, first), tap_stride,
                                     steps * rows, block->weights, weights_stride(steps, rows));
        multiply(block, panel, &chunk, accumulates,
                 is_last ? NULL : conv_panel_at(conv, panel + 1, part, 0, first), tap_stride);
    }
}

/* The weights of folded points [first, first + steps) for a panel, W_i b_i, transformed. */
static void transform_folded(const struct winograd_block *block, size_t panel, size_t first,
                             size_t steps)
{
    const struct section_state *state = block->source.state;
    const size_t rows = conv_panel_rows(block->conv, panel), end = first + steps;
    const float *folded = folded_panel(state, block->source.n, panel);
    float *ret = block->weights;
    size_t begin = 0;
    for (size_t i = 0; i < state->pyramid->pyramid->branch_count; i++) {
        const size_t points =
            state->pyramid->is_folded[i] ? geometry_points(&state->pyramid->g, i) : 0;
        const size_t from = first > begin ? first - begin : 0;
        const size_t to = end > begin ? end - begin : 0;
        const size_t count = size_min(to, points) - size_min(from, points);
        if (count > 0)
            state->simd->winograd_weights(folded + from * rows, points * rows, count * rows, ret,
                                          weights_stride(steps, rows));
        folded += TAPS * points * rows;
        ret += count * rows;
        begin += points;
    }
}

/* The folded branches: each point of their grids is a channel. */
static void multiply_folded(const struct winograd_block *block, bool accumulates)
{
    const struct section_state *state = block->source.state;
    const size_t all = winograd_points(state->plan), steps_max = winograd_steps(state->simd);
    find_seen(block);
    for (size_t first = 0; first < all && !run_is_cancelled(state->run); first += steps_max) {
        const size_t steps = size_min(all - first, steps_max);
        const struct winograd_chunk chunk = transform_points(block, first, steps);
        for (size_t panel = block->first_panel; panel < block->end_panel; panel++) {
            transform_folded(block, panel, first, steps);
            multiply(block, panel, &chunk, accumulates, NULL, 0);
        }
        accumulates = true;
    }
}

/* ---- blocks ---- */

/* False: something was not finite. */
static bool run_block(struct winograd_block *block)
{
    const struct section_state *state = block->source.state;
    const struct layer *conv = block->conv;
    const size_t steps_max = winograd_steps(conv->simd);
    bool accumulates = false, folds = false;
    winograd_find_strips(block);
    memset(block->planes, 0,
           PLANES_TOGETHER * block->rows * winograd_row_floats(block->source.pass) *
               sizeof *block->planes);
    for (size_t i = 0; i < block->source.pass->source_count; i++) {
        const struct source *source = &block->source.pass->sources[i];
        if (source->kind == PART_BRANCH && state->pyramid->is_folded[source->branch]) {
            folds = true;
            continue;
        }
        for (size_t first = 0; first < source->channels; first += steps_max) {
            if (run_is_cancelled(state->run))
                return true;
            multiply_part(block, i, first, size_min(source->channels - first, steps_max),
                          accumulates);
            accumulates = true;
        }
    }
    if (folds)
        multiply_folded(block, accumulates);
    return store_results(block);
}

static size_t blocks_of_map(const struct simd_ops *ops, const struct pass *pass)
{
    return size_div_up(winograd_tiles_of(pass), winograd_columns(ops));
}

/* How many groups of panels a block is split into, so that all threads have about the same to do.
 * Each group transforms the inputs again, which takes about as long as INPUTS_PANELS panels. */
static size_t choose_groups(const struct section_state *state, const struct pass *pass)
{
    enum { INPUTS_PANELS = 2, GROUPS_TRIED = 64 };
    const struct layer *conv = pass->layers[0];
    const size_t panels = conv_panel_count(conv), threads = (size_t)state->of->threads;
    const size_t blocks = state->n * blocks_of_map(state->simd, pass);
    const size_t fewest = size_div_up(panels, panels_of_block(conv));
    size_t best = fewest, best_cost = SIZE_MAX;
    for (size_t groups = fewest; groups <= panels && groups < fewest + GROUPS_TRIED; groups++) {
        const size_t turns = size_div_up(blocks * groups, threads);
        const size_t cost = turns * (INPUTS_PANELS + size_div_up(panels, groups));
        if (cost < best_cost) {
            best = groups;
            best_cost = cost;
        }
    }
    return best;
}

/* That depends on the threads, but bits do not: a conv that follows reads the same columns either
 * way, and has few enough channels for one chunk of K. */
_Static_assert(SUMS_BYTES / (PLACES * (BLOCK_COLUMNS / 2) * sizeof(float)) <= CHUNK_STEPS_MAX,
               "a later conv sums K in one run, in this pass or in another");

bool winograd_takes_layers(const struct section_state *state, const struct pass *pass)
{
    return winograd_phases(&pass->window) == 1 && choose_groups(state, pass) == 1;
}

static void run_blocks(const struct section_state *state, const struct pass *pass)
{
    const size_t tiles = winograd_tiles_of(pass), columns = winograd_columns(state->simd);
    const size_t panels = conv_panel_count(pass->layers[0]), groups = choose_groups(state, pass);
    float *scratch = state->blocks + (size_t)omp_get_thread_num() * state->block_floats;
    const size_t blocks = blocks_of_map(state->simd, pass);
    struct team_loop loop = team_begin(state->of->shares, state->n * blocks * groups);
    for (size_t task; team_next(&loop, &task);) {
        const size_t n = task / groups / blocks, first = task / groups % blocks * columns;
        const size_t group = task % groups;
        struct winograd_block block = {.source = {.state = state,
                                                  .pass = pass,
                                                  .n = n,
                                                  .first = first,
                                                  .count = size_min(tiles - first, columns)},
                                       .conv = pass->layers[0],
                                       .first_panel = panels * group / groups,
                                       .end_panel = panels * (group + 1) / groups};
        take_scratch(&block, pass, scratch);
        if (state_is_finite(state, n) && !run_is_cancelled(state->run) && !run_block(&block))
            state_found_not_finite(state, n);
    }
    team_end(&loop);
}

bool winograd_run(const struct section_state *state, const struct pass *pass)
{
    bool are_finite = true;
    run_blocks(state, pass);
    for (size_t n = 0; n < state->n; n++)
        are_finite = are_finite && state_is_finite(state, n);
#pragma omp barrier /* every thread has read it before a later pass changes it */
    return are_finite;
}
