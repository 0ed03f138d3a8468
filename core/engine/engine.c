/* engine.c - a request's computation: scratch, and the stages in the order of the paper. */
#include "core/engine/engine.h"
#include "core/base/threads.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PASSES_MAX = LAYERS_MAX + 1 };

/* ---- scratch ---- */

static float *take_floats(struct room *room, size_t a, size_t b, size_t c)
{
    return room_take(room, size_times(size_times(a, b), c), sizeof(float));
}

/* Where the results of a branch's convs stand: the last one's, and the one's before. */
static void place_buffers(struct work *work, size_t i, size_t columns, struct room *room)
{
    const struct stack *stack = &work->spec->branches[i].stack;
    size_t convs = 0, widest = 0;
    for (size_t k = 0; k < stack->count; k++) {
        convs += stack->layers[k].kind == LAYER_CONV ? 1 : 0;
        widest = stack->layers[k].out_channels > widest ? stack->layers[k].out_channels : widest;
    }
    for (size_t k = 0; k < 2 && k < convs; k++)
        work->buffers[i][k] = take_floats(room, columns, widest, 1);
}

static void place_branch(struct work *work, size_t i, struct room *room)
{
    const size_t columns = pooled_columns(work->plan, work->n, i);
    const struct branch_geometry *g = &work->plan->g.branches[i];
    if (work->run->pooling)
        work->pooled[i] = work->run->pooling->pooled[i];
    else
        work->pooled[i] = (struct micro_panels){take_floats(room, columns, work->spec->channels, 1),
                                                work->spec->channels};
    place_buffers(work, i, columns, room);
    if (!work->plan->is_folded[i])
        work->expanded[i] =
            take_floats(room, size_times(work->n, work->spec->branches[i].stack.out_channels),
                        g->pooled_h, g->target_w);
}

/* Whether a pass ends before a layer: that is a 3x3 conv, or more than Winograd's takes with it. */
static bool ends_before(const struct work *work, const struct pass *pass, const struct layer *layer)
{
    float low, high;
    if (pass->count == 0)
        return false;
    if (pass->is_winograd && (pass->count > 1 || !fused_clamp(layer, &low, &high)) &&
        !winograd_takes_layers(work, pass->layers))
        return true;
    return layer->kind == LAYER_CONV && layer->kernel > 1;
}

/* The head as passes. Returns how many; at least one. */
static size_t split_head(const struct work *work, struct pass passes[PASSES_MAX])
{
    const struct plan *plan = work->plan;
    const struct spec *spec = plan->spec;
    size_t count = 0;
    passes[count++] = (struct pass){.layers = spec->head.layers, .reads_concat = true};
    for (size_t i = 0; i < spec->head.count; i++) {
        const struct layer *layer = &spec->head.layers[i];
        if (ends_before(work, &passes[count - 1], layer))
            passes[count++] = (struct pass){.layers = layer};
        struct pass *pass = &passes[count - 1];
        if (pass->count++ == 0) {
            pass->is_winograd = winograd_pays(spec, layer, plan->g.h, plan->g.w);
            pass->takes_pairs = layer->bfloat16 && (i == 0 || layer->kernel > 1);
        }
        pass->ret_channels = layer->out_channels;
    }
    if (spec->head.count == 0)
        passes[0].ret_channels = spec->concat_channels;
    return count;
}

static bool has_output_stage(const struct work *work)
{
    return geometry_has_output(work->spec, &work->plan->g);
}

/* How many layers the first conv takes with it: itself and a clamp. */
static size_t count_fused(const struct pass *pass)
{
    float low, high;
    if (pass->count == 0 || pass->layers[0].kind != LAYER_CONV)
        return 0;
    return pass->count > 1 && fused_clamp(&pass->layers[1], &low, &high) ? 2 : 1;
}

/* A block is as many tiles as fill a core's cache with packed columns, but there are enough blocks
 * for all threads. Where even all tiles are few, threads share the panels instead: then they do not
 * write to the same cache lines. */
static void choose_blocks(const struct work *work, struct pass *pass)
{
    const size_t all = work->plan->tile_count, tasks = 4 * (size_t)work->threads;
    const size_t taps = pass->fused > 0 ? pass->layers[0].kernel * pass->layers[0].kernel : 1;
    const size_t steps = pass->fused > 0 ? pass_steps(pass) : pass_channels(work->spec, pass);
    const size_t packed = steps < CHUNK_STEPS_MAX ? steps : CHUNK_STEPS_MAX;
    const size_t tile_bytes = packed * work->plan->simd->gemm_columns * sizeof(float);
    assert(tile_bytes > 0);
    pass->panel_groups = 1;
    if (pass->is_direct && taps == 1 && packed == steps && all * tile_bytes <= SHARED_BLOCK_BYTES) {
        const size_t panels = conv_panel_count(pass->layers);
        pass->block_tiles = all;
        pass->panel_groups = panels < tasks ? panels : tasks;
        return;
    }
    const size_t fit = (taps > 1 ? BLOCK_BYTES : BLOCK_BYTES_AHEAD) / tile_bytes;
    const size_t fair = all * work->n / tasks;
    size_t tiles = fit < fair ? fit : fair;
    tiles = tiles < BLOCK_TILES_MAX ? tiles : BLOCK_TILES_MAX;
    pass->block_tiles = tiles > 0 ? tiles : 1;
}

