/* layer_weights.c - see loader.h. */
#include "core/base/memory.h"
#include "core/model/bfloat16.h"
#include "core/model/loader.h"
#include "core/model/panels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* The section that begins with the conv; NULL for one further on, or of a branch. */
static const struct section *find_section(const struct program *program, const struct layer *conv)
{
    for (size_t i = 0; i < program->count; i++) {
        const struct section *section = &program->steps[i].section;
        if (program->steps[i].is_section && section_conv(section) == conv)
            return section;
    }
    return NULL;
}

/* A conv's channels come in the parts of its section. With groups, it reads one value. */
static bool copy_parts(struct loader *loader, struct layer *layer)
{
    const struct part whole = {.source = PART_MAP, .channels = layer->in_channels / layer->groups};
    const struct section *section = find_section(&loader->model->program, layer);
    const bool is_split = section && layer->groups == 1;
    layer->part_count = is_split ? section->part_count : 1;
    layer->parts = core_allocate(layer->part_count * sizeof *layer->parts, loader->error);
    if (layer->parts)
        memcpy(layer->parts, is_split ? section->parts : &whole,
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
    const size_t in = layer->in_channels / layer->groups;
    const size_t shape[4] = {layer->out_channels, in, layer->window.size[0], layer->window.size[1]};
    const size_t fan_in = in * conv_taps(layer);
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

/* y = normalized x * gamma + beta */
static void load_norm(struct loader *loader, struct layer *layer)
{
    const size_t channels = layer->out_channels;
    float *values = core_allocate(2 * channels * sizeof *values, loader->error);
    if (!values || !allocate_affine(loader, layer))
        goto out;
    float *gamma = values, *beta = gamma + channels;
    for (size_t c = 0; c < channels; c++)
        gamma[c] = 1, beta[c] = 0;
    if ((layer->has_scale &&
         !read_vector(loader, layer, ".weight", (struct weights_range){0.5, 1.5}, gamma)) ||
        (layer->has_center &&
         !read_vector(loader, layer, ".bias", (struct weights_range){-0.5, 0.5}, beta)))
        goto out;
    for (size_t c = 0; c < channels; c++) {
        layer->scale[c] = (double)gamma[c];
        layer->shift[c] = (double)beta[c];
    }
out:
    free(values);
}

static void load_affine(struct loader *loader, struct layer *layer)
{
    if (!allocate_affine(loader, layer))
        return;
    for (size_t c = 0; c < layer->out_channels; c++) {
        layer->scale[c] = layer->factor;
        layer->shift[c] = layer->offset;
    }
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
    [LAYER_CONV] = load_conv,       [LAYER_BATCH_NORM] = load_batch_norm,
    [LAYER_GROUP_NORM] = load_norm, [LAYER_LAYER_NORM] = load_norm,
    [LAYER_AFFINE] = load_affine,   [LAYER_PRELU] = load_prelu,
};

void load_layer(struct loader *loader, struct layer *layer)
{
    uint64_t before = loader->model->parameters;
    layer->simd = loader->model->simd;
    if (!load_weights[layer->kind])
        return;
    if (*layer->weights_name && !loader->model->spec.weights.is_given)
        ppm_fail(loader->error, PPM_BAD_CONFIG,
                 "%s: weights: found nothing, expected {\"file\": ...} or {\"random\": SEED} for "
                 "layer %s",
                 loader->path, layer->weights_name);
    else
        load_weights[layer->kind](loader, layer);
    layer->parameters = loader->model->parameters - before;
}
