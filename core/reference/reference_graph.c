/* reference_graph.c - see reference_graph.h. */
#include "core/reference/reference_graph.h"
#include "core/base/memory.h"
#include "core/base/threads.h"
#include "core/reference/reference_ops.h"
#include "core/reference/reference_pyramid.h"

#include <assert.h>
#include <stdlib.h>

/* What is known of a node while the graph is walked. */
struct state {
    size_t map; /* the node whose map it has: its own, or that of the conv it is folded into */
    size_t last_reader; /* of its own map */
    bool is_needed;     /* the output depends on it */
    bool is_live;       /* its own map is stored */
    const float *values;
    float *owned; /* NULL: an input's */
};

/* One walk over the nodes: to count bytes, or to run. */
struct walk {
    const struct graph *graph;
    const struct ppm_shape *shapes;
    struct state *states;
    size_t last;                   /* node of the walk */
    float *const *kept;            /* [nodes] where to copy a map, or NULL; NULL: nowhere */
    size_t live_bytes, most_bytes; /* counted */
    const struct run *run;
    struct ppm_stage_times *times;
    struct ppm_error *error;
};

static bool is_folded(const struct walk *walk, size_t i)
{
    return graph_folded_into(walk->graph, i) != i;
}

/* Whose map is whose, which nodes are needed, and which of them reads a map last. */
static bool begin(struct walk *walk)
{
    const struct graph *graph = walk->graph;
    assert(graph->count > 0);
    struct state *states = calloc(graph->count, sizeof *states);
    if (!(walk->states = states))
        ppm_fail(walk->error, PPM_NO_MEMORY, "out of memory");
    if (!states)
        return false;
    for (size_t i = 0; i < graph->count; i++)
        states[i].map = is_folded(walk, i) ? states[graph->nodes[i].reads[0]].map : i;
    states[graph->output].is_needed = true;
    for (size_t i = graph->output + 1; i-- > graph->input_count;)
        for (size_t k = 0; k < graph->nodes[i].read_count && states[i].is_needed; k++)
            states[graph->nodes[i].reads[k]].is_needed = true;
    for (size_t i = graph->input_count; i <= graph->output; i++)
        for (size_t k = 0; k < graph->nodes[i].read_count && states[i].is_needed; k++)
            states[states[graph->nodes[i].reads[k]].map].last_reader = i;
    states[states[graph->output].map].last_reader = SIZE_MAX;
    return true;
}

static size_t map_bytes(const struct walk *walk, size_t i)
{
    const struct ppm_shape s = walk->shapes[i];
    return s.n * s.c * s.h * s.w * sizeof(float); /* shapes_of counted it */
}

/* Memory that node i takes while it is computed. Its layer has fitted its shapes before. */
static size_t scratch_bytes(const struct walk *walk, size_t i)
{
    const struct node *node = &walk->graph->nodes[i];
    struct geometry g;
    struct ppm_error none = {0};
    if (node->layer.kind != LAYER_PYRAMID)
        return 0;
    geometry_of_pyramid(node->layer.pyramid, walk->shapes[node->reads[0]], &g, &none);
    return reference_pyramid_bytes(node->layer.pyramid, &g);
}

/* Each needed node that has a map of its own: enter, then leave for each map that it read last. */
static void each_node(struct walk *walk, void (*enter)(struct walk *walk, size_t i),
                      void (*leave)(struct walk *walk, size_t i))
{
    const struct graph *graph = walk->graph;
    for (size_t i = graph->input_count; i <= walk->last; i++) {
        if (!walk->states[i].is_needed || is_folded(walk, i))
            continue;
        enter(walk, i);
        walk->states[i].is_live = true;
        if (walk->error->status != PPM_OK)
            return;
        for (size_t k = 0; k < graph->nodes[i].read_count; k++) {
            const size_t map = walk->states[graph->nodes[i].reads[k]].map;
            if (walk->states[map].last_reader == i && walk->states[map].is_live) {
                leave(walk, map);
                walk->states[map].is_live = false;
            }
        }
    }
}

/* ---- bytes ---- */

static void count_enter(struct walk *walk, size_t i)
{
    walk->live_bytes = size_plus(walk->live_bytes, map_bytes(walk, i));
    walk->most_bytes =
        size_max(walk->most_bytes, size_plus(walk->live_bytes, scratch_bytes(walk, i)));
}

/* Once it has reached its end, the sum stays there. */
static void count_leave(struct walk *walk, size_t i)
{
    if (walk->live_bytes != SIZE_MAX)
        walk->live_bytes -= map_bytes(walk, i);
}

