/* describe.c - the description of a model and its layers. */
#include "core/model/model.h"
#include "core/plan/choice.h"
#include "core/shape/costs.h"

#include <stdio.h>

void ppm_model_info(const struct ppm_model *model, struct ppm_model_info *ret_info)
{
    const struct spec *spec = &model->spec;
    size_t layers = spec->head.count;
    for (size_t i = 0; i < spec->pyramid.branch_count; i++)
        layers += spec->pyramid.branches[i].stack.count;
    *ret_info = (struct ppm_model_info){
        .name = spec->name,
        .config_json = spec->json,
        .input_count = spec->graph.input_count,
        .output_channels = spec->output_channels,
        .layout = spec->layout,
        .output_dtype = spec->output.as == AS_ARGMAX ? PPM_INT32 : PPM_FLOAT32,
        .classes = spec->output.classes,
        .palette = spec->output.palette.count > 0 ? spec->output.palette.colors : NULL,
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
    for (size_t i = 0; i < spec->graph.input_count; i++) {
        const struct node *input = &spec->graph.nodes[i];
        ret_info->inputs[i] = (struct ppm_input_info){input->name, input->layer.out_channels};
    }
}

static const char *folded_note(const struct layer *layer)
{
    return layer->norms_folded > 0 ? ", batch_norm folded" : "";
}

/* algorithm: a note about it, or NULL. */
static void describe_conv(const struct layer *conv, const char *algorithm, char *text, size_t bytes)
{
    snprintf(text, bytes, "conv %zux%zu %zu -> %zu%s%s%s%s", conv->window.size[0],
             conv->window.size[1], conv->in_channels, conv->out_channels,
             conv->has_bias ? "" : ", no bias", folded_note(conv), algorithm ? ", " : "",
             algorithm        ? algorithm
             : conv->bfloat16 ? ", bfloat16"
                              : "");
}

static void describe_layer(const struct layer *layer, char *text, size_t bytes)
{
    if (layer->kind == LAYER_BATCH_NORM)
        snprintf(text, bytes, "batch_norm %zu%s", layer->out_channels, folded_note(layer));
    else
        snprintf(text, bytes, "%s", layer_name(layer));
}

/* The stack of the index-th layer, counting the branches, then the head. */
static const struct stack *stack_of(const struct spec *spec, size_t *index, size_t *ret_branch)
{
    for (size_t i = 0; i < spec->pyramid.branch_count; i++) {
        const struct stack *stack = &spec->pyramid.branches[i].stack;
        *ret_branch = i;
        if (*index < stack->count)
            return stack;
        *index -= stack->count;
    }
    *ret_branch = spec->pyramid.branch_count;
    return *index < spec->head.count ? &spec->head : NULL;
}

enum ppm_status ppm_model_layer(const struct ppm_model *model, size_t index,
                                const struct ppm_sizes *sizes, struct ppm_layer_info *ret_info,
                                struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g = {0};
    size_t branch = 0, at = index;
    const struct stack *stack = stack_of(spec, &at, &branch);
    if (!stack)
        return ppm_fail(error, PPM_UNFIT, "the model has no layer %zu", index);
    if (sizes && geometry_of(spec, sizes, &g, error) != PPM_OK)
        return error->status;
    const struct layer *layer = &stack->layers[at];
    struct ppm_layer_info info = {.parameters = layer->parameters};
    if (stack == &spec->head) {
        snprintf(info.where, sizeof info.where, "head");
        info.flops = layer_flops(layer, (uint64_t)g.input.n * g.h * g.w);
    } else {
        const struct branch *b = &spec->pyramid.branches[branch];
        const struct branch_geometry *bg = &g.branches[branch];
        if (b->bin)
            snprintf(info.where, sizeof info.where, "branch %zu (bin %zu)", branch, b->bin);
        else
            snprintf(info.where, sizeof info.where, "branch %zu (%zu x %zu px)", branch,
                     b->window_h, b->window_w);
        info.flops = layer_flops(layer, (uint64_t)g.input.n * bg->pooled_h * bg->pooled_w);
    }
    const bool is_planned = sizes && stack == &spec->head && !spec->pyramid.is_cascade;
    if (layer->kind != LAYER_CONV)
        describe_layer(layer, info.what, sizeof info.what);
    else
        describe_conv(layer,
                      is_planned ? choice_of(choose_algorithm(spec->is_exact, layer,
                                                              (struct map_size){g.h, g.w}))
                                       ->note
                                 : NULL,
                      info.what, sizeof info.what);
    *ret_info = info;
    return PPM_OK;
}
