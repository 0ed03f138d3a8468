/* describe.c - what a model is made of and what a request of it costs. */
#include "core/plan.h"

#include <stdio.h>

void ppm_model_info(const struct ppm_model *model, struct ppm_model_info *ret_info)
{
    const struct spec *spec = &model->spec;
    size_t layers = spec->head.count;
    for (size_t i = 0; i < spec->branch_count; i++)
        layers += spec->branches[i].stack.count;
    *ret_info = (struct ppm_model_info){
        .name = spec->name,
        .config_json = spec->json,
        .channels = spec->channels,
        .output_channels = spec->output_channels,
        .layout = spec->layout,
        .output_dtype = spec->output.as == AS_ARGMAX ? PPM_INT32 : PPM_FLOAT32,
        .classes = spec->output.classes,
        .palette = spec->output.palette.count > 0 ? spec->output.palette.colours : NULL,
        .palette_count = spec->output.palette.count,
        .parameters = model->parameters,
        .parameters_bytes = model->parameters_bytes,
        .isa = model->simd->name,
        .compute = spec->compute == COMPUTE_BFLOAT16 ? "bfloat16" : "float32",
        .compute_share = model->compute_share,
        .compute_error = model->compute_error,
        .layer_count = layers,
        .warm_up = spec->warm_up,
        .warm_up_count = spec->warm_up_count,
    };
}

/* 2 * multiply-adds of a layer over pixels; what is not a convolution counts as free. */
static uint64_t layer_flops(const struct layer *layer, uint64_t pixels)
{
    if (layer->kind != LAYER_CONV)
        return 0;
    return 2 * pixels * layer->out_channels * layer->in_channels * layer->kernel * layer->kernel;
}

static uint64_t stack_flops(const struct stack *stack, uint64_t pixels)
{
    uint64_t flops = 0;
    for (size_t i = 0; i < stack->count; i++)
        flops += layer_flops(&stack->layers[i], pixels);
    return flops;
}

/* How many FLOPs folding spares: of a branch's Ci columns of the bottleneck only as many as its
 * grid has points remain, at the price of multiplying the branch's result by its weights; where
 * that does not pay, the branch stays as written. */
static uint64_t folding_spares(const struct spec *spec, const struct geometry *g)
{
    const struct layer *bottleneck = spec->head.count ? &spec->head.layers[0] : NULL;
    const uint64_t pixels = (uint64_t)g->input.n * g->h * g->w;
    uint64_t spares = 0;
    if (!bottleneck || bottleneck->kind != LAYER_CONV)
        return 0;
    const uint64_t rows = 2 * bottleneck->out_channels * bottleneck->kernel * bottleneck->kernel;
    for (size_t i = 0; i < spec->branch_count; i++) {
        const uint64_t channels = spec->branches[i].stack.out_channels;
        const uint64_t points = (uint64_t)g->branches[i].pooled_h * g->branches[i].pooled_w;
        const uint64_t literal = rows * channels * pixels;
        const uint64_t folded = rows * points * pixels + rows * channels * points * g->input.n;
        spares += literal > folded ? literal - folded : 0;
    }
    return spares;
}

/* 100 GFLOP/s and 10 GB/s: the order of magnitude is all that matters. */
enum { FLOPS_PER_US = 100000, BYTES_PER_US = 10000 };

