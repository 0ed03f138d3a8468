/* panels.c - a convolution's weights as the kernels read them. */
#include "core/internal.h"

static size_t steps_of(const struct layer *layer)
{
    return layer->in_channels * layer->kernel * layer->kernel;
}

size_t conv_panel_count(const struct layer *layer)
{
    const size_t rows = core_simd()->gemm_rows;
    return (layer->out_channels + rows - 1) / rows;
}

size_t conv_panel_rows(const struct layer *layer, size_t index)
{
    const size_t rows = core_simd()->gemm_rows, left = layer->out_channels - index * rows;
    return left < rows ? left : rows;
}

/* Where a part's tap begins among the K steps of a panel. */
static size_t step_of(const struct layer *layer, size_t part, size_t tap)
{
    const struct part *p = &layer->parts[part];
    return p->first * layer->kernel * layer->kernel + tap * p->channels;
}

const float *conv_panel_at(const struct layer *layer, size_t index, size_t part, size_t tap,
                           size_t first)
{
    const float *panel = layer->panels + index * core_simd()->gemm_rows * steps_of(layer);
    return panel + (step_of(layer, part, tap) + first) * conv_panel_rows(layer, index);
}

static void pack_panel(struct layer *layer, size_t index, const float *weights)
{
    const size_t rows = conv_panel_rows(layer, index), taps = layer->kernel * layer->kernel;
    const float *from = weights + index * core_simd()->gemm_rows * steps_of(layer);
    float *to = layer->panels + index * core_simd()->gemm_rows * steps_of(layer);
    for (size_t part = 0; part < layer->part_count; part++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < layer->parts[part].channels; i++)
                for (size_t r = 0; r < rows; r++)
                    *to++ = from[r * steps_of(layer) + (layer->parts[part].first + i) * taps + tap];
}

enum ppm_status conv_pack(struct layer *layer, const float *weights, struct ppm_error *error)
{
    layer->panels = core_allocate(layer->out_channels * steps_of(layer) * sizeof(float), error);
    for (size_t index = 0; layer->panels && index < conv_panel_count(layer); index++)
        pack_panel(layer, index, weights);
    return error->status;
}
