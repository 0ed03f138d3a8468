/* stages.c - see stages.h. */
#include "core/reference/stages.h"
#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/reference/reference_ops.h"
#include "core/reference/reference_pyramid.h"
#include "core/shape/shapes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_BRANCH = 3 };

static_assert(PPM_STAGES_MAX >= IN_BRANCH * BRANCHES_MAX + 2,
              "the stages of all branches of a pyramid, a cascade and a head");

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
    if (stages->count == PPM_STAGES_MAX)
        return ppm_fail(error, PPM_UNFIT,
                        "the model has more than %d intermediate results, expected at most as many",
                        PPM_STAGES_MAX);
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

/* A pyramid of a graph, whose branches are stages. */
struct staged {
    size_t node;
    const struct pyramid *pyramid;
    struct geometry g;           /* its own; g.input: the map that it reads */
    char prefix[NAME_BYTES + 2]; /* of its stages' names: "ppm.", "network.3.", "" */
};

static bool is_staged(const struct node *node)
{
    return node->layer.kind == LAYER_PYRAMID && node->is_computed;
}

/* The first pyramid that is computed from node *at on; false: there is none. *at becomes the node
 * after it. */
static bool next_pyramid(const struct spec *spec, const struct ppm_shape *shapes, size_t *at,
                         struct staged *ret)
{
    const struct graph *graph = &spec->graph;
    struct ppm_error none = {0}; /* shapes_of has found that it fits */
    while (*at < graph->count && !is_staged(&graph->nodes[*at]))
        ++*at;
    if (*at == graph->count)
        return false;
    const struct node *node = &graph->nodes[*at];
    *ret = (struct staged){.node = (*at)++, .pyramid = node->layer.pyramid};
    geometry_of_pyramid(ret->pyramid, shapes[node->reads[0]], &ret->g, &none);
    if (spec->is_network && *node->name)
        snprintf(ret->prefix, sizeof ret->prefix, "%s.", node->name);
    else if (spec->is_network)
        snprintf(ret->prefix, sizeof ret->prefix, "network.%zu.", node->entry);
    return true;
}

static enum ppm_status add_branch(struct ppm_stages *stages, const struct staged *staged, size_t i,
                                  const struct ppm_tensor *x, struct ppm_error *error)
{
    const struct branch_geometry *branch = &staged->g.branches[i];
    const struct ppm_shape input = staged->g.input;
    const size_t channels = staged->pyramid->branches[i].stack.out_channels;
    const struct {
        const char *what;
        struct ppm_shape shape;
    } parts[IN_BRANCH] = {
        {"pooled", {input.n, input.c, branch->pooled_h, branch->pooled_w}},
        {"output", {input.n, channels, branch->pooled_h, branch->pooled_w}},
        {"upsampled", {input.n, channels, branch->target_h, branch->target_w}},
    };
    for (size_t k = 0; k < IN_BRANCH && error->status == PPM_OK; k++) {
        char name[PPM_STAGE_NAME_BYTES];
        snprintf(name, sizeof name, "%sbranch.%zu.%s", staged->prefix, i, parts[k].what);
        add(stages, name, x, parts[k].shape, error);
    }
    return error->status;
}

static void add_pyramid(struct ppm_stages *stages, const struct staged *staged,
                        const struct ppm_tensor *x, struct ppm_error *error)
{
    char name[PPM_STAGE_NAME_BYTES];
    snprintf(name, sizeof name, "%sinput", staged->prefix);
    if (*staged->prefix) /* a network's */
        add(stages, name, x, staged->g.input, error);
    if (staged->pyramid->is_cascade)
        add(stages, "cascade", x, staged->g.input, error);
    for (size_t i = 0; i < staged->pyramid->branch_count && error->status == PPM_OK; i++)
        add_branch(stages, staged, i, x, error);
}

/* Two buffers for the widest layer of any branch. */
static size_t buffers_bytes(const struct staged *staged, struct ppm_error *error)
{
    size_t most = 0, bytes = 0;
    for (size_t i = 0; i < staged->pyramid->branch_count && error->status == PPM_OK; i++) {
        const struct branch_geometry *branch = &staged->g.branches[i];
        const struct ppm_shape both = {2 * staged->g.input.n,
                                       stack_widest(&staged->pyramid->branches[i].stack),
                                       branch->pooled_h, branch->pooled_w};
        ppm_shape_bytes(both, &bytes, error);
        most = size_max(most, bytes);
    }
    return most;
}

float **stages_inputs(const struct spec *spec, const struct geometry *g,
                      const struct ppm_stages *stages, struct ppm_error *error)
{
    struct ppm_shape *shapes = shapes_create(&spec->graph, &g->sizes, error);
    float **ret = shapes ? calloc(spec->graph.count, sizeof *ret) : NULL;
    const struct ppm_stage *next = stages->list;
    struct staged staged;
    if (shapes && !ret)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    for (size_t at = 0; ret && next_pyramid(spec, shapes, &at, &staged);) {
        ret[staged.node] = next->tensor.data;
        next += 1 + IN_BRANCH * staged.pyramid->branch_count;
    }
    free(shapes);
    return ret;
}

/* What a run allocates for the stages: two buffers for the widest layer of any branch; and for a
 * network pointers to what its pyramids read, or unless the layout is NCHW, a transposed copy of x.
 * And in other layouts, a transposed copy of a result. */
