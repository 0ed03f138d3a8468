/*
 * reference.c - the literal graph, operator by operator, as the paper draws it.
 *
 * It stores every intermediate result and sums every product in double precision. This is the
 * specification of what the server computes; tests compare everything faster with it.
 */
#include "core/reference/reference.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"

#include <stdlib.h>
#include <string.h>

/* The buffers of a run. */
struct buffers {
    float *pooled[BRANCHES_MAX]; /* [N, C, ph, pw] */
    float *branch[BRANCHES_MAX]; /* [2][N, widest of the stack, ph, pw] */
    float *cascade;              /* [N, C, H, W]: x between the rounds of a cascade */
    float *concat;               /* [N, Cc, H, W] */
    float *head[2];              /* [N, widest of the head, H, W] each */
    float *resized;              /* [N, Ch, H', W'] before argmax */
};

struct graph {
    const struct spec *spec;
    const struct geometry *geometry;
    const struct run *run;
    struct buffers buffers;
    struct ppm_stage_times *times;
    struct ppm_error *error;
};

static bool output_is_stored_apart(const struct graph *graph)
{
    return graph->geometry->needs_resize && graph->spec->output.as == AS_ARGMAX;
}

/* Elements of a buffer, at most what fits in memory. */
static size_t elements_of(size_t n, size_t c, size_t h, size_t w)
{
    return size_min(size_times(size_times(n, c), size_times(h, w)), PTRDIFF_MAX / sizeof(float));
}

/* Calls visit for each buffer that a run needs, with its size: to count, to allocate, to free. */
static void visit_buffers(struct graph *graph,
                          void (*visit)(void *context, float **buffer, size_t elements),
                          void *context)
{
    const struct spec *spec = graph->spec;
    const struct geometry *g = graph->geometry;
    struct buffers *b = &graph->buffers;
    const size_t n = g->input.n;
    for (size_t i = 0; i < spec->pyramid.branch_count; i++) {
        const struct branch_geometry *branch = &g->branches[i];
        const size_t ph = branch->pooled_h, pw = branch->pooled_w;
        visit(context, &b->pooled[i], elements_of(n, spec->channels, ph, pw));
        visit(context, &b->branch[i],
              elements_of(2 * n, stack_widest(&spec->pyramid.branches[i].stack), ph, pw));
    }
    if (spec->pyramid.is_cascade)
        visit(context, &b->cascade, elements_of(n, spec->channels, g->h, g->w));
    visit(context, &b->concat, elements_of(n, spec->pyramid.concat_channels, g->h, g->w));
    for (size_t i = 0; i < 2 && spec->head.count > 0; i++)
        visit(context, &b->head[i], elements_of(n, stack_widest(&spec->head), g->h, g->w));
    if (output_is_stored_apart(graph))
        visit(context, &b->resized,
              elements_of(
                  n, spec->head.count ? spec->head.out_channels : spec->pyramid.concat_channels,
                  g->output.h, g->output.w));
}

static void add_bytes(void *context, float **buffer, size_t elements)
{
    size_t *bytes = context;
    (void)buffer;
    *bytes = size_plus(*bytes, elements * sizeof(float));
}

size_t reference_working_bytes(const struct spec *spec, const struct geometry *geometry)
{
    struct graph graph = {.spec = spec, .geometry = geometry};
    size_t bytes = 0;
    visit_buffers(&graph, add_bytes, &bytes);
    return bytes;
}

static void allocate_buffer(void *context, float **buffer, size_t elements)
{
    struct graph *graph = context;
    if (graph->error->status == PPM_OK)
        *buffer = core_allocate(elements * sizeof **buffer, graph->error);
}

static void free_buffer(void *context, float **buffer, size_t elements)
{
    (void)context;
    (void)elements;
    free(*buffer);
}

const float *reference_stack(const struct run *run, const struct stack *stack, const float *x,
                             size_t n, size_t h, size_t w, float *buffers[2])
{
    for (size_t i = 0; i < stack->count && !run_is_cancelled(run); i++) {
        const struct layer *layer = &stack->layers[i];
        const struct reference_map read = {{n, layer->in_channels, h, w}, x};
        const struct reference_maps maps = {.reads = &read,
                                            .count = 1,
                                            .shape = {n, layer->out_channels, h, w},
                                            .ret = x == buffers[0] ? buffers[1] : buffers[0]};
        reference_layer(run, layer, &maps);
        x = maps.ret;
    }
    return x;
}

static void pool_branch(struct graph *graph, size_t i, const float *x)
{
    const struct geometry *g = graph->geometry;
    reference_pool(graph->run, x, g->input.n * graph->spec->channels, g->input.h, g->input.w,
                   graph->spec->pyramid.pool, &g->branches[i], graph->buffers.pooled[i]);
}

