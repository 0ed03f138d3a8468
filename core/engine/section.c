/* section.c - a section: its scratch, and its stages in the order of the paper. */
#include "core/engine/section.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/engine/branch.h"
#include "core/engine/fold.h"
#include "core/engine/passes.h"
#include "core/engine/pool.h"
#include "core/engine/pooling.h"
#include "core/engine/upsample.h"
#include "core/plan/plan_columns.h"

#include <assert.h>

/* ---- scratch ---- */

static float *take_floats(struct room *room, size_t a, size_t b, size_t c)
{
    return room_take(room, size_times(size_times(a, b), c), sizeof(float));
}

/* For the results of a branch's convs: the last one's, and those of the one before. */
static void place_buffers(struct section_state *state, size_t i, size_t columns, struct room *room)
{
    const struct stack *stack = &state->pyramid->pyramid->branches[i].stack;
    size_t convs = 0, widest = 0;
    for (size_t k = 0; k < stack->count; k++) {
        convs += stack->layers[k].kind == LAYER_CONV ? 1 : 0;
        widest = size_max(widest, stack->layers[k].out_channels);
    }
    for (size_t k = 0; k < 2 && k < convs; k++)
        state->buffers[i][k] = take_floats(room, columns, widest, 1);
}

static void place_branch(struct section_state *state, size_t i, struct room *room)
{
    const struct pyramid *pyramid = state->pyramid->pyramid;
    const size_t columns = pool_columns(state->pyramid, state->n, i);
    const struct branch_geometry *g = &state->pyramid->g.branches[i];
    if (state->of->pooling)
        state->pooled[i] = state->of->pooling->pooled[i];
    else
        state->pooled[i] = (struct micro_panels){take_floats(room, columns, pyramid->channels, 1),
                                                 pyramid->channels};
    place_buffers(state, i, columns, room);
    if (!state->pyramid->is_folded[i])
        state->expanded[i] =
            take_floats(room, size_times(state->n, pyramid->branches[i].stack.out_channels),
                        g->pooled_h, g->target_w);
}

static void place_pyramid(struct section_state *state, struct room *room)
{
    const struct pyramid_plan *plan = state->pyramid;
    for (size_t i = 0; i < plan->pyramid->branch_count; i++)
        place_branch(state, i, room);
    assert(state->conv || !section_folds(state->plan));
    if (section_folds(state->plan))
        state->folded = take_floats(room, state->n, plan->grid_steps, state->conv->out_channels);
    if (plan_shares_columns(state->plan))
        state->columns = take_floats(room, state->plan->tiles.count, plan->folded_steps,
                                     state->simd->gemm_columns);
    state->cell_floats = pool_scratch_floats(plan, section_pooled_map(state)->layout);
    state->cells = take_floats(room, (size_t)state->of->threads, state->cell_floats, 1);
}

static void place_passes(struct section_state *state, const struct passes *passes,
                         struct room *room)
{
    enum { LINE_FLOATS = 16 };
    state->block_floats = size_round_up(passes->block_floats, LINE_FLOATS);
    state->blocks = take_floats(room, (size_t)state->of->threads, state->block_floats, 1);
    for (size_t i = 0; i < 2 && i + 1 < passes->count; i++)
        state->maps[i] = take_floats(room, state->n, passes->widest, state->plan->tiles.pixels);
}

static void place(const struct section_run *of, struct room *room, struct section_state *ret_state,
                  struct passes *ret_passes)
{
    *ret_state = (struct section_state){.of = of,
                                        .run = of->run,
                                        .plan = of->plan,
                                        .pyramid = of->plan->pyramid,
                                        .simd = of->plan->simd,
                                        .conv = section_conv(of->plan->section),
                                        .n = of->n};
    passes_plan(ret_state, ret_passes);
    if (ret_state->pyramid)
        place_pyramid(ret_state, room);
    place_passes(ret_state, ret_passes, room);
}

size_t section_scratch_bytes(const struct section_run *of)
{
    struct section_state state;
    struct passes passes;
    struct room room = {0};
    place(of, &room, &state, &passes);
    return room.bytes;
}

/* ---- a run ---- */

/* The master's time since *at_s. */
static void note_ms(double *at_s, double *ret_ms)
{
    const double now_s = threads_now_s();
    *ret_ms += 1e3 * (now_s - *at_s);
    *at_s = now_s;
}

static void run_pyramid(struct section_state *state, struct ppm_stage_times *times, double *at_s)
{
    stage_pool(state);
#pragma omp master
    note_ms(at_s, &times->pool_ms);
    stage_branches(state);
    stage_check_finite(state);
    stage_upsample(state);
    stage_fold(state);
#pragma omp master
    note_ms(at_s, &times->branches_ms);
}

void section_run(const struct section_run *of, void *scratch)
{
    struct section_state state;
    struct passes passes;
    struct room room = {.base = scratch};
    struct ppm_stage_times none = {0}, *times = of->times ? of->times : &none;
    double at_s = threads_now_s();
    place(of, &room, &state, &passes);
    if (state.pyramid)
        run_pyramid(&state, times, &at_s);
    stage_passes(&state, &passes);
#pragma omp master
    note_ms(&at_s, &times->head_ms);
}
