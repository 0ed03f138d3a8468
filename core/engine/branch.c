/* branch.c - the branches' layers on their grids: products of few columns that stream their weights
 * once. */
#include "core/base/threads.h"
#include "core/engine/engine.h"

#include <math.h>

/* One step of a branch: a conv with the clamp behind it, or a layer by itself. */
static size_t step_layers(const struct stack *stack, size_t at)
{
    float low, high;
    const bool has_next = at + 1 < stack->count;
    return stack->layers[at].kind == LAYER_CONV && has_next &&
                   fused_clamp(&stack->layers[at + 1], &low, &high)
               ? 2
               : 1;
}

bool fused_clamp(const struct layer *next, float *ret_low, float *ret_high)
{
    *ret_low = -INFINITY;
    *ret_high = INFINITY;
    if (!next || next->kind != LAYER_ACTIVATION ||
        (next->activation != SIMD_RELU && next->activation != SIMD_RELU6))
        return false;
    *ret_low = 0;
    if (next->activation == SIMD_RELU6)
        *ret_high = 6;
    return true;
}

void apply_pointwise(const struct layer *layer, float *panel, size_t first, size_t channels)
{
    const struct simd_ops *ops = layer->simd;
    const size_t width = ops->gemm_columns;
    float *x = panel + first * width;
    if (layer->kind == LAYER_SOFTMAX) {
        ops->softmax(panel, layer->out_channels, width, width);
    } else if (layer->kind == LAYER_ACTIVATION) {
        ops->activate[layer->activation](x, x, channels * width, layer->slope);
    } else {
        for (size_t c = first; c < first + channels; c++, x += width) {
            if (layer->kind == LAYER_PRELU)
                ops->activate[SIMD_LEAKY_RELU](x, x, width, layer->slopes[c]);
            for (size_t j = 0; layer->kind == LAYER_BATCH_NORM && j < width; j++)
                x[j] = x[j] * layer->scale32[c] + layer->shift32[c];
        }
    }
}

/* Panels [from, to) of a conv over all columns of a branch. */
static void run_conv(const struct work *work, const struct layer *conv, const struct layer *next,
                     const float *x, size_t columns, size_t from, size_t to, float *ret)
{
    const struct simd_ops *ops = conv->simd;
    const size_t width = ops->gemm_columns;
    struct simd_gemm_run run = {.k = conv->in_channels, .words = conv_float32_words(conv)};
    struct simd_gemm_tile tile = {.runs = &run, .run_count = 1, .c_stride = width};
    size_t done = 0;
    fused_clamp(next, &tile.low, &tile.high);
    for (size_t panel = from; panel < to; panel++) {
        const size_t row = panel * ops->gemm_rows;
        tile.rows = conv_panel_rows(conv, panel);
        run.a = conv_panel_at(conv, panel, 0, 0, 0);
        run.next_a = run.a + conv_words(conv, run.k) * tile.rows;
        tile.scale = conv->scale32 + row;
        tile.shift = conv->shift32 + row;
        for (size_t first = 0; first < columns && run_goes_on(work->run, &done, run.k * width);
             first += width) {
            run.b = x + first * conv->in_channels;
            tile.c = ret + first * conv->out_channels + row * width;
            tile.columns = columns - first < width ? columns - first : width;
            conv_multiply(conv, &tile);
        }
    }
}

/* Share `share` of `shares` of one step; x and ret are micro-panels, ret == x but for a conv. */
static void run_step(const struct work *work, size_t branch, size_t at, size_t share, size_t shares,
                     const float *x, float *ret)
{
    const struct stack *stack = &work->spec->branches[branch].stack;
    const struct layer *layer = &stack->layers[at];
    const size_t columns = work->n * plan_points(&work->plan->g, branch);
    const size_t width = work->plan->simd->gemm_columns;
    if (layer->kind == LAYER_CONV) {
        const size_t panels = conv_panel_count(layer);
        const struct layer *next = step_layers(stack, at) == 2 ? layer + 1 : NULL;
        run_conv(work, layer, next, x, columns, panels * share / shares,
                 panels * (share + 1) / shares, ret);
        return;
    }
    if (share > 0)
        return;
    size_t done = 0;
    for (size_t first = 0;
         first < columns && run_goes_on(work->run, &done, layer->out_channels * width);
         first += width)
        apply_pointwise(layer, ret + first * layer->out_channels, 0, layer->out_channels);
}

/* All branches advance by a step at a time, each on a thread of its own, or on several when there
 * are more threads than branches. */
void stage_branches(struct work *work)
{
    const size_t count = work->spec->branch_count;
    const size_t shares = ((size_t)work->threads + count - 1) / count;
    struct micro_panels at_panels[BRANCHES_MAX];
    size_t at[BRANCHES_MAX] = {0};
    for (size_t i = 0; i < count; i++)
        at_panels[i] = work->pooled[i];
    for (bool goes_on = true; goes_on;) {
        float *to[BRANCHES_MAX];
        for (size_t i = 0; i < count; i++) {
            const struct stack *stack = &work->spec->branches[i].stack;
            const bool is_conv = at[i] < stack->count && stack->layers[at[i]].kind == LAYER_CONV;
            to[i] = !is_conv                                   ? at_panels[i].data
                    : at_panels[i].data == work->buffers[i][0] ? work->buffers[i][1]
                                                               : work->buffers[i][0];
        }
#pragma omp for schedule(dynamic)
        for (size_t task = 0; task < count * shares; task++) {
            const size_t i = count - 1 - task / shares; /* the large grids come last in models */
            if (at[i] < work->spec->branches[i].stack.count)
                run_step(work, i, at[i], task % shares, shares, at_panels[i].data, to[i]);
        }
        goes_on = false;
        for (size_t i = 0; i < count; i++) {
            const struct stack *stack = &work->spec->branches[i].stack;
            if (at[i] >= stack->count)
                continue;
            at_panels[i] = (struct micro_panels){to[i], stack->layers[at[i]].out_channels};
            at[i] += step_layers(stack, at[i]);
            goes_on = goes_on || at[i] < stack->count;
        }
    }
#pragma omp single
    for (size_t i = 0; i < count; i++)
        work->results[i] = at_panels[i];
}
