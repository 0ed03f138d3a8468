/* stages.c - see stages.h. */
#include "core/reference/stages.h"
#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/reference/reference_ops.h"
#include "core/reference/reference_pyramid.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_BRANCH = 3 };

static_assert(PPM_STAGES_MAX == IN_BRANCH * BRANCHES_MAX + 2,
              "the stages of all branches, a cascade and a head");

/* ---- the list ---- */

static enum ppm_status refuse_size(struct ppm_error *error)
{
    return ppm_fail(error, PPM_TOO_LARGE,
                    "the intermediate results take more bytes than can be counted");
}

/* Appends a stage. */
static enum ppm_status add(struct ppm_stages *stages, const char *name, const struct ppm_tensor *x,
                           struct ppm_shape shape, struct ppm_error *error)
{
    struct ppm_stage *stage = &stages->list[stages->count];
    size_t bytes;
    if (ppm_shape_bytes(shape, &bytes, error) != PPM_OK)
        return error->status;
    stages->bytes = size_plus(stages->bytes, bytes);
    if (stages->bytes == SIZE_MAX)
        return refuse_size(error);
    snprintf(stage->name, sizeof stage->name, "%s", name);
    stage->tensor = (struct ppm_tensor){
        .shape = shape, .layout = x->layout, .is_batch = x->is_batch, .dtype = PPM_FLOAT32};
    stages->count++;
    return PPM_OK;
}

static enum ppm_status add_branch(struct ppm_stages *stages, const struct spec *spec,
                                  const struct geometry *g, size_t i, const struct ppm_tensor *x,
                                  struct ppm_error *error)
{
    const struct branch_geometry *branch = &g->branches[i];
    const size_t n = g->input.n, channels = spec->pyramid->branches[i].stack.out_channels;
    const struct {
        const char *what;
        struct ppm_shape shape;
    } parts[IN_BRANCH] = {
        {"pooled", {n, spec->channels, branch->pooled_h, branch->pooled_w}},
        {"output", {n, channels, branch->pooled_h, branch->pooled_w}},
        {"upsampled", {n, channels, branch->target_h, branch->target_w}},
    };
    for (size_t k = 0; k < IN_BRANCH && error->status == PPM_OK; k++) {
        char name[PPM_STAGE_NAME_BYTES];
        snprintf(name, sizeof name, "branch.%zu.%s", i, parts[k].what);
        add(stages, name, x, parts[k].shape, error);
    }
    return error->status;
}

/* Two buffers for the widest layer of any branch. */
static size_t buffers_bytes(const struct spec *spec, const struct geometry *g,
                            struct ppm_error *error)
{
    size_t most = 0, bytes = 0;
    for (size_t i = 0; i < spec->pyramid->branch_count && error->status == PPM_OK; i++) {
        const struct ppm_shape both = {2 * g->input.n,
                                       stack_widest(&spec->pyramid->branches[i].stack),
                                       g->branches[i].pooled_h, g->branches[i].pooled_w};
        ppm_shape_bytes(both, &bytes, error);
        most = size_max(most, bytes);
    }
    return most;
}

/* What stages_run and its caller allocate: two buffers for the widest layer of any branch; and
 * unless the layout is NCHW, transposed copies of x and of a result. */
static enum ppm_status count_working(struct ppm_stages *stages, const struct spec *spec,
                                     const struct geometry *g, const struct ppm_tensor *x,
                                     struct ppm_error *error)
{
    size_t buffers = buffers_bytes(spec, g, error), turned = 0, bytes = 0;
    for (size_t i = 0; i < stages->count && error->status == PPM_OK; i++) {
        ppm_shape_bytes(stages->list[i].tensor.shape, &bytes, error);
        turned = size_max(turned, bytes);
    }
    ppm_shape_bytes(x->shape, &bytes, error);
    if (x->layout == PPM_NCHW)
        turned = bytes = 0;
    stages->working_bytes = size_plus(buffers, size_plus(turned, bytes));
    if (error->status == PPM_OK && stages->working_bytes == SIZE_MAX)
        refuse_size(error);
    return error->status;
}

