/* graph_pyramid.c - pyramids as nodes of a graph. */
#include "core/base/memory.h"
#include "core/model/graph_read.h"

#include <stdio.h>
#include <stdlib.h>

/* State shared by what adds the nodes of a pyramid. */
struct pyramid_nodes {
    struct graph *graph;
    struct pyramid *pyramid;
    size_t entry;
    const char *file;
    struct ppm_error *error;
};

/* Adds a node that reads `reads`. Takes the layer. */
static enum ppm_status add_node(struct pyramid_nodes *nodes, struct layer *layer, size_t *reads,
                                size_t read_count)
{
    const struct node node = {.entry = nodes->entry, .reads = reads, .read_count = read_count};
    return graph_add(nodes->graph, &node, layer, nodes->file, nodes->error);
}

static size_t last_node(const struct pyramid_nodes *nodes)
{
    return nodes->graph->count - 1;
}

/* The pool of a branch as a layer: adaptive, or windows side by side. */
static struct layer pool_of(const struct pyramid *pyramid, const struct branch *branch)
{
    struct layer pool = {.kind = LAYER_ADAPTIVE_AVG_POOL,
                         .in_channels = pyramid->channels,
                         .out_channels = pyramid->channels};
    pool.grid[0] = pool.grid[1] = branch->bin;
    if (pyramid->pool == POOL_ADAPTIVE)
        return pool;
    pool.kind = LAYER_AVG_POOL;
    pool.window = (struct window){.size = {branch->window_h, branch->window_w},
                                  .stride = {branch->window_h, branch->window_w},
                                  .dilation = {1, 1},
                                  .is_same = pyramid->pool == POOL_SAME};
    pool.counts_padding = false;
    return pool;
}

/* Adds the nodes of a branch over x; with keep, its layers stay where they are. */
static enum ppm_status add_branch(struct pyramid_nodes *nodes, size_t index, size_t x, bool keep)
{
    const struct pyramid *pyramid = nodes->pyramid;
    const struct stack *stack = &pyramid->branches[index].stack;
    struct layer pool = pool_of(pyramid, &pyramid->branches[index]);
    struct layer resize = {.kind = LAYER_RESIZE,
                           .in_channels = stack->out_channels,
                           .out_channels = stack->out_channels};
    if (add_node(nodes, &pool, &x, 1) != PPM_OK)
        return nodes->error->status;
    for (size_t i = 0; i < stack->count; i++) {
        struct layer copy = stack->layers[i]; /* it has no weights yet */
        size_t before = last_node(nodes);
        if (add_node(nodes, keep ? &copy : &stack->layers[i], &before, 1) != PPM_OK)
            return nodes->error->status;
    }
    size_t grid = last_node(nodes);
    resize.mode = pyramid->upsample;
    resize.target = RESIZE_LIKE;
    resize.like = x;
    return add_node(nodes, &resize, &grid, 1);
}

/* x = u_0, then u_1 of that, ... *x becomes the last one. */
static enum ppm_status add_cascade(struct pyramid_nodes *nodes, size_t *x)
{
    for (size_t i = 0; i < nodes->pyramid->branch_count; i++) {
        if (add_branch(nodes, i, *x, true) != PPM_OK)
            return nodes->error->status;
        *x = last_node(nodes);
    }
    nodes->pyramid->is_cascade = false;
    return PPM_OK;
}