static size_t plan_passes(struct work *work, struct pass passes[PASSES_MAX])
{
    const size_t count = split_head(work, passes);
    work->block_floats = 0;
    for (size_t i = 0; i < count; i++) {
        passes[i].ret_layout =
            i + 1 == count && !has_output_stage(work) ? work->x_layout : PPM_NCHW;
        passes[i].fused = count_fused(&passes[i]);
        passes[i].is_direct = passes[i].fused > 0 && passes[i].fused == passes[i].count &&
                              passes[i].ret_layout == PPM_NCHW;
        choose_blocks(work, &passes[i]);
        const size_t floats = pass_block_floats(work, &passes[i]);
        work->block_floats = floats > work->block_floats ? floats : work->block_floats;
    }
    if (has_output_stage(work)) {
        const size_t floats = output_scratch_floats(work->plan, passes[count - 1].ret_channels);
        work->block_floats = floats > work->block_floats ? floats : work->block_floats;
    }
    work->block_floats = (work->block_floats + 15) & ~(size_t)15; /* cache lines of its own */
    return count;
}

/* Places the scratch of a run, whose blocks are planned. */
static void place_scratch(struct work *work, const struct pass *passes, size_t passes_count,
                          struct room *room)
{
    const struct spec *spec = work->spec;
    const struct plan *plan = work->plan;
    const size_t threads = (size_t)work->threads;
    size_t widest_map = 0;
    work->is_finite = room_take(room, work->n, sizeof *work->is_finite);
    for (size_t i = 0; i < spec->branch_count; i++)
        place_branch(work, i, room);
    if (plan->folded_steps > 0)
        work->folded =
            take_floats(room, work->n, plan->grid_steps, spec->head.layers[0].out_channels);
    if (plan_shares_columns(plan))
        work->columns =
            take_floats(room, plan->tile_count, plan->folded_steps, plan->simd->gemm_columns);
    work->cell_floats = pool_scratch_floats(plan, work->x_layout);
    work->cells = take_floats(room, threads, work->cell_floats, 1);
    work->blocks = take_floats(room, threads, work->block_floats, 1);
    for (size_t i = 0; i + 1 < passes_count; i++)
        widest_map = passes[i].ret_channels > widest_map ? passes[i].ret_channels : widest_map;
    for (size_t i = 0; i < 2 && i + 1 < passes_count; i++)
        work->maps[i] = take_floats(room, work->n, widest_map, plan->pixels);
    if (has_output_stage(work))
        work->values =
            take_floats(room, work->n, passes[passes_count - 1].ret_channels, plan->pixels);
}

/* ---- the team, or one thread ---- */

enum { ALONE_BELOW_US = 40, TEAM_ABOVE_US = 5000, SLOW_RUNS_MAX = 3, ALONE_RUNS = 64 };

/* A team's barriers cost more than they save where there is little to do. */
static bool is_for_one_thread(const struct plan *plan, size_t n)
{
    return plan->map_us * (double)n < ALONE_BELOW_US;
}

static int choose_threads(struct ppm_plan *plan, size_t n, int threads)
{
    if (is_for_one_thread(&plan->plan, n))
        return 1;
    if (plan->plan.map_us * (double)n > TEAM_ABOVE_US || plan->pace.alone_runs == 0)
        return threads;
    plan->pace.alone_runs--;
    return 1;
}

/* Notes how long a run took. One outlier changes nothing; when the team is slow again and again, it
 * is tried now and then only. */
static void note_pace(struct pace *pace, size_t n, int threads, double ms)
{
    const double map_ms = ms / (double)n;
    if (threads == 1) {
        pace->alone_ms = pace->alone_ms > 0 ? (3 * pace->alone_ms + map_ms) / 4 : map_ms;
        return;
    }
    if (pace->alone_ms == 0)
        pace->alone_runs = 1; /* the next run, to compare with */
    pace->slow_runs = pace->alone_ms > 0 && map_ms > pace->alone_ms ? pace->slow_runs + 1 : 0;
    if (pace->slow_runs >= SLOW_RUNS_MAX)
        pace->alone_runs = ALONE_RUNS;
}

/* ---- a run ---- */