/* Runs a branch's layers on its grid, then upsamples the result to ret[n] at n * ret_stride. */
static void run_branch(struct graph *graph, const struct run *run, size_t i, float *ret,
                       size_t ret_stride)
{
    const struct stack *stack = &graph->spec->pyramid.branches[i].stack;
    const struct branch_geometry *g = &graph->geometry->branches[i];
    const size_t n = graph->geometry->input.n;
    float *first = graph->buffers.branch[i];
    float *buffers[2] = {first, first + n * stack_widest(stack) * g->pooled_h * g->pooled_w};
    const float *result =
        reference_stack(run, stack, graph->buffers.pooled[i], n, g->pooled_h, g->pooled_w, buffers);
    if (run_is_cancelled(run))
        return;
    reference_stretch(run, result, n, stack->out_channels, g->pooled_h, g->pooled_w,
                      graph->spec->pyramid.upsample, g->target_h, g->target_w, ret, ret_stride);
}

/* Listing 2 as printed: x = upsample(branch_i(pool_i(x))) for each i in turn. */
static const float *run_cascade(struct graph *graph, const float *x)
{
    float *ret = graph->buffers.cascade;
    for (size_t i = 0; i < graph->spec->pyramid.branch_count && !run_is_cancelled(graph->run);
         i++) {
        pool_branch(graph, i, x);
        run_branch(graph, graph->run, i, ret,
                   graph->spec->channels * graph->geometry->h * graph->geometry->w);
        x = ret;
    }
    return x;
}

static void copy_input(struct graph *graph, const struct run *run, const float *x, float *ret,
                       size_t ret_stride)
{
    const size_t map = graph->spec->channels * graph->geometry->h * graph->geometry->w;
    for (size_t n = 0; n < graph->geometry->input.n; n++)
        run_copy(run, ret + n * ret_stride, x + n * map, map);
}

/* concat = its parts in order, each computed by one thread. */
static void run_pyramid(struct graph *graph, const float *x)
{
    const struct spec *spec = graph->spec;
    const size_t pixels = graph->geometry->h * graph->geometry->w;
    const size_t stride = spec->pyramid.concat_channels * pixels;
    struct run alone = *graph->run;
    alone.threads = 1;
    double start_s = threads_now_s();
#pragma omp parallel for schedule(dynamic) num_threads(graph->run->threads)
    for (size_t i = 0; i < spec->pyramid.branch_count; i++)
        pool_branch(graph, i, x);
    double pooled_s = threads_now_s();
#pragma omp parallel for schedule(dynamic) num_threads(graph->run->threads)
    for (size_t i = 0; i < spec->pyramid.part_count; i++) {
        const struct part *part = &spec->pyramid.parts[i];
        float *place = graph->buffers.concat + part->first * pixels;
        if (part->source == PART_BRANCH)
            run_branch(graph, &alone, part->branch, place, stride);
        else
            copy_input(graph, &alone, x, place, stride);
    }
    graph->times->pool_ms = 1e3 * (pooled_s - start_s);
    graph->times->branches_ms = 1e3 * (threads_now_s() - pooled_s);
}

static void keep_head(const struct graph *graph, const float *values)
{
    const struct geometry *g = graph->geometry;
    const size_t channels = graph->spec->head.count ? graph->spec->head.out_channels
                                                    : graph->spec->pyramid.concat_channels;
    if (graph->run->head)
        run_copy(graph->run, graph->run->head, values, g->input.n * channels * g->h * g->w);
}

/* y = the head's result after resize, softmax or argmax */
static void run_output(struct graph *graph, const float *values, void *y)
{
    const struct output_spec *output = &graph->spec->output;
    const struct geometry *g = graph->geometry;
    const struct ppm_shape out = g->output;
    const size_t channels = graph->spec->head.count ? graph->spec->head.out_channels
                                                    : graph->spec->pyramid.concat_channels;
    if (g->needs_resize) {
        float *ret = output_is_stored_apart(graph) ? graph->buffers.resized : y;
        reference_stretch(graph->run, values, out.n, channels, g->h, g->w, output->resize, out.h,
                          out.w, ret, channels * out.h * out.w);
        values = ret;
    }
    if (output->as == AS_ARGMAX) {
        reference_argmax(graph->run, values, out.n, channels, out.h * out.w, y);
        return;
    }
    if (values != y)
        run_copy(graph->run, y, values, out.n * channels * out.h * out.w);
    if (output->as == AS_SOFTMAX)
        reference_softmax_in_place(graph->run, y,
                                   (struct ppm_shape){out.n, channels, out.h, out.w});
}

enum ppm_status reference_run(const struct spec *spec, const struct geometry *geometry,
                              const float *x, void *y, const struct run *run,
                              struct ppm_stage_times *times, struct ppm_error *error)
{
    struct graph graph = {
        .spec = spec, .geometry = geometry, .run = run, .times = times, .error = error};
    visit_buffers(&graph, allocate_buffer, &graph);
    if (error->status == PPM_OK) {
        if (spec->pyramid.is_cascade)
            x = run_cascade(&graph, x);
        run_pyramid(&graph, x);
        double start_s = threads_now_s();
        const float *values =
            reference_stack(run, &spec->head, graph.buffers.concat, geometry->input.n, geometry->h,
                            geometry->w, graph.buffers.head);
        double head_s = threads_now_s();
        if (!run_is_cancelled(run)) {
            keep_head(&graph, values);
            run_output(&graph, values, y);
        }
        times->head_ms = 1e3 * (head_s - start_s);
        times->output_ms = 1e3 * (threads_now_s() - head_s);
    }
    visit_buffers(&graph, free_buffer, NULL);
    return error->status;
}