/* The branches, and the concat or sum of the parts. */
static enum ppm_status add_parts(struct pyramid_nodes *nodes, size_t x)
{
    const struct pyramid *pyramid = nodes->pyramid;
    size_t branches[BRANCHES_MAX], parts[READS_MAX];
    struct layer join = {.kind = pyramid->is_sum ? LAYER_ADD : LAYER_CONCAT,
                         .in_channels = pyramid->parts[0].channels,
                         .out_channels = pyramid->is_sum ? pyramid->parts[0].channels
                                                         : pyramid->concat_channels};
    for (size_t i = 0; i < pyramid->branch_count; i++) {
        if (add_branch(nodes, i, x, false) != PPM_OK)
            return nodes->error->status;
        branches[i] = last_node(nodes);
    }
    for (size_t i = 0; i < pyramid->part_count; i++)
        parts[i] = pyramid->parts[i].source == PART_BRANCH ? branches[pyramid->parts[i].branch] : x;
    return pyramid->part_count > 1 ? add_node(nodes, &join, parts, pyramid->part_count) : PPM_OK;
}

/* A few bytes of JSON describe thousands of layers. */
static enum ppm_status count_layers(struct pyramid_nodes *nodes)
{
    size_t *count = &nodes->graph->branch_layers;
    for (size_t i = 0; i < nodes->pyramid->branch_count; i++)
        *count += nodes->pyramid->branches[i].stack.count;
    if (*count > BRANCH_LAYERS_MAX)
        return ppm_fail(nodes->error, PPM_BAD_CONFIG,
                        "%s: network: found more than %d layers in the branches of pyramids, "
                        "expected at most as many",
                        nodes->file, BRANCH_LAYERS_MAX);
    return PPM_OK;
}

static enum ppm_status add_as_layer(struct pyramid_nodes *nodes, size_t x)
{
    if (count_layers(nodes) != PPM_OK)
        return nodes->error->status;
    struct layer layer = {.kind = LAYER_PYRAMID,
                          .in_channels = nodes->pyramid->channels,
                          .out_channels = nodes->pyramid->concat_channels,
                          .pyramid = core_allocate(sizeof *layer.pyramid, nodes->error)};
    if (!layer.pyramid)
        return nodes->error->status;
    *layer.pyramid = *nodes->pyramid;
    if (add_node(nodes, &layer, &x, 1) == PPM_OK)
        *nodes->pyramid = (struct pyramid){0};
    free(layer.pyramid); /* NULL if the graph has it */
    return nodes->error->status;
}

/* What only a layer of its own can do: windows that depend on x, and sizes that do. */
static enum ppm_status check_nodes(const struct pyramid *pyramid, const json_t *object,
                                   const struct json_place *place, struct ppm_error *error)
{
    static const char where[] = "in a pyramid that is a sum or a cascade, or whose branches are "
                                "more than a 1x1 conv and layers of single pixels";
    const struct json_place pool = json_member(place, "pool"),
                            to = json_member(place, "upsample_to");
    if (pyramid->pool != POOL_ADAPTIVE && pyramid->branches[0].bin > 0)
        return json_refuse(&pool, json_object_get(object, "pool"), error,
                           "\"adaptive\", or \"windows\" instead of bins, %s", where);
    if (pyramid->upsample_to != TO_INPUT)
        return json_refuse(&to, json_object_get(object, "upsample_to"), error, "\"input\" %s",
                           where);
    return PPM_OK;
}

enum ppm_status graph_add_pyramid(struct graph *graph, struct pyramid *pyramid, size_t x,
                                  size_t entry, const char *name, const json_t *object,
                                  const struct json_place *place, struct ppm_error *error)
{
    struct pyramid_nodes nodes = {
        .graph = graph, .pyramid = pyramid, .entry = entry, .file = place->file, .error = error};
    const bool is_layer = pyramid_is_layer(pyramid);
    if ((is_layer && !pyramid->is_cascade) ||
        check_nodes(pyramid, object, place, error) == PPM_OK) {
        if (pyramid->is_cascade)
            add_cascade(&nodes, &x);
        if (error->status == PPM_OK && (is_layer ? add_as_layer : add_parts)(&nodes, x) == PPM_OK)
            snprintf(graph->nodes[graph->count - 1].name, NAME_BYTES, "%s", name ? name : "");
    }
    pyramid_release(pyramid);
    return error->status;
}
