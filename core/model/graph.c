/* graph.c - see graph.h. */
#include "core/model/graph.h"
#include "core/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ppm_status make_room(struct graph *graph, const char *file, struct ppm_error *error)
{
    const size_t capacity = size_max(16, 2 * graph->capacity);
    if (graph->count < graph->capacity)
        return PPM_OK;
    if (graph->count >= NODES_MAX)
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: network: found more than %d nodes, counting those of inputs and "
                        "pyramids, expected at most as many",
                        file, NODES_MAX);
    struct node *nodes = realloc(graph->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file);
    graph->nodes = nodes;
    graph->capacity = capacity;
    return PPM_OK;
}

enum ppm_status graph_add(struct graph *graph, const struct node *node, struct layer *layer,
                          const char *file, struct ppm_error *error)
{
    struct node added = *node;
    if (make_room(graph, file, error) != PPM_OK)
        return error->status;
    added.reads = calloc(size_max(node->read_count, 1), sizeof *added.reads);
    if (!added.reads)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file);
    if (node->read_count > 0)
        memcpy(added.reads, node->reads, node->read_count * sizeof *node->reads);
    added.layer = *layer;
    *layer = (struct layer){0};
    graph->nodes[graph->count++] = added;
    return PPM_OK;
}

static void node_release(struct node *node)
{
    if (node->layer.kind == LAYER_PYRAMID) {
        pyramid_release(node->layer.pyramid);
        free(node->layer.pyramid);
    }
    layer_release(&node->layer);
    free(node->reads);
}

static size_t *like_of(struct layer *layer)
{
    return layer->kind == LAYER_RESIZE && layer->target == RESIZE_LIKE ? &layer->like : NULL;
}

static void mark_needed(struct graph *graph, bool *needed)
{
    needed[graph->count - 1] = true;
    for (size_t i = graph->count; i-- > 0;) {
        struct node *node = &graph->nodes[i];
        const size_t *like = like_of(&node->layer);
        for (size_t k = 0; needed[i] && k < node->read_count; k++)
            needed[node->reads[k]] = true;
        if (needed[i] && like)
            needed[*like] = true;
    }
}

/* Requests have them all the same, so they stay. */
static size_t note_unused_inputs(struct graph *graph, bool *needed, size_t *more)
{
    size_t at = 0;
    for (size_t i = 0; i < graph->input_count; i++) {
        const char *name = graph->nodes[i].name;
        if (!needed[i] && at + strlen(name) + 32 > sizeof graph->unused - 24)
            ++*more;
        else if (!needed[i])
            at += (size_t)snprintf(graph->unused + at, sizeof graph->unused - at, "%sinputs.%s",
                                   at ? ", " : "", name);
        needed[i] = true;
    }
    return at;
}

/* Names what is unused, an entry once. */
static void note_unused(struct graph *graph, bool *needed)
{
    size_t more = 0, at = note_unused_inputs(graph, needed, &more);
    for (size_t i = graph->input_count; i < graph->count; i++) {
        const bool is_known = i > graph->input_count && !needed[i - 1] &&
                              graph->nodes[i - 1].entry == graph->nodes[i].entry;
        if (needed[i] || is_known)
            continue;
        if (at + 32 > sizeof graph->unused - 24)
            more++;
        else
            at += (size_t)snprintf(graph->unused + at, sizeof graph->unused - at, "%snetwork[%zu]",
                                   at ? ", " : "", graph->nodes[i].entry);
    }
    if (more > 0)
        snprintf(graph->unused + at, sizeof graph->unused - at, " and %zu more", more);
}

/* Moves the needed nodes together, and releases the others; places[i] is where the i-th goes. */
static void leave_out(struct graph *graph, const bool *needed, size_t *places)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->count; i++) {
        struct node node = graph->nodes[i];
        size_t *like = like_of(&node.layer);
        places[i] = kept;
        if (!needed[i])
            continue;
        for (size_t k = 0; k < node.read_count; k++)
            node.reads[k] = places[node.reads[k]];
        if (like)
            *like = places[*like];
        graph->nodes[i] = graph->nodes[kept];
        graph->nodes[kept++] = node;
    }
    while (graph->count > kept)
        node_release(&graph->nodes[--graph->count]);
}

static void mark_computed(struct graph *graph)
{
    graph->nodes[graph->output].is_computed = true;
    for (size_t i = graph->count; i-- > 0;)
        for (size_t k = 0; k < graph->nodes[i].read_count && graph->nodes[i].is_computed; k++)
            graph->nodes[graph->nodes[i].reads[k]].is_computed = true;
}

enum ppm_status graph_finish(struct graph *graph, struct ppm_error *error)
{
    bool *needed = calloc(graph->count, sizeof *needed);
    size_t *places = calloc(graph->count, sizeof *places);
    if (!needed || !places) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        goto out;
    }
    mark_needed(graph, needed);
    note_unused(graph, needed);
    leave_out(graph, needed, places);
    graph->output = graph->count - 1;
    graph->nodes[graph->output].reader_count++;
    for (size_t i = 0; i < graph->count; i++)
        for (size_t k = 0; k < graph->nodes[i].read_count; k++)
            graph->nodes[graph->nodes[i].reads[k]].reader_count++;
    mark_computed(graph);
out:
    free(needed);
    free(places);
    return error->status;
}

size_t graph_folded_into(const struct graph *graph, size_t index)
{
    static const bool takes_norms[LAYER_KIND_COUNT] = {[LAYER_CONV] = true,
                                                       [LAYER_BATCH_NORM] = true,
                                                       [LAYER_GROUP_NORM] = true,
                                                       [LAYER_LAYER_NORM] = true,
                                                       [LAYER_AFFINE] = true};
    while (graph->nodes[index].layer.kind == LAYER_BATCH_NORM) {
        const size_t read = graph->nodes[index].reads[0];
        if (!takes_norms[graph->nodes[read].layer.kind] || graph->nodes[read].reader_count > 1)
            break;
        index = read;
    }
    return index;
}

void graph_release(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        node_release(&graph->nodes[i]);
    free(graph->nodes);
    *graph = (struct graph){0};
}
