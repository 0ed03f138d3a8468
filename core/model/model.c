/* model.c - a model's weights: read, folded. */
#include "core/model/model.h"
#include "core/base/kernels.h"
#include "core/base/memory.h"
#include "core/model/loader.h"
#include "core/model/panels.h"

#include <stdatomic.h>
#include <stdlib.h>

static void load_reported(struct loader *loader, struct layer *layer)
{
    load_layer(loader, layer);
    loader->layers_done++;
    if (loader->progress && loader->progress->report)
        loader->progress->report(loader->progress->context, loader->model->spec.name,
                                 (double)loader->layers_done / (double)loader->layers_total);
}

/* A norm after a layer with a scale and shift: (v * s1 + t1) * s2 + t2. */
static void fold_norm(struct layer *into, struct layer *norm)
{
    for (size_t c = 0; c < norm->out_channels; c++) {
        into->scale[c] *= norm->scale[c];
        into->shift[c] = into->shift[c] * norm->scale[c] + norm->shift[c];
    }
    into->norms_folded++;
    into->parameters += norm->parameters;
    free(norm->scale);
    free(norm->shift);
    norm->scale = norm->shift = NULL;
}

/* Folded norms leave a stack. */
static void fold_stack(struct stack *stack)
{
    size_t kept = 0;
    for (size_t i = 0; i < stack->count; i++) {
        struct layer *layer = &stack->layers[i], *before = kept ? &stack->layers[kept - 1] : NULL;
        if (layer->kind == LAYER_BATCH_NORM && before && before->scale)
            fold_norm(before, layer);
        else
            stack->layers[kept++] = *layer;
    }
    stack->count = kept;
}

/* In a graph they stay as nodes that add nothing. */
static void fold_graph(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) {
        const size_t into = graph_folded_into(graph, i);
        if (into != i)
            fold_norm(&graph->nodes[into].layer, &graph->nodes[i].layer);
    }
}

/* scale and shift in float32, once all norms are folded. */
static void round_affine(struct layer *layer, struct ppm_error *error)
{
    if (!layer->scale || error->status != PPM_OK)
        return;
    layer->scale32 = core_allocate(layer->out_channels * sizeof(float), error);
    layer->shift32 = core_allocate(layer->out_channels * sizeof(float), error);
    for (size_t c = 0; layer->scale32 && layer->shift32 && c < layer->out_channels; c++) {
        layer->scale32[c] = (float)layer->scale[c];
        layer->shift32[c] = (float)layer->shift[c];
    }
}

static void load_stack(struct loader *loader, struct stack *stack)
{
    for (size_t i = 0; i < stack->count && loader->error->status == PPM_OK; i++)
        load_reported(loader, &stack->layers[i]);
    if (loader->error->status != PPM_OK)
        return;
    fold_stack(stack);
    for (size_t i = 0; i < stack->count; i++)
        round_affine(&stack->layers[i], loader->error);
}

static void load_pyramid(struct loader *loader, struct layer *layer)
{
    for (size_t i = 0; i < layer->pyramid->branch_count; i++)
        load_stack(loader, &layer->pyramid->branches[i].stack);
}

static void load_graph(struct loader *loader, struct graph *graph)
{
    for (size_t i = 0; i < graph->count && loader->error->status == PPM_OK; i++) {
        struct layer *layer = &graph->nodes[i].layer;
        if (layer->kind == LAYER_PYRAMID)
            load_pyramid(loader, layer);
        else if (layer->kind != LAYER_INPUT)
            load_reported(loader, layer);
    }
    if (loader->error->status != PPM_OK)
        return;
    fold_graph(graph);
    for (size_t i = 0; i < graph->count; i++)
        round_affine(&graph->nodes[i].layer, loader->error);
}

/* How many load_layer is called for. */
static size_t layers_of(const struct layer *layer)
{
    size_t count = layer->kind != LAYER_INPUT && layer->kind != LAYER_PYRAMID;
    for (size_t i = 0; layer->kind == LAYER_PYRAMID && i < layer->pyramid->branch_count; i++)
        count += layer->pyramid->branches[i].stack.count;
    return count;
}

enum ppm_status model_read_weights(struct ppm_model *model, const char *path,
                                   const struct ppm_progress *progress, struct ppm_error *error)
{
    struct spec *spec = &model->spec;
    struct loader loader = {.model = model, .path = path, .progress = progress, .error = error};
    if (program_of(&spec->graph, &model->program, error) != PPM_OK)
        return error->status;
    if (!(loader.source = weights_open(&spec->weights, progress, error)))
        return error->status;
    for (size_t i = 0; i < spec->graph.count; i++)
        loader.layers_total += layers_of(&spec->graph.nodes[i].layer);
    load_graph(&loader, &spec->graph);
    weights_close(loader.source);
    return error->status;
}

static uint64_t layer_bytes(const struct layer *layer)
{
    uint64_t bytes = 0;
    if (layer->panels)
        bytes += conv_bytes(layer);
    if (layer->scale)
        bytes += 2 * (sizeof(double) + sizeof(float)) * layer->out_channels;
    if (layer->slopes)
        bytes += sizeof(float) * layer->out_channels;
    for (size_t i = 0; layer->kind == LAYER_PYRAMID && i < layer->pyramid->branch_count; i++) {
        const struct stack *stack = &layer->pyramid->branches[i].stack;
        for (size_t k = 0; k < stack->count; k++)
            bytes += layer_bytes(&stack->layers[k]);
    }
    return bytes;
}

uint64_t model_weights_bytes(const struct ppm_model *model)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < model->spec.graph.count; i++)
        bytes += layer_bytes(&model->spec.graph.nodes[i].layer);
    return bytes;
}

struct ppm_model *model_create(const char *path, struct ppm_error *error)
{
    static atomic_uint_fast64_t loads;
    struct ppm_model *model = calloc(1, sizeof *model);
    if (!model) {
        ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
        return NULL;
    }
    model->simd = core_simd();
    model->id = atomic_fetch_add(&loads, 1) + 1;
    return model;
}

void ppm_model_free(struct ppm_model *model)
{
    if (!model)
        return;
    program_release(&model->program);
    spec_release(&model->spec);
    free(model);
}
