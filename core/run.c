/* run.c - ppm_run: checks the inputs, and computes y in their layout by the engine or the literal
 * graph. */
#include "core/run.h"
#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/engine/engine.h"
#include "core/engine/pooling.h"
#include "core/reference/entries.h"
#include "core/reference/reference.h"
#include "core/reference/stages.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* x as NCHW: its own data, or a transposed copy in *ret_copy. */
static const float *input_as_nchw(const struct run *run, const struct ppm_tensor *x,
                                  uint32_t **ret_copy, struct ppm_error *error)
{
    const struct ppm_shape s = x->shape;
    if (x->layout == PPM_NCHW)
        return x->data;
    *ret_copy = core_allocate(s.n * s.c * s.h * s.w * sizeof(float), error);
    if (*ret_copy)
        tensor_transpose(run, x->data, *ret_copy, s.n, s.h * s.w, s.c);
    return (const float *)*ret_copy;
}

/* All inputs as NCHW. */
struct nchw {
    const float *values[PPM_INPUTS_MAX];
    uint32_t *transposed[PPM_INPUTS_MAX];
};

static enum ppm_status take_inputs(const struct run *run, const struct ppm_tensor *inputs,
                                   size_t count, struct nchw *ret, struct ppm_error *error)
{
    *ret = (struct nchw){0};
    for (size_t i = 0; i < count && error->status == PPM_OK; i++)
        ret->values[i] = input_as_nchw(run, &inputs[i], &ret->transposed[i], error);
    return error->status;
}

static void free_inputs(struct nchw *nchw)
{
    for (size_t i = 0; i < PPM_INPUTS_MAX; i++)
        free(nchw->transposed[i]);
}

/* The literal graph: copies of the inputs as NCHW, and y turned into its layout at the end. */
static enum ppm_status run_reference(const struct ppm_model *model, const struct geometry *geometry,
                                     const struct ppm_tensor *inputs, struct ppm_tensor *y,
                                     const struct run *run, struct ppm_stage_times *times,
                                     struct ppm_error *error)
{
    struct nchw nchw;
    if (take_inputs(run, inputs, geometry->sizes.count, &nchw, error) == PPM_OK &&
        reference_run(&model->spec, geometry, nchw.values, y->data, run, times, error) == PPM_OK)
        tensor_to_layout(run, y, error);
    free_inputs(&nchw);
    return error->status;
}

/* Those of a network from the maps that the run has kept, otherwise from x; entries from all
 * inputs. */
static void run_stages(const struct ppm_model *model, const struct geometry *geometry,
                       const struct ppm_tensor *inputs, const struct ppm_stages *stages,
                       const struct run *run, struct ppm_error *error)
{
    uint32_t *transposed = NULL;
    struct nchw nchw;
    if (stages->are_entries) {
        if (take_inputs(run, inputs, geometry->sizes.count, &nchw, error) == PPM_OK)
            entries_run(model, geometry, nchw.values, run, stages, error);
        free_inputs(&nchw);
        return;
    }
    if (model->spec.is_network) {
        stages_run(model, geometry, (const float *const *)run->pyramid_inputs, run, stages, error);
        return;
    }
    const float *const nodes[] = {NULL, input_as_nchw(run, &inputs[0], &transposed, error)};
    if (nodes[1])
        stages_run(model, geometry, nodes, run, stages, error);
    free(transposed);
}

/* By the caller's plan, or one for this run alone. */
static enum ppm_status run_planned(const struct ppm_model *model, const struct geometry *geometry,
                                   struct ppm_plan *plan, const struct ppm_tensor *inputs,
                                   struct ppm_tensor *y, const struct run *run,
                                   struct ppm_stage_times *times, struct ppm_error *error)
{
    struct ppm_plan *own = NULL;
    assert(!plan || ppm_plan_fits(plan, model, &geometry->sizes));
    if (!plan)
        plan = own = plan_create(model, geometry, run, error);
    if (plan)
        engine_run(plan, inputs, y, run, times, error);
    ppm_plan_free(own);
    return error->status;
}

