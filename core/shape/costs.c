/* costs.c - what a request takes: FLOPs, time and bytes. */
#include "core/shape/costs.h"
#include "core/engine/engine.h"
#include "core/reference/reference.h"

uint64_t layer_flops(const struct layer *layer, uint64_t pixels)
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

static uint64_t literal_flops(const struct spec *spec, const struct geometry *g)
{
    const uint64_t rounds = spec->is_cascade ? 2 : 1, n = g->input.n;
    uint64_t flops = stack_flops(&spec->head, n * g->h * g->w);
    for (size_t i = 0; i < spec->branch_count; i++)
        flops += rounds * stack_flops(&spec->branches[i].stack,
                                      n * g->branches[i].pooled_h * g->branches[i].pooled_w);
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

static double one_thread_us(uint64_t flops, struct ppm_shape input, struct ppm_shape output)
{
    const double pixels_in = (double)input.n * (double)input.h * (double)input.w;
    const double pixels_out = (double)output.n * (double)output.h * (double)output.w;
    const double values = pixels_in * (double)input.c + pixels_out * (double)output.c;
    return (double)flops / FLOPS_PER_US + values * sizeof(float) / BYTES_PER_US;
}

double costs_map_us(const struct spec *spec, const struct geometry *g)
{
    return one_thread_us(literal_flops(spec, g) - folding_spares(spec, g), g->input, g->output);
}

static void count_planned(const struct plan *plan, size_t n, enum ppm_layout layout, int threads,
                          struct ppm_costs *costs)
{
    costs->plan_bytes = plan_bytes(plan);
    costs->scratch_bytes = engine_scratch_bytes(plan, n, layout, threads);
    costs->pooled_bytes = pooled_bytes(plan, n);
    costs->working_bytes =
        size_plus(size_plus(costs->plan_bytes, costs->scratch_bytes), costs->output_bytes);
}

/* What the literal graph does, and a transposed copy on the way in and out. */
static void count_literal(const struct spec *spec, const struct geometry *g,
                          struct ppm_costs *costs)
{
    costs->working_bytes =
        size_plus(size_plus(costs->input_bytes, reference_working_bytes(spec, g)),
                  size_times(2, costs->output_bytes));
}

enum ppm_status ppm_model_costs(const struct ppm_model *model, struct ppm_shape input,
                                enum ppm_layout layout, int threads, struct ppm_costs *ret_costs,
                                struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g;
    struct plan plan;
    struct ppm_costs costs = {0};
    if (geometry_of(spec, input, &g, error) != PPM_OK ||
        ppm_shape_bytes(input, &costs.input_bytes, error) != PPM_OK ||
        ppm_shape_bytes(g.output, &costs.output_bytes, error) != PPM_OK)
        return error->status;
    costs.output = g.output;
    costs.flops_literal = literal_flops(spec, &g);
    costs.flops_folded = costs.flops_literal - folding_spares(spec, &g);
    plan_begin(&plan, model, &g);
    costs.pooling_bytes = pooling_bytes(&plan, input.n);
    if (spec->is_cascade)
        count_literal(spec, &g, &costs);
    else
        count_planned(&plan, input.n, layout, threads, &costs);
    costs.one_thread_us = one_thread_us(costs.flops_folded, input, g.output);
    costs.weights_us = (double)model->parameters_bytes / BYTES_PER_US;
    *ret_costs = costs;
    return PPM_OK;
}
