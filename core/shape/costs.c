/* costs.c - see costs.h. */
#include "core/shape/costs.h"
#include "core/shape/folding.h"

uint64_t layer_flops(const struct layer *layer, uint64_t pixels)
{
    if (layer->kind != LAYER_CONV)
        return 0;
    const size_t groups = size_max(layer->groups, 1);
    return size_times(2 * pixels * layer->out_channels,
                      layer->in_channels / groups * conv_taps(layer));
}

static uint64_t stack_flops(const struct stack *stack, uint64_t pixels)
{
    uint64_t flops = 0;
    for (size_t i = 0; i < stack->count; i++)
        flops += layer_flops(&stack->layers[i], pixels);
    return flops;
}

static uint64_t pyramid_flops(const struct pyramid *pyramid, const struct geometry *g)
{
    uint64_t flops = 0;
    for (size_t i = 0; i < pyramid->branch_count; i++)
        flops += stack_flops(&pyramid->branches[i].stack, g->input.n * geometry_points(g, i));
    return flops;
}

uint64_t costs_literal_flops(const struct spec *spec, const struct geometry *g)
{
    uint64_t flops = (spec->pyramid->is_cascade ? 2 : 1) * pyramid_flops(spec->pyramid, g);
    for (size_t i = FIRST_OF_HEAD; i < spec->graph.count; i++)
        flops += layer_flops(&spec->graph.nodes[i].layer, g->input.n * g->h * g->w);
    return flops;
}

uint64_t costs_graph_flops(const struct graph *graph, const struct ppm_shape *shapes)
{
    uint64_t flops = 0;
    for (size_t i = graph->input_count; i < graph->count; i++) {
        const struct node *node = &graph->nodes[i];
        struct geometry g;
        struct ppm_error none = {0};
        if (!node->is_computed)
            continue;
        if (node->layer.kind != LAYER_PYRAMID)
            flops = size_plus(flops,
                              layer_flops(&node->layer, shapes[i].n * shapes[i].h * shapes[i].w));
        else if (geometry_of_pyramid(node->layer.pyramid, shapes[node->reads[0]], &g, &none) ==
                 PPM_OK)
            flops = size_plus(flops, pyramid_flops(node->layer.pyramid, &g));
    }
    return flops;
}

static uint64_t folding_saves_flops(const struct spec *spec, const struct geometry *g)
{
    const struct layer *bottleneck = spec_bottleneck(spec);
    uint64_t saves = 0;
    for (size_t i = 0; bottleneck && i < spec->pyramid->branch_count; i++)
        saves += folding_saves(spec->pyramid, g, i);
    return bottleneck ? 2 * g->input.n * bottleneck->out_channels * conv_taps(bottleneck) * saves
                      : 0;
}

uint64_t costs_folded_flops(const struct spec *spec, const struct geometry *g)
{
    return costs_literal_flops(spec, g) - folding_saves_flops(spec, g);
}

/* 100 GFLOP/s and 10 GB/s: only the order of magnitude matters. */
enum { FLOPS_PER_US = 100000, BYTES_PER_US = 10000 };

double costs_us(uint64_t flops, double values)
{
    return (double)flops / FLOPS_PER_US + values * sizeof(float) / BYTES_PER_US;
}

double costs_one_thread_us(uint64_t flops, struct ppm_shape input, struct ppm_shape output)
{
    const double pixels_in = (double)input.n * (double)input.h * (double)input.w;
    const double pixels_out = (double)output.n * (double)output.h * (double)output.w;
    const double values = pixels_in * (double)input.c + pixels_out * (double)output.c;
    return costs_us(flops, values);
}

double costs_map_us(const struct spec *spec, const struct geometry *g)
{
    return costs_one_thread_us(costs_folded_flops(spec, g), g->input, g->output);
}

double costs_weights_us(uint64_t bytes)
{
    return (double)bytes / BYTES_PER_US;
}
