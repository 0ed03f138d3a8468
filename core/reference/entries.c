/* entries.c - see entries.h. */
#include "core/reference/entries.h"
#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/reference/reference_graph.h"
#include "core/shape/shapes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTED_MAX = 60 }; /* bytes of a name in a sentence */

/* ---- names ---- */

/* What is listed. */
struct listing {
    const struct graph *graph;
    const struct ppm_shape *shapes;
    struct ppm_tensor like; /* layout and is_batch of all */
    struct ppm_stages *stages;
    struct ppm_error *error;
};

/* The last node of the entry of that name, or of that place; graph->count: there is none. */
static size_t find_node(const struct graph *graph, const char *name)
{
    size_t found = graph->count;
    for (size_t i = graph->input_count; i < graph->count && *name; i++) {
        char place[48];
        snprintf(place, sizeof place, "network.%zu", graph->nodes[i].entry);
        if (strcmp(graph->nodes[i].name, name) == 0 || strcmp(place, name) == 0)
            found = i;
    }
    return found;
}

/* The node whose map has the values of node i. */
static size_t map_of(const struct graph *graph, size_t i)
{
    for (size_t into; (into = graph_folded_into(graph, i)) != i;)
        i = into;
    return i;
}

/* A node whose values are part of node i's; i: there is none. */
static size_t folded_in(const struct graph *graph, size_t i)
{
    for (size_t k = i + 1; k < graph->count; k++)
        if (graph_folded_into(graph, k) == i)
            return k;
    return i;
}

static enum ppm_status refuse_node(const struct listing *of, const char *name, size_t i)
{
    const struct graph *graph = of->graph;
    if (i == graph->count)
        return ppm_fail(of->error, PPM_UNFIT,
                        "stages: found \"%.*s\", expected 0, 1, or entries of the network by their "
                        "names or as network.0 to network.%zu",
                        QUOTED_MAX, name, graph->nodes[graph->count - 1].entry);
    if (!graph->nodes[i].is_computed)
        return ppm_fail(of->error, PPM_UNFIT,
                        "stages: the values of \"%.*s\" are not computed, only its size is needed",
                        QUOTED_MAX, name);
    const size_t norm = folded_in(graph, i);
    if (norm != i)
        return ppm_fail(of->error, PPM_UNFIT,
                        "stages: \"%.*s\" is computed together with the norm after it, expected "
                        "network.%zu",
                        QUOTED_MAX, name, graph->nodes[norm].entry);
    for (size_t k = 0; k < of->stages->count; k++)
        if (of->stages->list[k].node == map_of(graph, i))
            return ppm_fail(of->error, PPM_UNFIT, "stages: found \"%.*s\" twice, expected it once",
                            QUOTED_MAX, name);
    return PPM_OK;
}

static enum ppm_status add(struct listing *of, const char *name)
{
    struct ppm_stages *stages = of->stages;
    const size_t node = find_node(of->graph, name);
    size_t bytes;
    if (refuse_node(of, name, node) != PPM_OK ||
        ppm_shape_bytes(of->shapes[node], &bytes, of->error) != PPM_OK)
        return of->error->status;
    if (stages->count == PPM_STAGES_MAX)
        return ppm_fail(of->error, PPM_UNFIT, "stages: expected at most %d entries",
                        PPM_STAGES_MAX);
    stages->bytes = size_plus(stages->bytes, bytes);
    if (stages->bytes == SIZE_MAX)
        return ppm_fail(of->error, PPM_TOO_LARGE,
                        "the entries take more bytes than can be counted");
    struct ppm_stage *stage = &stages->list[stages->count++];
    *stage = (struct ppm_stage){.tensor = of->like, .node = map_of(of->graph, node)};
    stage->tensor.shape = of->shapes[node];
    snprintf(stage->name, sizeof stage->name, "%s", name);
    return PPM_OK;
}

static enum ppm_status add_all(struct listing *of, const char *names)
{
    for (const char *at = names;; at++) {
        char name[PPM_STAGE_NAME_BYTES];
        const size_t bytes = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)size_min(bytes, sizeof name), at);
        if (add(of, name) != PPM_OK)
            return of->error->status;
        at += bytes;
        if (!*at)
            return PPM_OK;
    }
}

/* The literal graph with its maps; in other layouts than NCHW, copies of the inputs and of a
 * result. */
static enum ppm_status count_working(struct listing *of, const struct ppm_sizes *sizes)
{
    struct ppm_stages *stages = of->stages;
    size_t graph_bytes = 0, turned = 0, inputs = 0, bytes = 0;
    reference_graph_bytes(of->graph, of->shapes, &graph_bytes, of->error);
    for (size_t i = 0; i < stages->count && of->error->status == PPM_OK; i++) {
        ppm_shape_bytes(stages->list[i].tensor.shape, &bytes, of->error);
        turned = size_max(turned, bytes);
    }
    for (size_t i = 0; i < sizes->count && of->error->status == PPM_OK; i++) {
        ppm_shape_bytes(sizes->inputs[i], &bytes, of->error);
        inputs = size_plus(inputs, bytes);
    }
    if (of->like.layout == PPM_NCHW)
        turned = inputs = 0;
    stages->working_bytes = size_plus(size_plus(graph_bytes, of->graph->count * sizeof(float *)),
                                      size_plus(turned, inputs));
    if (of->error->status == PPM_OK && stages->working_bytes == SIZE_MAX)
        ppm_fail(of->error, PPM_TOO_LARGE, "the entries take more bytes than can be counted");
    return of->error->status;
}

enum ppm_status ppm_model_entries(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                  enum ppm_layout layout, bool is_batch, const char *names,
                                  struct ppm_stages *ret_stages, struct ppm_error *error)
{
    const struct spec *spec = &model->spec;
    struct geometry g;
    *ret_stages = (struct ppm_stages){.are_entries = true};
    if (!spec->is_network)
        return ppm_fail(error, PPM_MALFORMED, "stages: found \"%.*s\", expected 0 or 1", QUOTED_MAX,
                        names);
    if (geometry_of(spec, sizes, &g, error) != PPM_OK)
        return error->status;
    struct ppm_shape *shapes = shapes_create(&spec->graph, sizes, error);
    struct listing listing = {
        .graph = &spec->graph,
        .shapes = shapes,
        .like = {.layout = layout, .is_batch = is_batch, .dtype = PPM_FLOAT32},
        .stages = ret_stages,
        .error = error};
    if (shapes && add_all(&listing, names) == PPM_OK)
        count_working(&listing, sizes);
    free(shapes);
    return error->status;
}

/* ---- values ---- */

enum ppm_status entries_run(const struct ppm_model *model, const struct geometry *g,
                            const float *const *inputs, const struct run *run,
                            const struct ppm_stages *stages, struct ppm_error *error)
{
    const struct graph *graph = &model->spec.graph;
    struct ppm_shape *shapes = shapes_create(graph, &g->sizes, error);
    float **kept = shapes ? calloc(graph->count, sizeof *kept) : NULL;
    if (shapes && !kept)
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    for (size_t i = 0; kept && i < stages->count; i++)
        kept[stages->list[i].node] = stages->list[i].tensor.data;
    if (kept)
        reference_graph_keep(graph, shapes, inputs, run, kept, error);
    free(kept);
    free(shapes);
    for (size_t i = 0; i < stages->count && error->status == PPM_OK && !run_is_cancelled(run); i++)
        tensor_to_layout(run, &stages->list[i].tensor, error);
    return error->status;
}
