/* engine.c - a request's computation: plan, scratch, and the stages in the order of the paper. */
#include "core/engine.h"
#include "core/threads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PLANS_MAX = 16, PASSES_MAX = LAYERS_MAX + 1, HUGE_PAGE_BYTES = 2 << 20, TEAM_WORTH_US = 40 };

struct ppm_engine {
    struct plan *plans[PLANS_MAX]; /* the most recently used first */
    char *arena;                   /* scratch of one run, kept for the next */
    size_t arena_bytes;
};

/* ---- scratch ---- */

/* Takes bytes from *at, on a cache line of its own; NULL base only counts. */
static float *take_floats(char *base, size_t *at, size_t floats)
{
    float *ret = base ? (float *)(void *)(base + *at) : NULL;
    *at += (floats * sizeof *ret + 63) & ~(size_t)63;
    return ret;
}

static size_t stack_widest(const struct stack *stack)
{
    size_t widest = stack->in_channels;
    for (size_t i = 0; i < stack->count; i++)
        if (stack->layers[i].out_channels > widest)
            widest = stack->layers[i].out_channels;
    return widest;
}

static void layout_branch(struct work *work, size_t i, char *base, size_t *at)
{
    const struct stack *stack = &work->spec->branches[i].stack;
    const struct branch_geometry *g = &work->plan->g.branches[i];
    const size_t width = core_simd()->gemm_columns;
    const size_t columns = work->n * plan_points(&work->plan->g, i);
    const size_t padded = (columns + width - 1) / width * width;
    work->pooled[i] = (struct micro_panels){take_floats(base, at, padded * work->spec->channels),
                                            work->spec->channels};
    for (size_t k = 0; k < 2 && stack->count > 0; k++)
        work->buffers[i][k] = take_floats(base, at, padded * stack_widest(stack));
    work->expanded[i] =
        take_floats(base, at, work->n * stack->out_channels * g->pooled_h * g->target_w);
}

/* The head as passes, each up to the next 3x3 conv. Returns how many; at least one. */
static size_t split_head(const struct spec *spec, struct pass passes[PASSES_MAX])
{
    size_t count = 0;
    passes[count++] = (struct pass){.layers = spec->head.layers};
    for (size_t i = 0; i < spec->head.count; i++) {
        const struct layer *layer = &spec->head.layers[i];
        if (i > 0 && layer->kind == LAYER_CONV && layer->kernel > 1)
            passes[count++] = (struct pass){.layers = layer};
        passes[count - 1].count++;
        passes[count - 1].ret_channels = layer->out_channels;
    }
    if (spec->head.count == 0)
        passes[0].ret_channels = spec->concat_channels;
    return count;
}

/* As many tiles as fill a core's cache with packed columns, but enough blocks for all threads. */
static size_t choose_block_tiles(const struct work *work, const struct pass *pass)
{
    const size_t width = core_simd()->gemm_columns;
    size_t steps = work->spec->concat_channels, tiles;
    if (pass->count > 0 && pass->layers[0].kind == LAYER_CONV)
        steps = pass->layers[0].in_channels * pass->layers[0].kernel * pass->layers[0].kernel;
    steps = steps < CHUNK_STEPS_MAX ? steps : CHUNK_STEPS_MAX;
    tiles = BLOCK_BYTES / (steps * width * sizeof(float));
    const size_t fair = work->plan->tile_count * work->n / (4 * (size_t)work->threads);
    tiles = tiles < fair ? tiles : fair;
    tiles = tiles < BLOCK_TILES_MAX ? tiles : BLOCK_TILES_MAX;
    return tiles > 0 ? tiles : 1;
}

static bool has_output_stage(const struct work *work)
{
    return work->spec->output.as != AS_VALUES || work->plan->g.needs_resize;
}

static size_t plan_passes(struct work *work, struct pass passes[PASSES_MAX])
{
    const size_t count = split_head(work->spec, passes);
    work->block_floats = 0;
    for (size_t i = 0; i < count; i++) {
        passes[i].block_tiles = choose_block_tiles(work, &passes[i]);
        const size_t floats = pass_block_floats(work->spec, &passes[i]);
        work->block_floats = floats > work->block_floats ? floats : work->block_floats;
    }
    if (has_output_stage(work)) {
        const size_t floats = output_scratch_floats(work->plan, passes[count - 1].ret_channels);
        work->block_floats = floats > work->block_floats ? floats : work->block_floats;
    }
    work->block_floats = (work->block_floats + 15) & ~(size_t)15; /* cache lines of its own */
    return count;
}

size_t work_layout(struct work *work, char *base)
{
    const struct spec *spec = work->spec;
    struct pass passes[PASSES_MAX];
    const size_t passes_count = plan_passes(work, passes);
    const size_t threads = (size_t)work->threads, pixels = work->plan->pixels;
    size_t at = 0, widest_map = 0;
    for (size_t i = 0; i < spec->branch_count; i++)
        layout_branch(work, i, base, &at);
    if (work->plan->folded_steps > 0)
        work->folded = take_floats(
            base, &at, work->n * work->plan->folded_steps * spec->head.layers[0].out_channels);
    work->cell_floats = pool_scratch_floats(work->plan);
    work->cells = take_floats(base, &at, threads * work->cell_floats);
    work->blocks = take_floats(base, &at, threads * work->block_floats);
    for (size_t i = 0; i + 1 < passes_count; i++)
        widest_map = passes[i].ret_channels > widest_map ? passes[i].ret_channels : widest_map;
    for (size_t i = 0; i < 2 && i + 1 < passes_count; i++)
        work->maps[i] = take_floats(base, &at, work->n * widest_map * pixels);
    if (has_output_stage(work))
        work->values =
            take_floats(base, &at, work->n * passes[passes_count - 1].ret_channels * pixels);
    return at;
}

