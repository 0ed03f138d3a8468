/*
 * winograd.c - a 3x3 conv in a quarter of the products: Winograd's F(4x4, 3x3).
 *
 * Tiles of 4 x 4 outputs are the columns of 36 matrix products, one for each place of the
 * transformed domain. A thread takes a block of tiles and walks K in chunks: it transforms the
 * chunk's inputs once, and the weights of a panel right before they are multiplied. So neither is
 * ever stored as a whole, and the weights stream as they are, at a quarter of the size they have
 * transformed. Sums of all panels are kept until K has been walked.
 *
 * Where something is not finite, or gets too large, a transform spreads it over its tile: then the
 * map is computed again in the direct form, by this pass and those after it.
 */
#include "core/engine/winograd.h"
#include "core/base/threads.h"

#include <math.h>
#include <string.h>

/* ---- scratch ---- */

struct scratch_sizes {
    size_t planes, seen, inputs, weights, sums, pixels, results;
};

/* Rounded up to cache lines. */
static size_t in_lines(size_t floats)
{
    return (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
}

/* Panels whose sums a task keeps at most. */
static size_t panels_of_task(const struct layer *conv)
{
    const size_t columns = columns_of_block(conv->simd);
    const size_t bytes = PLACES * conv->simd->gemm_rows * columns * sizeof(float);
    const size_t fit = SUMS_BYTES / bytes, all = conv_panel_count(conv);
    return fit < all ? fit : all;
}

/* From place to place: not a multiple of the page size, or all would share a line of the cache. */
static size_t weights_stride(size_t steps, size_t rows)
{
    return in_lines(steps * rows) + LINE_FLOATS;
}

static struct scratch_sizes scratch_of(const struct plan *plan, const struct pass *pass)
{
    const struct simd_ops *ops = plan->simd;
    const size_t columns = columns_of_block(ops), steps = steps_of_chunk(ops);
    return (struct scratch_sizes){
        .planes = in_lines(PLANES_TOGETHER * rows_max(plan) * row_floats_of(plan)),
        .seen = in_lines(seen_floats(plan)),
        .inputs = in_lines(PLACES * (steps * columns + LINE_FLOATS)),
        .weights = PLACES * weights_stride(steps, ops->gemm_rows),
        .sums = in_lines(panels_of_task(pass->layers) * PLACES * ops->gemm_rows * columns),
        .pixels = in_lines(TILE * TILE * (columns + TOGETHER)),
        .results = winograd_results_floats(plan, pass),
    };
}

size_t winograd_block_floats(const struct plan *plan, const struct pass *pass)
{
    const struct scratch_sizes sizes = scratch_of(plan, pass);
    return sizes.planes + sizes.seen + sizes.inputs + sizes.weights + sizes.sums + sizes.pixels +
           sizes.results;
}

static void take_scratch(struct task *task, const struct pass *pass, float *scratch)
{
    const struct scratch_sizes sizes = scratch_of(task->source.work->plan, pass);
    task->planes = scratch;
    task->seen = task->planes + sizes.planes;
    task->inputs = task->seen + sizes.seen;
    task->weights = task->inputs + sizes.inputs;
    task->sums = task->weights + sizes.weights;
    task->pixels = task->sums + sizes.sums;
    task->results = task->pixels + sizes.pixels;
}

/* ---- products ---- */

/* sums += the weights of a panel, transformed, times inputs. taps[tap * tap_stride]: what will be
 * multiplied next, to be fetched meanwhile; NULL: nothing. */
static void multiply(const struct task *task, size_t panel, const struct inputs *inputs,
                     bool accumulates, const float *next_taps, size_t tap_stride)
{
    const struct simd_ops *ops = task->conv->simd;
    const size_t width = ops->gemm_columns, rows = conv_panel_rows(task->conv, panel);
    const size_t tile_floats = ops->gemm_rows * width;
    struct simd_gemm_run run = {.k = inputs->steps};
    struct simd_gemm_tile tile = {.runs = &run,
                                  .run_count = 1,
                                  .c = task->sums + (panel - task->first_panel) * PLACES *
                                                        task->micros * tile_floats,
                                  .c_stride = width,
                                  .rows = rows,
                                  .accumulates = accumulates};
    for (size_t place = 0; place < PLACES; place++) {
        run.a = task->weights + place * weights_stride(inputs->steps, rows);
        run.next_a = next_taps && place < TAPS ? next_taps + place * tap_stride : run.a;
        for (size_t micro = 0; micro < task->micros; micro++, tile.c += tile_floats) {
            const size_t left = task->count - micro * width;
            run.b = inputs->data + place * inputs->place_stride + micro * inputs->micro_stride;
            tile.columns = left < width ? left : width;
            ops->gemm_tile(&tile);
        }
    }
}

/* Channels [first, first + steps) of a part, for all panels. */
static void multiply_part(const struct task *task, size_t part, size_t first, size_t steps,
                          bool accumulates)
{
    const struct layer *conv = task->conv;
    const struct inputs inputs = transform_inputs(task, part, first, steps);
    for (size_t panel = task->first_panel; panel < task->end_panel; panel++) {
        const size_t rows = conv_panel_rows(conv, panel);
        const size_t tap_stride = conv->parts[part].channels * rows;
        const bool is_last = panel + 1 == task->end_panel;
        conv->simd->winograd_weights(conv_panel_at(conv, panel, part, 0, first), tap_stride,
                                     steps * rows, task->weights, weights_stride(steps, rows));
        multiply(task, panel, &inputs, accumulates,
                 is_last ? NULL : conv_panel_at(conv, panel + 1, part, 0, first), tap_stride);
    }
}

/* The weights of folded points [first, first + steps) for a panel, W_i b_i, transformed. */
static void transform_folded(const struct task *task, size_t panel, size_t first, size_t steps)
{
    const struct work *work = task->source.work;
    const size_t rows = conv_panel_rows(task->conv, panel), end = first + steps;
    const float *folded = folded_panel(work, task->source.n, panel);
    float *ret = task->weights;
    size_t begin = 0;
    for (size_t i = 0; i < work->spec->branch_count; i++) {
        const size_t points = work->plan->is_folded[i] ? plan_points(&work->plan->g, i) : 0;
        const size_t from = first > begin ? first - begin : 0;
        const size_t to = end > begin ? end - begin : 0;
        const size_t count = (to < points ? to : points) - (from < points ? from : points);
        if (count > 0)
            work->plan->simd->winograd_weights(folded + from * rows, points * rows, count * rows,
                                               ret, weights_stride(steps, rows));
        folded += TAPS * points * rows;
        ret += count * rows;
        begin += points;
    }
}

/* The folded branches: each point of their grids is a channel. */
static void multiply_folded(const struct task *task, bool accumulates)
{
    const struct work *work = task->source.work;
    const size_t all = folded_steps(work->plan), steps_max = steps_of_chunk(work->plan->simd);
    find_seen(task);
    for (size_t first = 0; first < all && !run_is_cancelled(work->run); first += steps_max) {
        const size_t steps = all - first < steps_max ? all - first : steps_max;
        const struct inputs inputs = transform_points(task, first, steps);
        for (size_t panel = task->first_panel; panel < task->end_panel; panel++) {
            transform_folded(task, panel, first, steps);
            multiply(task, panel, &inputs, accumulates, NULL, 0);
        }
        accumulates = true;
    }
}

/* ---- tasks ---- */

/* False: something was not finite. */
static bool run_task(struct task *task)
{
    const struct work *work = task->source.work;
    const struct layer *conv = task->conv;
    const size_t steps_max = steps_of_chunk(conv->simd);
    bool accumulates = false, folds = false;
    find_runs(work->plan, task);
    memset(task->planes, 0,
           PLANES_TOGETHER * task->rows * row_floats_of(work->plan) * sizeof *task->planes);
    for (size_t part = 0; part < conv->part_count; part++) {
        const size_t branch = block_branch(&task->source, part);
        const size_t channels = conv->parts[part].channels;
        if (branch < BRANCHES_MAX && work->plan->is_folded[branch]) {
            folds = true;
            continue;
        }
        for (size_t first = 0; first < channels; first += steps_max) {
            if (run_is_cancelled(work->run))
                return true;
            const size_t left = channels - first;
            multiply_part(task, part, first, left < steps_max ? left : steps_max, accumulates);
            accumulates = true;
        }
    }
    if (folds)
        multiply_folded(task, accumulates);
    return store_results(task);
}

static size_t blocks_of_map(const struct plan *plan)
{
    const size_t columns = columns_of_block(plan->simd);
    return (winograd_tiles(plan) + columns - 1) / columns;
}

/* Panels are shared out in so many groups that threads have about as much to do; each group
 * transforms the inputs again, which takes about as long as so many panels do. */
static size_t choose_groups(const struct work *work, const struct layer *conv)
{
    enum { INPUTS_PANELS = 2, GROUPS_TRIED = 64 };
    const size_t panels = conv_panel_count(conv), threads = (size_t)work->threads;
    const size_t blocks = work->n * blocks_of_map(work->plan);
    const size_t fewest = (panels + panels_of_task(conv) - 1) / panels_of_task(conv);
    size_t best = fewest, best_cost = SIZE_MAX;
    for (size_t groups = fewest; groups <= panels && groups < fewest + GROUPS_TRIED; groups++) {
        const size_t turns = (blocks * groups + threads - 1) / threads;
        const size_t cost = turns * (INPUTS_PANELS + (panels + groups - 1) / groups);
        if (cost < best_cost) {
            best = groups;
            best_cost = cost;
        }
    }
    return best;
}

/* That depends on the threads, bits do not: a conv behind it takes the same columns either way, of
 * so few channels that they are one chunk of K. */
_Static_assert(SUMS_BYTES / (PLACES * (BLOCK_COLUMNS / 2) * sizeof(float)) <= CHUNK_STEPS_MAX,
               "a later conv sums K in one run, in this pass and in one of its own");

bool winograd_takes_layers(const struct work *work, const struct layer *conv)
{
    return choose_groups(work, conv) == 1;
}

static void run_tasks(struct work *work, const struct pass *pass)
{
    const size_t tiles = winograd_tiles(work->plan), panels = conv_panel_count(pass->layers);
    const size_t columns = columns_of_block(work->plan->simd);
    const size_t blocks = blocks_of_map(work->plan);
    const size_t groups = choose_groups(work, pass->layers);
    float *scratch = work->blocks + (size_t)omp_get_thread_num() * work->block_floats;
#pragma omp for collapse(3) schedule(dynamic, share_of_loop(work->n *blocks *groups))
    for (size_t n = 0; n < work->n; n++)
        for (size_t block = 0; block < blocks; block++)
            for (size_t group = 0; group < groups; group++) {
                const size_t left = tiles - block * columns;
                struct task task = {.source = {.work = work, .pass = pass, .n = n},
                                    .conv = pass->layers,
                                    .first = block * columns,
                                    .count = left < columns ? left : columns,
                                    .first_panel = panels * group / groups,
                                    .end_panel = panels * (group + 1) / groups};
                take_scratch(&task, pass, scratch);
                if (atomic_load(&work->is_finite[n]) && !run_is_cancelled(work->run) &&
                    !run_task(&task))
                    work_found_not_finite(work, n);
            }
}

void stage_winograd(struct work *work, const struct pass *pass)
{
    run_tasks(work, pass);
    const bool are_finite = atomic_load(&work->are_finite);
#pragma omp barrier /* all know before the next stage changes it */
    if (!are_finite)
        stage_pass(work, pass);
}