static enum ppm_status count_working(struct ppm_stages *stages, const struct spec *spec,
                                     const struct ppm_shape *shapes, const struct ppm_tensor *x,
                                     struct ppm_error *error)
{
    size_t buffers = 0, turned = 0, bytes = 0;
    struct staged staged;
    for (size_t at = 0; next_pyramid(spec, shapes, &at, &staged);)
        buffers = size_max(buffers, buffers_bytes(&staged, error));
    for (size_t i = 0; i < stages->count && error->status == PPM_OK; i++) {
        ppm_shape_bytes(stages->list[i].tensor.shape, &bytes, error);
        turned = size_max(turned, bytes);
    }
    ppm_shape_bytes(x->shape, &bytes, error);
    if (x->layout == PPM_NCHW)
        turned = bytes = 0;
    if (spec->is_network)
        bytes = spec->graph.count * sizeof(float *);
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
    const struct graph *graph = &spec->graph;
    const struct ppm_tensor x = {.shape = sizes->inputs[0], .layout = layout, .is_batch = is_batch};
    struct ppm_shape *shapes;
    struct staged staged;
    struct geometry g;
    *ret_stages = (struct ppm_stages){0};
    if (geometry_of(spec, sizes, &g, error) != PPM_OK ||
        !(shapes = shapes_create(graph, sizes, error)))
        return error->status;
    for (size_t at = 0; error->status == PPM_OK && next_pyramid(spec, shapes, &at, &staged);)
        add_pyramid(ret_stages, &staged, &x, error);
    if (error->status == PPM_OK && geometry_has_output(&g))
        add(ret_stages, "head", &x, shapes[graph->output], error);
    if (error->status == PPM_OK)
        count_working(ret_stages, spec, shapes, &x, error);
    free(shapes);
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
    const bool has_any = stages && !stages->are_entries && stages->count > 0;
    const struct ppm_stage *last = has_any ? &stages->list[stages->count - 1] : NULL;
    return last && strcmp(last->name, "head") == 0 ? last->tensor.data : NULL;
}

/* ---- the values ---- */

/* result = branch i's layers over pooled, both NCHW. buffers: two, for the widest layer. */
static void run_branch(const struct staged *staged, size_t i, const struct run *run,
                       const float *pooled, float *buffers, float *result)
{
    const struct stack *stack = &staged->pyramid->branches[i].stack;
    const struct branch_geometry *branch = &staged->g.branches[i];
    const size_t n = staged->g.input.n, points = n * branch->pooled_h * branch->pooled_w;
    float *both[2] = {buffers, buffers + points * stack_widest(stack)};
    const float *last =
        reference_stack(run, stack, pooled, n, branch->pooled_h, branch->pooled_w, both);
    if (!run_is_cancelled(run))
        run_copy(run, result, last, points * stack->out_channels);
}

/* Branch i over x [N, C, H, W]: its three results, the last one to upsampled. */
static void run_round(const struct staged *staged, size_t i, const struct run *run, const float *x,
                      const struct ppm_stage *stages, float *buffers, float *upsampled)
{
    const struct pyramid *pyramid = staged->pyramid;
    const struct branch_geometry *branch = &staged->g.branches[i];
    const struct ppm_shape input = staged->g.input;
    float *pooled = stages[0].tensor.data, *result = stages[1].tensor.data;
    const size_t channels = pyramid->branches[i].stack.out_channels;
    reference_pool(run, x, input.n * input.c, input.h, input.w, pyramid->pool, branch, pooled);
    run_branch(staged, i, run, pooled, buffers, result);
    if (!run_is_cancelled(run))
        reference_stretch(run, result, input.n, channels, branch->pooled_h, branch->pooled_w,
                          pyramid->upsample, branch->target_h, branch->target_w, upsampled,
                          channels * branch->target_h * branch->target_w);
}

/* Fills in the stages of a pyramid over x, and returns those that follow. */
static const struct ppm_stage *run_rounds(const struct staged *staged, const float *x,
                                          const struct run *run, const struct ppm_stage *stages,
                                          struct ppm_error *error)
{
    const size_t count = staged->pyramid->branch_count;
    float *buffers = core_allocate(buffers_bytes(staged, error), error);
    if (!buffers)
        return stages;
    if (*staged->prefix) /* a network's, which the run has kept */
        stages++;
    if (staged->pyramid->is_cascade) {
        float *cascade = (stages++)->tensor.data;
        for (size_t i = 0; i < count && !run_is_cancelled(run); i++, x = cascade)
            run_round(staged, i, run, x, &stages[IN_BRANCH * i], buffers, cascade);
    }
    for (size_t i = 0; i < count && !run_is_cancelled(run); i++) {
        const struct ppm_stage *own = &stages[IN_BRANCH * i];
        run_round(staged, i, run, x, own, buffers, own[2].tensor.data);
    }
    free(buffers);
    return stages + IN_BRANCH * count;
}

enum ppm_status stages_run(const struct ppm_model *model, const struct geometry *g,
                           const float *const *inputs, const struct run *run,
                           const struct ppm_stages *stages, struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    const struct ppm_stage *next = stages->list;
    struct ppm_shape *shapes = shapes_create(&spec->graph, &g->sizes, error);
    struct staged staged;
    for (size_t at = 0; error->status == PPM_OK && next_pyramid(spec, shapes, &at, &staged);)
        next = run_rounds(&staged, inputs[staged.node], run, next, error);
    free(shapes);
    for (size_t i = 0; i < stages->count && error->status == PPM_OK && !run_is_cancelled(run); i++)
        tensor_to_layout(run, &stages->list[i].tensor, error);
    return error->status;
}
