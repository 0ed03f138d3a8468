/* engine.c - a run: its scratch, and its stages in the order of the paper. */
#include "core/engine/engine.h"
#include "core/base/threads.h"
#include "core/engine/branch.h"
#include "core/engine/fold.h"
#include "core/engine/head.h"
#include "core/engine/output.h"
#include "core/engine/pool.h"
#include "core/engine/pooling.h"
#include "core/engine/upsample.h"
#include "core/plan/plan_columns.h"

#include <stdlib.h>

/* ---- scratch ---- */

static float *take_floats(struct room *room, size_t a, size_t b, size_t c)
{
    return room_take(room, size_times(size_times(a, b), c), sizeof(float));
}

/* For the results of a branch's convs: the last one's, and those of the one before. */
static void place_buffers(struct run_state *state, size_t i, size_t columns, struct room *room)
{
    const struct stack *stack = &state->spec->pyramid.branches[i].stack;
    size_t convs = 0, widest = 0;
    for (size_t k = 0; k < stack->count; k++) {
        convs += stack->layers[k].kind == LAYER_CONV ? 1 : 0;
        widest = size_max(widest, stack->layers[k].out_channels);
    }
    for (size_t k = 0; k < 2 && k < convs; k++)
        state->buffers[i][k] = take_floats(room, columns, widest, 1);
}

static void place_branch(struct run_state *state, size_t i, struct room *room)
{
    const size_t columns = pool_columns(state->plan, state->n, i);
    const struct branch_geometry *g = &state->plan->g.branches[i];
    if (state->run->pooling)
        state->pooled[i] = state->run->pooling->pooled[i];
    else
        state->pooled[i] = (struct micro_panels){
            take_floats(room, columns, state->spec->channels, 1), state->spec->channels};
    place_buffers(state, i, columns, room);
    if (!state->plan->is_folded[i])
        state->expanded[i] = take_floats(
            room, size_times(state->n, state->spec->pyramid.branches[i].stack.out_channels),
            g->pooled_h, g->target_w);
}

static void place_head(struct run_state *state, const struct head *head, struct room *room)
{
    const size_t pixels = state->plan->tiles.pixels, last = head->count - 1;
    const bool has_output = geometry_has_output(state->spec, &state->plan->g);
    size_t widest = 0;
    state->block_floats = head->block_floats;
    if (has_output)
        state->block_floats =
            size_max(state->block_floats,
                     output_scratch_floats(state->plan, head->passes[last].ret_channels));
    state->block_floats = size_round_up(state->block_floats, 16); /* whole cache lines */
    state->blocks = take_floats(room, (size_t)state->threads, state->block_floats, 1);
    for (size_t i = 0; i < last; i++)
        widest = size_max(widest, head->passes[i].ret_channels);
    for (size_t i = 0; i < 2 && i < last; i++)
        state->maps[i] = take_floats(room, state->n, widest, pixels);
    if (has_output)
        state->values = take_floats(room, state->n, head->passes[last].ret_channels, pixels);
}

/* Places the scratch of a run. */
static void place_scratch(struct run_state *state, const struct head *head, struct room *room)
{
    const struct spec *spec = state->spec;
    const struct plan *plan = state->plan;
    state->is_finite = room_take(room, state->n, sizeof *state->is_finite);
    for (size_t i = 0; i < spec->pyramid.branch_count; i++)
        place_branch(state, i, room);
    if (plan->folded_steps > 0)
        state->folded =
            take_floats(room, state->n, plan->grid_steps, spec_bottleneck(spec)->out_channels);
    if (plan_shares_columns(plan))
        state->columns =
            take_floats(room, plan->tiles.count, plan->folded_steps, plan->simd->gemm_columns);
    state->cell_floats = pool_scratch_floats(plan, state->x_layout);
    state->cells = take_floats(room, (size_t)state->threads, state->cell_floats, 1);
    place_head(state, head, room);
}

/* ---- a run ---- */

static double mark_ms(double *at_s)
{
    const double now_s = threads_now_s(), ms = 1e3 * (now_s - *at_s);
    *at_s = now_s;
    return ms;
}

/* A thread's share of all stages; *at_s and times are the master's. */
static void take_part(struct run_state *state, const struct head *head, const struct ppm_tensor *y,
                      double *at_s, struct ppm_stage_times *times)
{
    const unsigned before = state->plan->simd->begin();
    stage_pool(state);
#pragma omp master
    times->pool_ms = mark_ms(at_s);
    stage_branches(state);
    stage_check_finite(state);
    stage_upsample(state);
    stage_fold(state);
#pragma omp master
    times->branches_ms = mark_ms(at_s);
    stage_head(state, head, state->values ? state->values : y->data);
#pragma omp master
    times->head_ms = mark_ms(at_s);
    if (state->values)
        stage_output(state, head->passes[head->count - 1].ret_channels, y);
    state->plan->simd->end(before);
}

/* A team of one still asks the kernel at each barrier to wake the others, so one thread runs
 * without a region; except within another region, whose threads would share the loops. */
static void run_stages(struct run_state *state, const struct head *head, const struct ppm_tensor *y,
                       struct ppm_stage_times *times)
{
    double at_s = threads_now_s();
    if (state->threads == 1 && !omp_in_parallel()) {
        take_part(state, head, y, &at_s, times);
    } else {
#pragma omp parallel num_threads(state->threads)
        take_part(state, head, y, &at_s, times);
    }
    times->output_ms = mark_ms(&at_s);
}

static size_t count_scratch(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const struct run run = {0};
    struct head head;
    struct run_state state = {.plan = plan,
                              .spec = plan->spec,
                              .run = &run,
                              .x_layout = layout,
                              .n = n,
                              .threads = threads};
    struct room room = {0};
    head_plan(&state, &head);
    place_scratch(&state, &head, &room);
    return room.bytes;
}

size_t engine_scratch_bytes(const struct plan *plan, size_t n, enum ppm_layout layout, int threads)
{
    const size_t alone = count_scratch(plan, n, layout, 1);
    if (threads == 1 || pace_is_for_one_thread(plan->map_us, n))
        return alone;
    return size_max(alone, count_scratch(plan, n, layout, threads));
}

/* The caller's, if it is large enough, or *ret_own. */
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
    struct head head;
    void *own = NULL;
    struct run_state state = {
        .plan = &plan->plan,
        .spec = plan->plan.spec,
        .run = run,
        .x = x->data,
        .x_layout = x->layout,
        .n = x->shape.n,
        .threads = pace_choose_threads(&plan->pace, plan->plan.map_us, x->shape.n, run->threads),
        .planes_pooled = run->pooling ? run->pooling->planes_pooled : 0,
        .are_finite = true};
    struct room counted = {0}, room = {0};
    head_plan(&state, &head);
    place_scratch(&state, &head, &counted);
    if (!(room.base = find_scratch(run, counted.bytes, &own, error)))
        return error->status;
    place_scratch(&state, &head, &room);
    for (size_t n = 0; n < state.n; n++)
        atomic_init(&state.is_finite[n], true);
    run_stages(&state, &head, y, times);
    pace_note(&plan->pace, state.n, state.threads,
              times->pool_ms + times->branches_ms + times->head_ms + times->output_ms);
    if (run->head && state.values)
        run_copy(run, run->head, state.values,
                 state.n * head.passes[head.count - 1].ret_channels * state.plan->tiles.pixels);
    free(own);
    return PPM_OK;
}
