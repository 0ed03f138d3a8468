/* model.c - a model's weights: read, folded, packed. */
#include "core/model/model.h"
#include "core/base/kernels.h"
#include "core/base/memory.h"
#include "core/model/bfloat16.h"
#include "core/model/panels.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* State shared by the readers of a model's layers. */
struct loader {
    struct ppm_model *model;
    struct weights_source *source;
    const char *path; /* of the configuration */
    const struct ppm_progress *progress;
    size_t layers_total, layers_done;
    struct ppm_error *error;
};

static float *allocate_floats(struct loader *loader, size_t count)
{
    loader->model->parameters += count;
    return core_allocate(count * sizeof(float), loader->error);
}

/* Reads a rank 1 tensor of a layer into ret, which holds layer->out_channels. */
static bool read_vector(struct loader *loader, const struct layer *layer, const char *suffix,
                        struct weights_range range, float *ret)
{
    loader->model->parameters += layer->out_channels;
    return weights_read(loader->source, layer->weights_name, suffix, &layer->out_channels, 1, range,
                        ret, loader->error) == PPM_OK;
}

static bool allocate_affine(struct loader *loader, struct layer *layer)
{
    size_t bytes = layer->out_channels * sizeof(double);
    layer->scale = core_allocate(bytes, loader->error);
    layer->shift = layer->scale ? core_allocate(bytes, loader->error) : NULL;
    return layer->shift != NULL;
}

/* The parts of a conv's channels: those of the concat if the head starts with this conv. */
static bool copy_parts(struct loader *loader, struct layer *layer)
{
    const struct spec *spec = &loader->model->spec;
    const struct part whole = {.source = PART_MAP, .channels = layer->in_channels};
    const bool is_bottleneck = !spec->is_network && layer == &spec->graph.nodes[2].layer;
    layer->part_count = is_bottleneck ? spec->pyramid.part_count : 1;
    layer->parts = core_allocate(layer->part_count * sizeof *layer->parts, loader->error);
    if (layer->parts)
        memcpy(layer->parts, is_bottleneck ? spec->pyramid.parts : &whole,
               layer->part_count * sizeof *layer->parts);
    return layer->parts != NULL;
}

/* Values beyond the largest bfloat16 would be rounded to Inf. */
static bool fit_compute(struct loader *loader, const struct layer *layer, const float *weights,
                        size_t count)
{
    const struct spec *spec = &loader->model->spec;
    for (size_t i = 0; bfloat16_takes(spec, layer) && i < count; i++)
        if (!(fabsf(weights[i]) < 0x1.ffp127F)) {
            ppm_fail(loader->error, PPM_BAD_CONFIG,
                     "%s: tensor %s%s.weight: found %g at element %zu, expected a value that is "
                     "finite as bfloat16, with which the model computes",
                     spec->weights.file, spec->weights.prefix, layer->weights_name,
                     (double)weights[i], i);
            return false;
        }
    return true;
}

static void load_conv(struct loader *loader, struct layer *layer)
{
    const size_t shape[4] = {layer->out_channels, layer->in_channels, layer->window.size[0],
                             layer->window.size[1]};
    const size_t fan_in = layer->in_channels * conv_taps(layer);
    /* keeps the variance of random activations near 1, at any width */
    const double bound = sqrt(3 / (double)fan_in);
    float *bias = core_allocate(layer->out_channels * sizeof *bias, loader->error);
    float *weights = allocate_floats(loader, layer->out_channels * fan_in);
    if (!bias || !weights || !allocate_affine(loader, layer) || !copy_parts(loader, layer))
        goto out;
    memset(bias, 0, layer->out_channels * sizeof *bias);
    if (weights_read(loader->source, layer->weights_name, ".weight", shape, 4,
                     (struct weights_range){-bound, bound}, weights, loader->error) != PPM_OK ||
        !fit_compute(loader, layer, weights, layer->out_channels * fan_in) ||
        conv_pack(layer, weights, loader->progress, loader->error) != PPM_OK)
        goto out;
    if (layer->has_bias &&
        !read_vector(loader, layer, ".bias", (struct weights_range){-0.5, 0.5}, bias))
        goto out;
    for (size_t c = 0; c < layer->out_channels; c++) {
        layer->scale[c] = 1;
        layer->shift[c] = (double)bias[c];
    }
out:
    free(bias);
    free(weights);
}

