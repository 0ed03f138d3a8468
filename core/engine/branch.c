/* branch.c - see branch.h. Products of few columns, which stream their weights once. */
#include "core/engine/branch.h"
#include "core/engine/pass.h"
#include "core/engine/pool.h"
#include "core/model/panels.h"

/* How many layers of a stack from `at` on are computed together: a conv and a clamp, or one. */
static size_t fused_layers(const struct stack *stack, size_t at)
{
    return at + 1 < stack->count && fuses_clamp(&stack->layers[at], &stack->layers[at + 1]) ? 2 : 1;
}

/* Share `share` of `shares` of one step; x and ret are micro-panels, ret == x but for a conv. */
static void run_step(const struct section_state *state, size_t branch, size_t at, size_t share,
                     size_t shares, const float *x, float *ret)
{
    const struct stack *stack = &state->pyramid->pyramid->branches[branch].stack;
    const struct layer *layer = &stack->layers[at];
    const size_t columns = state->n * geometry_points(&state->pyramid->g, branch);
    const size_t width = state->simd->gemm_columns;
    if (layer->kind == LAYER_CONV) {
        const size_t panels = conv_panel_count(layer);
        const struct layer *next = fused_layers(stack, at) == 2 ? layer + 1 : NULL;
        run_conv_1x1(state->run, layer, next, x, columns, panels * share / shares,
                     panels * (share + 1) / shares, ret);
        return;
    }
    if (share > 0)
        return;
    size_t done = 0;
    for (size_t first = 0;
         first < columns && run_goes_on(state->run, &done, layer->out_channels * width);
         first += width)
        apply_pointwise(layer, ret + first * layer->out_channels);
}

/* All branches advance by one step at a time. Each has a thread, or several if there are more
 * threads than branches. */
void stage_branches(struct section_state *state)
{
    const size_t count = state->pyramid->pyramid->branch_count;
    const size_t shares = size_div_up((size_t)state->of->threads, count);
    struct micro_panels at_panels[BRANCHES_MAX];
    size_t at[BRANCHES_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        at_panels[i] = state->pooled[i];
    for (bool goes_on = true; goes_on;) {
        float *to[BRANCHES_MAX];
        for (size_t i = 0; i < count; i++) {
            const struct stack *stack = &state->pyramid->pyramid->branches[i].stack;
            const bool is_conv = at[i] < stack->count && stack->layers[at[i]].kind == LAYER_CONV;
            to[i] = !is_conv                                    ? at_panels[i].data
                    : at_panels[i].data == state->buffers[i][0] ? state->buffers[i][1]
                                                                : state->buffers[i][0];
        }
#pragma omp for schedule(dynamic)
        for (size_t task = 0; task < count * shares; task++) {
            const size_t i = count - 1 - task / shares; /* the large grids come last in models */
            if (at[i] < state->pyramid->pyramid->branches[i].stack.count)
                run_step(state, i, at[i], task % shares, shares, at_panels[i].data, to[i]);
        }
        goes_on = false;
        for (size_t i = 0; i < count; i++) {
            const struct stack *stack = &state->pyramid->pyramid->branches[i].stack;
            if (at[i] >= stack->count)
                continue;
            at_panels[i] = (struct micro_panels){to[i], stack->layers[at[i]].out_channels};
            at[i] += fused_layers(stack, at[i]);
            goes_on = goes_on || at[i] < stack->count;
        }
    }
    for (size_t i = 0; i < count; i++)
        state->results[i] = at_panels[i];
}