struct run run_of(const struct ppm_run_options *options, atomic_bool *is_abandoned)
{
    return (struct run){.threads = options->threads ? options->threads : ppm_default_threads(),
                        .is_cancelled = options->is_cancelled,
                        .cancel_context = options->cancel_context,
                        .is_abandoned = is_abandoned,
                        .pooling = options->pooling,
                        .scratch = options->scratch,
                        .scratch_bytes = options->scratch_bytes,
                        .step_ms = options->ret_step_ms,
                        .head = stages_head(options->stages)};
}

static const struct ppm_run_options defaults;

struct ppm_plan *ppm_plan_create(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 const struct ppm_run_options *options, struct ppm_error *error)
{
    static const struct ppm_run_options alone = {.threads = 1};
    struct geometry geometry;
    atomic_bool is_abandoned = false;
    const struct run run = run_of(options ? options : &alone, &is_abandoned);
    if (geometry_of(&model->spec, sizes, &geometry, error) != PPM_OK)
        return NULL;
    return plan_create(model, &geometry, &run, error);
}

static struct ppm_sizes sizes_of(const struct ppm_model *model, const struct ppm_tensor *inputs,
                                 const struct ppm_run_options *options)
{
    struct ppm_sizes sizes = ppm_sizes_of(inputs, model->spec.graph.input_count);
    sizes.output_h = options->output_h;
    sizes.output_w = options->output_w;
    return sizes;
}

/* That of the caller's plan, which takes no memory, or a new one, which says what does not fit. */
static enum ppm_status find_geometry(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                     const struct ppm_plan *plan, struct geometry *ret_geometry,
                                     struct ppm_error *error)
{
    if (plan && plan_geometry(plan, model, sizes, ret_geometry))
        return PPM_OK;
    return geometry_of(&model->spec, sizes, ret_geometry, error);
}

/* y, and the intermediate results that are asked for. */
static void compute(const struct ppm_model *model, const struct geometry *geometry,
                    const struct ppm_tensor *inputs, const struct ppm_run_options *options,
                    struct run *run, struct ppm_tensor *y, struct ppm_stage_times *times,
                    struct ppm_error *error)
{
    const struct ppm_stages *stages = options->stages;
    float **kept = NULL;
    if (stages && model->spec.is_network && !stages->are_entries &&
        !(kept = stages_inputs(&model->spec, geometry, stages, error)))
        return;
    run->pyramid_inputs = kept;
    if (options->reference || spec_is_literal(&model->spec))
        run_reference(model, geometry, inputs, y, run, times, error);
    else
        run_planned(model, geometry, options->plan, inputs, y, run, times, error);
    if (error->status == PPM_OK && stages && !run_is_cancelled(run))
        run_stages(model, geometry, inputs, stages, run, error);
    free(kept);
}

enum ppm_status run_sized(const struct ppm_model *model, const struct ppm_sizes *sizes,
                          const struct ppm_tensor *inputs, const struct ppm_run_options *options,
                          struct ppm_tensor *ret_y, struct ppm_error *error)
{
    struct ppm_stage_times times = {0};
    struct geometry geometry;
    atomic_bool is_abandoned = false;
    struct run run = run_of(options, &is_abandoned);
    const struct ppm_tensor *x = &inputs[0];
    assert(!options->pooling || pooling_fits(options->pooling, model, x));
    if (find_geometry(model, sizes, options->plan, &geometry, error) != PPM_OK)
        return error->status;
    struct ppm_tensor y = {.shape = geometry.output,
                           .layout = x->layout,
                           .is_batch = x->is_batch,
                           .dtype = geometry.dtype,
                           .data = ret_y->data};
    if (!y.data && ppm_tensor_allocate(&y, error) != PPM_OK)
        return error->status;
    compute(model, &geometry, inputs, options, &run, &y, &times, error);
    if (error->status == PPM_OK && run_is_cancelled(&run))
        ppm_fail(error, PPM_CANCELLED, "the computation was abandoned");
    if (error->status != PPM_OK) {
        if (!ret_y->data)
            ppm_tensor_free(&y);
        return error->status;
    }
    if (options->ret_times)
        *options->ret_times = times;
    *ret_y = y;
    return PPM_OK;
}

enum ppm_status ppm_run(const struct ppm_model *model, const struct ppm_tensor *inputs,
                        const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                        struct ppm_error *error)
{
    options = options ? options : &defaults;
    const struct ppm_sizes sizes = sizes_of(model, inputs, options);
    return run_sized(model, &sizes, inputs, options, ret_y, error);
}
