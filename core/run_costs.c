/* run_costs.c - what a run takes: FLOPs, time and memory. */
#include "core/engine/engine.h"
#include "core/engine/pooling.h"
#include "core/plan/step_flops.h"
#include "core/reference/reference.h"
#include "core/shape/costs.h"
#include "core/shape/shapes.h"

#include <stdlib.h>

/* The literal graph needs a transposed copy of the inputs and of y. */
static enum ppm_status count_literal(const struct spec *spec, const struct geometry *g,
                                     struct ppm_costs *costs, struct ppm_error *error)
{
    size_t bytes = 0;
    if (reference_working_bytes(spec, g, &bytes, error) == PPM_OK)
        costs->working_bytes =
            size_plus(size_plus(costs->input_bytes, bytes), size_times(2, costs->output_bytes));
    return error->status;
}

/* As its plan folds the branches of its pyramids. */
static uint64_t network_folded_flops(const struct plan *plan, size_t n)
{
    uint64_t flops = 0;
    for (size_t i = 0; i < plan->program->count; i++)
        flops = size_plus(flops, step_flops(plan, i, n));
    return flops;
}

static enum ppm_status count_planned(const struct ppm_model *model, const struct geometry *g,
                                     enum ppm_layout layout, int threads, struct ppm_costs *costs,
                                     struct ppm_error *error)
{
    struct ppm_plan *plan = plan_outline(model, g, error);
    if (!plan)
        return error->status;
    if (model->spec.is_network) {
        costs->flops_folded = network_folded_flops(&plan->plan, g->input.n);
        costs->one_thread_us =
            costs_us(costs->flops_folded, (double)g->input.n * plan_values(&plan->plan));
    }
    costs->plan_bytes = plan->bytes;
    costs->scratch_bytes = engine_scratch_bytes(plan, g->input.n, layout, threads);
    costs->working_bytes =
        size_plus(size_plus(costs->plan_bytes, costs->scratch_bytes), costs->output_bytes);
    ppm_plan_free(plan);
    return PPM_OK;
}

static enum ppm_status count_network_flops(const struct spec *spec, const struct geometry *g,
                                           struct ppm_costs *costs, struct ppm_error *error)
{
    struct ppm_shape *shapes = malloc(spec->graph.count * sizeof *shapes);
    if (!shapes)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (shapes_of(&spec->graph, &g->sizes, shapes, error) == PPM_OK)
        costs->flops_literal = costs_graph_flops(&spec->graph, shapes);
    free(shapes);
    return error->status;
}

/* A model of one pyramid. */
static void count_model(const struct ppm_model *model, const struct geometry *g,
                        struct ppm_costs *costs)
{
    const struct spec *spec = &model->spec;
    struct pyramid_plan pyramid;
    costs->flops_literal = costs_literal_flops(spec, g);
    costs->flops_folded = costs_folded_flops(spec, g);
    pyramid_plan_begin(&pyramid, spec->pyramid, model->simd, g);
    costs->pooling_bytes = pooling_bytes(&pyramid, g->input.n);
    costs->pooled_bytes = spec_is_literal(spec) ? 0 : pooled_bytes(&pyramid, g->input.n);
}

enum ppm_status ppm_model_costs(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                enum ppm_layout layout, int threads, struct ppm_costs *ret_costs,
                                struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g;
    struct ppm_costs costs = {0};
    if (geometry_of(spec, sizes, &g, error) != PPM_OK ||
        ppm_shape_bytes(g.output, &costs.output_bytes, error) != PPM_OK)
        return error->status;
    costs.output = g.output;
    for (size_t i = 0; i < sizes->count; i++) {
        size_t bytes = 0;
        ppm_shape_bytes(sizes->inputs[i], &bytes, error);
        costs.input_bytes = size_plus(costs.input_bytes, bytes);
    }
    if (!spec->is_network)
        count_model(model, &g, &costs);
    else if (count_network_flops(spec, &g, &costs, error) != PPM_OK)
        return error->status;
    if (spec_is_literal(spec))
        count_literal(spec, &g, &costs, error);
    else
        count_planned(model, &g, layout, threads, &costs, error);
    if (error->status != PPM_OK)
        return error->status;
    if (costs.one_thread_us == 0)
        costs.one_thread_us = costs_one_thread_us(costs.flops_folded, g.input, g.output);
    costs.weights_us = costs_weights_us(model->parameters_bytes);
    *ret_costs = costs;
    return PPM_OK;
}
