/*
 * reference.c - the literal graph, operator by operator, as the paper draws it.
 *
 * It stores every intermediate result and sums every product in double precision. This is the
 * specification of what the server computes; tests compare everything faster with it.
 */
#include "core/reference/reference.h"
#include "core/base/threads.h"
#include "core/reference/reference_graph.h"
#include "core/reference/reference_output.h"
#include "core/shape/shapes.h"

#include <stdlib.h>

enum ppm_status reference_working_bytes(const struct spec *spec, const struct geometry *g,
                                        size_t *ret_bytes, struct ppm_error *error)
{
    const struct graph *graph = &spec->graph;
    struct ppm_shape *shapes = shapes_create(graph, &g->sizes, error);
    size_t bytes = 0;
    if (!shapes)
        return error->status;
    if (reference_graph_bytes(graph, shapes, &bytes, error) == PPM_OK)
        *ret_bytes = size_plus(size_plus(bytes, graph->count * sizeof *shapes),
                               reference_output_bytes(g, shapes[graph->output].c));
    free(shapes);
    return error->status;
}

static void run_output(const struct spec *spec, const struct geometry *g, const float *values,
                       size_t channels, const struct run *run, void *y,
                       struct ppm_stage_times *times, struct ppm_error *error)
{
    const double start_s = threads_now_s();
    if (run->head)
        run_copy(run, run->head, values, g->input.n * channels * g->h * g->w);
    reference_output(spec, g, values, channels, run, y, error);
    times->output_ms = 1e3 * (threads_now_s() - start_s);
}

enum ppm_status reference_run(const struct spec *spec, const struct geometry *g,
                              const float *const *inputs, void *y, const struct run *run,
                              struct ppm_stage_times *times, struct ppm_error *error)
{
    const struct graph *graph = &spec->graph;
    struct ppm_shape *shapes = shapes_create(graph, &g->sizes, error);
    const float *values = NULL;
    float *owned = NULL;
    if (!shapes)
        return error->status;
    if (reference_graph_run(graph, shapes, inputs, run, &values, &owned, times, error) == PPM_OK &&
        !run_is_cancelled(run))
        run_output(spec, g, values, shapes[graph->output].c, run, y, times, error);
    free(owned);
    free(shapes);
    return error->status;
}
