/* run_costs.c - what a run takes: FLOPs, time and memory. */
#include "core/engine/engine.h"
#include "core/engine/pooling.h"
#include "core/plan/plan.h"
#include "core/reference/reference.h"
#include "core/shape/costs.h"

static void count_planned(const struct ppm_model *model, const struct plan *plan, size_t n,
                          enum ppm_layout layout, int threads, struct ppm_costs *costs)
{
    costs->plan_bytes = plan_bytes(model, &plan->g);
    costs->scratch_bytes = engine_scratch_bytes(plan, n, layout, threads);
    costs->pooled_bytes = pooled_bytes(&plan->pyramid, n);
    costs->working_bytes =
        size_plus(size_plus(costs->plan_bytes, costs->scratch_bytes), costs->output_bytes);
}

/* The literal graph needs a transposed copy of x and of y. */
static void count_literal(const struct spec *spec, const struct geometry *g,
                          struct ppm_costs *costs)
{
    costs->working_bytes =
        size_plus(size_plus(costs->input_bytes, reference_working_bytes(spec, g)),
                  size_times(2, costs->output_bytes));
}

enum ppm_status ppm_model_costs(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                enum ppm_layout layout, int threads, struct ppm_costs *ret_costs,
                                struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g;
    struct plan plan;
    struct ppm_costs costs = {0};
    if (geometry_of(spec, sizes, &g, error) != PPM_OK ||
        ppm_shape_bytes(g.input, &costs.input_bytes, error) != PPM_OK ||
        ppm_shape_bytes(g.output, &costs.output_bytes, error) != PPM_OK)
        return error->status;
    costs.output = g.output;
    costs.flops_literal = costs_literal_flops(spec, &g);
    costs.flops_folded = costs_folded_flops(spec, &g);
    plan_begin(&plan, model, &g);
    costs.pooling_bytes = pooling_bytes(&plan.pyramid, g.input.n);
    if (spec->pyramid.is_cascade)
        count_literal(spec, &g, &costs);
    else
        count_planned(model, &plan, g.input.n, layout, threads, &costs);
    costs.one_thread_us = costs_one_thread_us(costs.flops_folded, g.input, g.output);
    costs.weights_us = costs_weights_us(model->parameters_bytes);
    *ret_costs = costs;
    return PPM_OK;
}