enum ppm_status reference_graph_bytes(const struct graph *graph, const struct ppm_shape *shapes,
                                      size_t *ret_bytes, struct ppm_error *error)
{
    struct walk walk = {.graph = graph, .shapes = shapes, .last = graph->output, .error = error};
    if (!begin(&walk))
        return error->status;
    each_node(&walk, count_enter, count_leave);
    free(walk.states);
    *ret_bytes = size_plus(walk.most_bytes, graph->count * sizeof *walk.states);
    return PPM_OK;
}

/* ---- values ---- */

static const float *values_of(const struct walk *walk, size_t i)
{
    return walk->states[walk->states[i].map].values;
}

static void run_pyramid(struct walk *walk, size_t i)
{
    const struct node *node = &walk->graph->nodes[i];
    const struct pyramid *pyramid = node->layer.pyramid;
    struct geometry g;
    void *scratch = core_allocate(scratch_bytes(walk, i), walk->error);
    if (!scratch)
        return;
    if (walk->run->pyramid_inputs)
        run_copy(walk->run, walk->run->pyramid_inputs[i], values_of(walk, node->reads[0]),
                 map_bytes(walk, node->reads[0]) / sizeof(float));
    if (geometry_of_pyramid(pyramid, walk->shapes[node->reads[0]], &g, walk->error) == PPM_OK)
        reference_pyramid(walk->run, pyramid, &g, values_of(walk, node->reads[0]),
                          walk->states[i].owned, scratch, walk->times);
    free(scratch);
}

static void run_layer(struct walk *walk, size_t i)
{
    const struct node *node = &walk->graph->nodes[i];
    struct reference_map reads[READS_MAX];
    const double start_s = threads_now_s();
    for (size_t k = 0; k < node->read_count; k++) {
        const size_t read = node->reads[k];
        reads[k] = (struct reference_map){walk->shapes[read], values_of(walk, read)};
    }
    const struct reference_maps maps = {.reads = reads,
                                        .count = node->read_count,
                                        .shape = walk->shapes[i],
                                        .ret = walk->states[i].owned};
    reference_layer(walk->run, &node->layer, &maps);
    walk->times->head_ms += 1e3 * (threads_now_s() - start_s);
}

static void run_enter(struct walk *walk, size_t i)
{
    struct state *state = &walk->states[i];
    if (run_is_cancelled(walk->run))
        return;
    state->values = state->owned = core_allocate(map_bytes(walk, i), walk->error);
    if (!state->owned)
        return;
    if (walk->graph->nodes[i].layer.kind == LAYER_PYRAMID)
        run_pyramid(walk, i);
    else
        run_layer(walk, i);
    if (walk->kept && walk->kept[i] && !run_is_cancelled(walk->run))
        run_copy(walk->run, walk->kept[i], state->owned, map_bytes(walk, i) / sizeof(float));
}

static void run_leave(struct walk *walk, size_t i)
{
    free(walk->states[i].owned);
    walk->states[i].owned = NULL;
}

/* False: no memory for a walk. */
static bool run_walk(struct walk *walk, const float *const *inputs)
{
    if (!begin(walk))
        return false;
    for (size_t i = 0; i < walk->graph->input_count; i++)
        walk->states[i].values = inputs[i];
    each_node(walk, run_enter, run_leave);
    return true;
}

static void end_walk(struct walk *walk)
{
    for (size_t i = 0; i < walk->graph->count; i++)
        free(walk->states[i].owned);
    free(walk->states);
}

enum ppm_status reference_graph_run(const struct graph *graph, const struct ppm_shape *shapes,
                                    const float *const *inputs, const struct run *run,
                                    const float **ret_values, float **ret_owned,
                                    struct ppm_stage_times *times, struct ppm_error *error)
{
    struct walk walk = {.graph = graph,
                        .shapes = shapes,
                        .last = graph->output,
                        .run = run,
                        .times = times,
                        .error = error};
    if (!run_walk(&walk, inputs))
        return error->status;
    struct state *output = &walk.states[walk.states[graph->output].map];
    if (error->status == PPM_OK) {
        *ret_values = output->values;
        *ret_owned = output->owned;
        output->owned = NULL;
    }
    end_walk(&walk);
    return error->status;
}

enum ppm_status reference_graph_keep(const struct graph *graph, const struct ppm_shape *shapes,
                                     const float *const *inputs, const struct run *run,
                                     float *const *kept, struct ppm_error *error)
{
    struct ppm_stage_times ignored = {0};
    struct walk walk = {.graph = graph,
                        .shapes = shapes,
                        .run = run,
                        .kept = kept,
                        .times = &ignored,
                        .error = error};
    for (size_t i = 0; i < graph->count; i++)
        walk.last = kept[i] ? i : walk.last;
    if (run_walk(&walk, inputs))
        end_walk(&walk);
    return error->status;
}