enum ppm_status ppm_model_stages(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 enum ppm_layout layout, bool is_batch,
                                 struct ppm_stages *ret_stages, struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    const struct ppm_tensor x = {.shape = sizes->inputs[0], .layout = layout, .is_batch = is_batch};
    struct geometry g;
    *ret_stages = (struct ppm_stages){0};
    if (geometry_of(spec, sizes, &g, error) != PPM_OK)
        return error->status;
    if (spec->pyramid->is_cascade)
        add(ret_stages, "cascade", &x, x.shape, error);
    for (size_t i = 0; i < spec->pyramid->branch_count && error->status == PPM_OK; i++)
        add_branch(ret_stages, spec, &g, i, &x, error);
    if (error->status == PPM_OK && geometry_has_output(spec, &g)) {
        const size_t channels = spec->graph.nodes[spec->graph.output].layer.out_channels;
        add(ret_stages, "head", &x, (struct ppm_shape){x.shape.n, channels, g.h, g.w}, error);
    }
    if (error->status == PPM_OK)
        count_working(ret_stages, spec, &g, &x, error);
    return error->status;
}

void ppm_stages_place(struct ppm_stages *stages, void *memory)
{
    char *at = memory;
    for (size_t i = 0; i < stages->count; i++) {
        struct ppm_tensor *tensor = &stages->list[i].tensor;
        const struct ppm_shape s = tensor->shape;
        tensor->data = at;
        at += s.n * s.c * s.h * s.w * sizeof(float);
    }
}

float *stages_head(const struct ppm_stages *stages)
{
    const struct ppm_stage *last = stages ? &stages->list[stages->count - 1] : NULL;
    return last && strcmp(last->name, "head") == 0 ? last->tensor.data : NULL;
}

/* ---- the values ---- */

/* result = branch i's layers over pooled, both NCHW. buffers: two, for the widest layer. */
static void run_branch(const struct ppm_model *model, const struct geometry *g, size_t i,
                       const struct run *run, const float *pooled, float *buffers, float *result)
{
    const struct stack *stack = &model->spec.pyramid->branches[i].stack;
    const struct branch_geometry *branch = &g->branches[i];
    const size_t points = g->input.n * branch->pooled_h * branch->pooled_w;
    float *both[2] = {buffers, buffers + points * stack_widest(stack)};
    const float *last =
        reference_stack(run, stack, pooled, g->input.n, branch->pooled_h, branch->pooled_w, both);
    if (!run_is_cancelled(run))
        run_copy(run, result, last, points * stack->out_channels);
}

/* Branch i over x [N, C, H, W]: its three results, the last one to upsampled. */
static void run_round(const struct ppm_model *model, const struct geometry *g, size_t i,
                      const struct run *run, const float *x, const struct ppm_stage *stages,
                      float *buffers, float *upsampled)
{
    const struct spec *spec = &model->spec;
    const struct branch_geometry *branch = &g->branches[i];
    float *pooled = stages[0].tensor.data, *result = stages[1].tensor.data;
    const size_t n = g->input.n, channels = spec->pyramid->branches[i].stack.out_channels;
    reference_pool(run, x, n * spec->channels, g->input.h, g->input.w, spec->pyramid->pool, branch,
                   pooled);
    run_branch(model, g, i, run, pooled, buffers, result);
    if (!run_is_cancelled(run))
        reference_stretch(run, result, n, channels, branch->pooled_h, branch->pooled_w,
                          spec->pyramid->upsample, branch->target_h, branch->target_w, upsampled,
                          channels * branch->target_h * branch->target_w);
}

static void run_rounds(const struct ppm_model *model, const struct geometry *g, const float *x,
                       const struct run *run, const struct ppm_stages *stages, float *buffers)
{
    const struct ppm_stage *branches = stages->list;
    const size_t count = model->spec.pyramid->branch_count;
    if (model->spec.pyramid->is_cascade) {
        float *cascade = (branches++)->tensor.data;
        for (size_t i = 0; i < count && !run_is_cancelled(run); i++, x = cascade)
            run_round(model, g, i, run, x, &branches[IN_BRANCH * i], buffers, cascade);
    }
    for (size_t i = 0; i < count && !run_is_cancelled(run); i++) {
        const struct ppm_stage *own = &branches[IN_BRANCH * i];
        run_round(model, g, i, run, x, own, buffers, own[2].tensor.data);
    }
}

enum ppm_status stages_run(const struct ppm_model *model, const struct geometry *g, const float *x,
                           const struct run *run, const struct ppm_stages *stages,
                           struct ppm_error *error)
{
    float *buffers = core_allocate(buffers_bytes(&model->spec, g, error), error);
    if (!buffers)
        return error->status;
    run_rounds(model, g, x, run, stages, buffers);
    free(buffers);
    for (size_t i = 0; i < stages->count && error->status == PPM_OK && !run_is_cancelled(run); i++)
        tensor_to_layout(run, &stages->list[i].tensor, error);
    return error->status;
}