/* y = (x - mean) / sqrt(variance + eps) * gamma + beta, as scale * x + shift */
static void load_batch_norm(struct loader *loader, struct layer *layer)
{
    const size_t channels = layer->out_channels;
    float *values = core_allocate(4 * channels * sizeof *values, loader->error);
    if (!values || !allocate_affine(loader, layer))
        goto out;
    float *gamma = values, *beta = gamma + channels, *mean = beta + channels;
    float *variance = mean + channels;
    for (size_t c = 0; c < channels; c++)
        gamma[c] = 1, beta[c] = 0;
    const struct weights_range positive = {0.5, 1.5}, centered = {-0.5, 0.5};
    if ((layer->has_scale && !read_vector(loader, layer, ".weight", positive, gamma)) ||
        (layer->has_center && !read_vector(loader, layer, ".bias", centered, beta)) ||
        !read_vector(loader, layer, ".running_mean", centered, mean) ||
        !read_vector(loader, layer, ".running_var", positive, variance))
        goto out;
    for (size_t c = 0; c < channels; c++) {
        if (variance[c] < 0 || !((double)variance[c] + layer->eps > 0)) {
            ppm_fail(loader->error, PPM_BAD_CONFIG,
                     "%s: tensor %s%s.running_var: found %g at element %zu, expected a variance of "
                     "at least 0 (and above it when eps is 0)",
                     loader->model->spec.weights.file, loader->model->spec.weights.prefix,
                     layer->weights_name, (double)variance[c], c);
            goto out;
        }
        layer->scale[c] = (double)gamma[c] / sqrt((double)variance[c] + layer->eps);
        layer->shift[c] = (double)beta[c] - (double)mean[c] * layer->scale[c];
    }
out:
    free(values);
}

/* The file has one slope for all channels or one for each; the layer has one for each. */
static void load_prelu(struct loader *loader, struct layer *layer)
{
    const size_t channels = layer->out_channels;
    const struct weights_range range = {0.1, 0.4};
    const bool is_single = !weights_has(loader->source, layer->weights_name, ".weight", channels) &&
                           weights_has(loader->source, layer->weights_name, ".weight", 1);
    const size_t count = is_single ? 1 : channels;
    layer->slopes = allocate_floats(loader, channels);
    if (!layer->slopes || weights_read(loader->source, layer->weights_name, ".weight", &count, 1,
                                       range, layer->slopes, loader->error) != PPM_OK)
        return;
    for (size_t c = count; c < channels; c++)
        layer->slopes[c] = layer->slopes[0];
    loader->model->parameters -= channels - count;
}

/* For the kinds of layers that have weights. */
static void (*const load_weights[LAYER_KIND_COUNT])(struct loader *loader, struct layer *layer) = {
    [LAYER_CONV] = load_conv,
    [LAYER_BATCH_NORM] = load_batch_norm,
    [LAYER_PRELU] = load_prelu,
};

static void report_layer(struct loader *loader)
{
    loader->layers_done++;
    if (loader->progress && loader->progress->report)
        loader->progress->report(loader->progress->context, loader->model->spec.name,
                                 (double)loader->layers_done / (double)loader->layers_total);
}

static void load_layer(struct loader *loader, struct layer *layer)
{
    uint64_t before = loader->model->parameters;
    layer->simd = loader->model->simd;
    report_layer(loader);
    if (!load_weights[layer->kind])
        return;
    if (!loader->model->spec.weights.is_given)
        ppm_fail(loader->error, PPM_BAD_CONFIG,
                 "%s: weights: found nothing, expected {\"file\": ...} or {\"random\": SEED} for "
                 "layer %s",
                 loader->path, layer->weights_name);
    else
        load_weights[layer->kind](loader, layer);
    layer->parameters = loader->model->parameters - before;
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
        load_layer(loader, &stack->layers[i]);
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
            load_layer(loader, layer);
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

/* A pyramid, and the head over its concat, unless the model is a network. */
static void make_section(struct ppm_model *model)
{
    struct spec *spec = &model->spec;
    for (size_t i = 0; i < spec->head.count; i++)
        model->section_layers[i] = &spec->head.layers[i];
    model->section = (struct section){.pyramid = &spec->pyramid,
                                      .parts = spec->pyramid.parts,
                                      .part_count = spec->pyramid.part_count,
                                      .concat_channels = spec->pyramid.concat_channels,
                                      .layers = model->section_layers,
                                      .layer_count = spec->head.count,
                                      .residual = NO_VALUE};
}

enum ppm_status model_read_weights(struct ppm_model *model, const char *path,
                                   const struct ppm_progress *progress, struct ppm_error *error)
{
    struct spec *spec = &model->spec;
    struct loader loader = {.model = model, .path = path, .progress = progress, .error = error};
    if (!(loader.source = weights_open(&spec->weights, progress, error)))
        return error->status;
    for (size_t i = 0; i < spec->graph.count; i++)
        loader.layers_total += layers_of(&spec->graph.nodes[i].layer);
    load_graph(&loader, &spec->graph);
    weights_close(loader.source);
    spec_view(spec);
    make_section(model);
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
    spec_release(&model->spec);
    free(model);
}