/* Room for a run, faulted in, on huge pages where there are any. */
static enum ppm_status reserve_arena(struct ppm_engine *engine, size_t bytes,
                                     struct ppm_error *error)
{
    if (bytes <= engine->arena_bytes)
        return PPM_OK;
    const size_t rounded = (bytes + HUGE_PAGE_BYTES - 1) & ~(size_t)(HUGE_PAGE_BYTES - 1);
    void *arena = aligned_alloc(HUGE_PAGE_BYTES, rounded);
    if (!arena)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory: %zu bytes of scratch", rounded);
    madvise(arena, rounded, MADV_HUGEPAGE);
    memset(arena, 0, rounded);
    free(engine->arena);
    engine->arena = arena;
    engine->arena_bytes = rounded;
    return PPM_OK;
}

/* ---- plans ---- */

static bool plan_fits(const struct plan *plan, const struct ppm_model *model,
                      const struct geometry *geometry)
{
    return plan && plan->model_id == model->id && plan->g.input.h == geometry->input.h &&
           plan->g.input.w == geometry->input.w;
}

/* The plan for a shape: kept from before, or made now in place of the one used longest ago. */
static struct plan *find_plan(struct ppm_engine *engine, const struct ppm_model *model,
                              const struct geometry *geometry, struct ppm_error *error)
{
    size_t at = 0;
    while (at < PLANS_MAX - 1 && !plan_fits(engine->plans[at], model, geometry))
        at++;
    struct plan *plan = engine->plans[at];
    if (!plan_fits(plan, model, geometry)) {
        plan = plan_create(model, geometry, error);
        if (!plan)
            return NULL;
        plan_free(engine->plans[at]);
    }
    memmove(engine->plans + 1, engine->plans, at * sizeof *engine->plans);
    engine->plans[0] = plan;
    return plan;
}

/* ---- a run ---- */

static double mark_ms(double *at_s)
{
    const double now_s = threads_now_s(), ms = 1e3 * (now_s - *at_s);
    *at_s = now_s;
    return ms;
}

/* The head, or where there is none the concat, into ret in layout. */
static void run_head(struct work *work, struct pass *passes, size_t count, float *ret,
                     enum ppm_layout layout)
{
    if (work->spec->head.count == 0 && layout == PPM_NCHW && work->x_layout == PPM_NCHW) {
        stage_concat(work, ret);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct pass pass = passes[i];
        const bool is_last = i + 1 == count;
        pass.ret = is_last ? ret : work->maps[i % 2];
        pass.ret_layout = is_last ? layout : PPM_NCHW;
        pass.map = i > 0 ? work->maps[(i - 1) % 2] : NULL;
        pass.map_channels = i > 0 ? passes[i - 1].ret_channels : 0;
        stage_pass(work, &pass);
    }
}

static void run_stages(struct work *work, struct pass *passes, size_t count,
                       const struct ppm_tensor *y, struct ppm_stage_times *times)
{
    double at_s = threads_now_s();
#pragma omp parallel num_threads(work->threads)
    {
        const unsigned denormals = simd_flush_denormals();
        stage_pool(work);
#pragma omp master
        times->pool_ms = mark_ms(&at_s);
        stage_branches(work);
        stage_expand(work);
        stage_fold(work);
#pragma omp master
        times->branches_ms = mark_ms(&at_s);
        run_head(work, passes, count, work->values ? work->values : y->data,
                 work->values ? PPM_NCHW : y->layout);
#pragma omp master
        times->head_ms = mark_ms(&at_s);
        if (work->values)
            stage_output(work, passes[count - 1].ret_channels, y);
        simd_restore_denormals(denormals);
    }
    times->output_ms = mark_ms(&at_s);
}

enum ppm_status engine_run(struct ppm_engine *engine, const struct ppm_model *model,
                           const struct geometry *geometry, const struct ppm_tensor *x,
                           struct ppm_tensor *y, const struct run *run,
                           struct ppm_stage_times *times, struct ppm_error *error)
{
    struct pass passes[PASSES_MAX];
    const struct plan *plan = find_plan(engine, model, geometry, error);
    if (!plan)
        return error->status;
    struct work work = {.plan = plan,
                        .spec = &model->spec,
                        .run = run,
                        .x = x->data,
                        .x_layout = x->layout,
                        .n = x->shape.n,
                        /* a team's barriers would cost more than they save */
                        .threads =
                            plan->map_us * (double)x->shape.n < TEAM_WORTH_US ? 1 : run->threads,
                        .is_finite = true};
    if (reserve_arena(engine, work_layout(&work, NULL), error) != PPM_OK)
        return error->status;
    work_layout(&work, engine->arena);
    const size_t count = plan_passes(&work, passes);
    run_stages(&work, passes, count, y, times);
    if (run_is_cancelled(run))
        return ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
    return PPM_OK;
}

struct ppm_engine *ppm_engine_create(struct ppm_error *error)
{
    struct ppm_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    return engine;
}

void ppm_engine_free(struct ppm_engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 0; i < PLANS_MAX; i++)
        plan_free(engine->plans[i]);
    free(engine->arena);
    free(engine);
}