static double mark_ms(double *at_s)
{
    const double now_s = threads_now_s(), ms = 1e3 * (now_s - *at_s);
    *at_s = now_s;
    return ms;
}

/* The head, or where there is none the concat, into ret. */
static void run_head(struct work *work, const struct pass *passes, size_t count, float *ret)
{
    if (work->spec->head.count == 0 && passes[0].ret_layout == PPM_NCHW &&
        work->x_layout == PPM_NCHW) {
        stage_concat(work, ret);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct pass pass = passes[i];
        const bool is_last = i + 1 == count;
        pass.ret = is_last ? ret : work->maps[i % 2];
        pass.map = i > 0 ? work->maps[(i - 1) % 2] : NULL;
        pass.map_channels = i > 0 ? passes[i - 1].ret_channels : 0;
        (pass.is_winograd ? stage_winograd : stage_pass)(work, &pass);
    }
}

/* A thread's share of all stages; *at_s and times are the master's. */
static void take_part(struct work *work, const struct pass *passes, size_t count,
                      const struct ppm_tensor *y, double *at_s, struct ppm_stage_times *times)
{
    const unsigned before = work->plan->simd->begin();
    stage_pool(work);
#pragma omp master
    times->pool_ms = mark_ms(at_s);
    stage_branches(work);
    stage_expand(work);
    stage_fold(work);
#pragma omp master
    times->branches_ms = mark_ms(at_s);
    run_head(work, passes, count, work->values ? work->values : y->data);
#pragma omp master
    times->head_ms = mark_ms(at_s);
    if (work->values)
        stage_output(work, passes[count - 1].ret_channels, y);
    work->plan->simd->end(before);
}

/* A team of one would still ask the kernel at each barrier to wake its others. Within another
 * region, though, the loops would be shared out to the threads of that one. */
static void run_stages(struct work *work, const struct pass *passes, size_t count,
                       const struct ppm_tensor *y, struct ppm_stage_times *times)
{
    double at_s = threads_now_s();
    if (work->threads == 1 && !omp_in_parallel()) {
        take_part(work, passes, count, y, &at_s, times);
    } else {
#pragma omp parallel num_threads(work->threads)
        take_part(work, passes, count, y, &at_s, times);
    }
    times->output_ms = mark_ms(&at_s);
}

static size_t count_scratch(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const struct run run = {0};
    struct pass passes[PASSES_MAX];
    struct work work = {.plan = plan,
                        .spec = plan->spec,
                        .run = &run,
                        .x_layout = layout,
                        .n = n,
                        .threads = threads};
    struct room room = {0};
    const size_t count = plan_passes(&work, passes);
    place_scratch(&work, passes, count, &room);
    return room.bytes;
}

size_t engine_scratch_bytes(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const size_t alone = count_scratch(plan, n, layout, 1);
    if (threads == 1 || is_for_one_thread(plan, n))
        return alone;
    const size_t together = count_scratch(plan, n, layout, threads);
    return alone > together ? alone : together;
}

/* The caller's, where it is enough, or *ret_own. */
static void *find_scratch(const struct run *run, size_t bytes, void **ret_own,
                          struct ppm_error *error)
{
    if (run->scratch && run->scratch_bytes >= bytes)
        return run->scratch;
    return *ret_own = core_allocate(bytes, error);
}

enum ppm_status engine_run(struct ppm_plan *plan, const struct ppm_tensor *x, struct ppm_tensor *y,
                           const struct run *run, struct ppm_stage_times *times,
                           struct ppm_error *error)
{
    struct pass passes[PASSES_MAX];
    void *own = NULL;
    struct work work = {.plan = &plan->plan,
                        .spec = plan->plan.spec,
                        .run = run,
                        .x = x->data,
                        .x_layout = x->layout,
                        .n = x->shape.n,
                        .threads = choose_threads(plan, x->shape.n, run->threads),
                        .planes_pooled = run->pooling ? run->pooling->planes_pooled : 0,
                        .are_finite = true};
    struct room counted = {0}, room = {0};
    const size_t count = plan_passes(&work, passes);
    place_scratch(&work, passes, count, &counted);
    if (!(room.base = find_scratch(run, counted.bytes, &own, error)))
        return error->status;
    place_scratch(&work, passes, count, &room);
    for (size_t n = 0; n < work.n; n++)
        atomic_init(&work.is_finite[n], true);
    run_stages(&work, passes, count, y, times);
    note_pace(&plan->pace, work.n, work.threads,
              times->pool_ms + times->branches_ms + times->head_ms + times->output_ms);
    if (run->head && work.values)
        run_copy(run, run->head, work.values,
                 work.n * passes[count - 1].ret_channels * work.plan->pixels);
    free(own);
    return PPM_OK;
}