enum ppm_status ppm_model_costs(const struct ppm_model *model, struct ppm_shape input,
                                struct ppm_costs *ret_costs, struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g;
    struct ppm_costs costs = {0};
    if (geometry_of(spec, input, &g, error) != PPM_OK ||
        ppm_shape_bytes(input, &costs.input_bytes, error) != PPM_OK ||
        ppm_shape_bytes(g.output, &costs.output_bytes, error) != PPM_OK)
        return error->status;
    costs.output = g.output;
    for (size_t i = 0; i < spec->branch_count; i++)
        costs.flops_literal +=
            (spec->is_cascade ? 2 : 1) *
            stack_flops(&spec->branches[i].stack,
                        (uint64_t)input.n * g.branches[i].pooled_h * g.branches[i].pooled_w);
    costs.flops_literal += stack_flops(&spec->head, (uint64_t)input.n * g.h * g.w);
    costs.flops_folded = costs.flops_literal - folding_spares(spec, &g);

    /* a transposed copy on the way in and out, besides what the graph itself stores */
    const size_t parts[] = {costs.input_bytes, 2 * costs.output_bytes,
                            reference_working_bytes(spec, &g)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (__builtin_add_overflow(costs.working_bytes, parts[i], &costs.working_bytes))
            costs.working_bytes = SIZE_MAX;
    costs.pooling_bytes = pooling_bytes(model, &g);
    costs.one_thread_us = (double)costs.flops_folded / FLOPS_PER_US +
                          (double)(costs.input_bytes + costs.output_bytes) / BYTES_PER_US;
    costs.weights_us = (double)model->parameters_bytes / BYTES_PER_US;
    *ret_costs = costs;
    return PPM_OK;
}

static void describe_layer(const struct layer *layer, bool is_winograd, char *text, size_t bytes)
{
    const char *folded = layer->norms_folded > 0 ? ", batch_norm folded" : "";
    if (layer->kind == LAYER_CONV)
        snprintf(text, bytes, "conv %zux%zu %zu -> %zu%s%s%s", layer->kernel, layer->kernel,
                 layer->in_channels, layer->out_channels, layer->has_bias ? "" : ", no bias",
                 folded,
                 is_winograd       ? ", Winograd F(4x4, 3x3)"
                 : layer->bfloat16 ? ", bfloat16"
                                   : "");
    else if (layer->kind == LAYER_BATCH_NORM)
        snprintf(text, bytes, "batch_norm %zu%s", layer->out_channels, folded);
    else
        snprintf(text, bytes, "%s", spec_activation_name(layer));
}

/* The stack that the index-th layer belongs to, counting branch by branch, then the head. */
static const struct stack *stack_of(const struct spec *spec, size_t *index, size_t *ret_branch)
{
    for (size_t i = 0; i < spec->branch_count; i++) {
        const struct stack *stack = &spec->branches[i].stack;
        *ret_branch = i;
        if (*index < stack->count)
            return stack;
        *index -= stack->count;
    }
    *ret_branch = spec->branch_count;
    return *index < spec->head.count ? &spec->head : NULL;
}

enum ppm_status ppm_model_layer(const struct ppm_model *model, size_t index,
                                const struct ppm_shape *input, struct ppm_layer_info *ret_info,
                                struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g = {0};
    size_t branch = 0, at = index;
    const struct stack *stack = stack_of(spec, &at, &branch);
    if (!stack)
        return ppm_fail(error, PPM_UNFIT, "the model has no layer %zu", index);
    if (input && geometry_of(spec, *input, &g, error) != PPM_OK)
        return error->status;
    const struct layer *layer = &stack->layers[at];
    struct ppm_layer_info info = {.parameters = layer->parameters};
    if (stack == &spec->head) {
        snprintf(info.where, sizeof info.where, "head");
        info.flops = layer_flops(layer, (uint64_t)g.input.n * g.h * g.w);
    } else {
        const struct branch *b = &spec->branches[branch];
        const struct branch_geometry *bg = &g.branches[branch];
        if (b->bin)
            snprintf(info.where, sizeof info.where, "branch %zu (bin %zu)", branch, b->bin);
        else
            snprintf(info.where, sizeof info.where, "branch %zu (%zu x %zu px)", branch,
                     b->window_h, b->window_w);
        info.flops = layer_flops(layer, (uint64_t)g.input.n * bg->pooled_h * bg->pooled_w);
    }
    const bool is_winograd =
        input && stack == &spec->head && !spec->is_cascade && winograd_pays(spec, layer, g.h, g.w);
    describe_layer(layer, is_winograd, info.what, sizeof info.what);
    *ret_info = info;
    return PPM_OK;
}
