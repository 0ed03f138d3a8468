/* spec.c - the top level of a model's JSON. Layers are in layers.c. */
#include "core/model/spec.h"
#include "core/model/graph_read.h"
#include "core/model/warm_up.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

/* "dir/semseg.json" -> "semseg" */
static void name_from_path(const char *path, char *ret_name)
{
    const char *slash = strrchr(path, '/');
    snprintf(ret_name, NAME_BYTES, "%s", slash ? slash + 1 : path);
    char *suffix = strstr(ret_name, ".json");
    if (suffix && suffix > ret_name)
        *suffix = '\0';
}

static enum ppm_status read_name(const json_t *root, const struct json_place *place,
                                 struct spec *spec, struct ppm_error *error)
{
    name_from_path(place->file, spec->name);
    if (json_read_string(root, place, "name", spec->name, sizeof spec->name, error) != PPM_OK)
        return error->status;
    bool is_token = spec->name[0] != '\0' && spec->name[0] != '.';
    for (const char *c = spec->name; *c; c++)
        is_token = is_token && (isalnum((unsigned char)*c) || strchr("._-", *c));
    struct json_place member = json_member(place, "name");
    if (!is_token)
        return json_refuse(
            &member, json_object_get(root, "name"), error,
            "letters, digits, '.', '_' and '-' (the name is part of a URL; left out, it is "
            "the file's: %s)",
            spec->name);
    return PPM_OK;
}

static enum ppm_status read_inputs(const json_t *root, const struct json_place *place,
                                   struct spec *spec, struct ppm_error *error)
{
    if (graph_read_inputs(root, place, spec->is_network, &spec->graph, &spec->layout, error) ==
        PPM_OK)
        spec->channels = spec->graph.nodes[0].layer.out_channels;
    return error->status;
}

static enum ppm_status read_head(const json_t *root, const struct json_place *place,
                                 struct spec *spec, struct ppm_error *error)
{
    static const struct layer_scope scope = {.group = "head"};
    const json_t *head = json_object_get(root, "head");
    struct json_place member = json_member(place, "head");
    if (!head)
        return PPM_OK;
    return stack_read(head, &member, &scope, spec->pyramid.concat_channels, &spec->head, error);
}

static enum ppm_status read_output(const json_t *root, const struct json_place *place,
                                   struct spec *spec, struct ppm_error *error)
{
    const struct layer *last = &spec->graph.nodes[spec->graph.output].layer;
    return output_read(root, place, last->out_channels, spec->pyramid.upsample, &spec->output,
                       error);
}

static enum ppm_status read_pyramid(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    static const struct layer_scope scope = {.is_branch = true, .group = "branch"};
    if (json_read_bool(root, place, "exact", &spec->is_exact, error) == PPM_OK)
        pyramid_read(root, place, &scope, spec->channels, &spec->pyramid, error);
    return error->status;
}

static enum ppm_status read_network(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    if (json_read_bool(root, place, "exact", &spec->is_exact, error) == PPM_OK)
        graph_read_network(root, place, &spec->graph, error);
    return error->status;
}

/* Moves pyramid and head into the graph. */
static enum ppm_status move_into_graph(struct spec *spec, const char *file, struct ppm_error *error)
{
    struct graph *graph = &spec->graph;
    struct pyramid *pyramid = malloc(sizeof *pyramid);
    struct layer layer = {.kind = LAYER_PYRAMID,
                          .in_channels = spec->channels,
                          .out_channels = spec->pyramid.concat_channels,
                          .pyramid = pyramid};
    size_t before = 0;
    struct node node = {.reads = &before, .read_count = 1};
    if (!pyramid)
        return ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", file);
    *pyramid = spec->pyramid;
    if (graph_add(graph, &node, &layer, file, error) != PPM_OK) {
        free(pyramid);
        return error->status;
    }
    spec->pyramid = (struct pyramid){0};
    for (; node.entry < spec->head.count; node.entry++) {
        before = graph->count - 1;
        if (graph_add(graph, &node, &spec->head.layers[node.entry], file, error) != PPM_OK)
            return error->status;
    }
    if (graph_finish(graph, error) != PPM_OK)
        return error->status;
    spec->are_views = true;
    spec_view(spec);
    return PPM_OK;
}

void spec_view(struct spec *spec)
{
    const struct graph *graph = &spec->graph;
    if (spec->is_network)
        return;
    spec->pyramid = *graph->nodes[1].layer.pyramid;
    spec->head.count = 0;
    for (size_t i = 2; i < graph->count; i++) {
        const size_t into = graph_folded_into(graph, i);
        if (into == i || !graph->nodes[into].layer.scale)
            spec->head.layers[spec->head.count++] = graph->nodes[i].layer;
    }
}

static enum ppm_status read_compute(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    static const char *const names[] = {"float32", "bfloat16", NULL};
    int compute = COMPUTE_FLOAT32;
    if (json_read_choice(root, place, "compute", names, &compute, error) != PPM_OK)
        return error->status;
    /* the literal graph is computed in double precision */
    spec->compute = spec_is_literal(spec) ? COMPUTE_FLOAT32 : (enum compute)compute;
    return PPM_OK;
}

/* Today's pyramid and head, or a network. */
static enum ppm_status read_graph(const json_t *root, const struct json_place *place,
                                  struct spec *spec, struct ppm_error *error)
{
    if (spec->is_network)
        return read_network(root, place, spec, error);
    if (read_pyramid(root, place, spec, error) == PPM_OK &&
        read_head(root, place, spec, error) == PPM_OK)
        move_into_graph(spec, place->file, error);
    return error->status;
}

enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error)
{
    static const char *const keys[] = {"name",    "input",    "bins",     "windows",     "pool",
                                       "branch",  "branches", "upsample", "upsample_to", "concat",
                                       "head",    "output",   "weights",  "cascade",     "exact",
                                       "warm_up", "compute",  "network",  NULL};
    static const char *const network_keys[] = {"name",    "input", "inputs",  "network", "output",
                                               "weights", "exact", "warm_up", "compute", NULL};
    *ret_spec = (struct spec){0};
    json_t *root = ppm_json_load_file(path, CONFIG_BYTES_MAX, error);
    const struct json_place place = {.file = path};
    if (!root)
        return error->status;
    ret_spec->is_network = json_object_get(root, "network") != NULL;
    if (json_check_keys(root, &place, ret_spec->is_network ? network_keys : keys, error) ==
            PPM_OK &&
        read_name(root, &place, ret_spec, error) == PPM_OK &&
        read_inputs(root, &place, ret_spec, error) == PPM_OK &&
        read_graph(root, &place, ret_spec, error) == PPM_OK &&
        read_output(root, &place, ret_spec, error) == PPM_OK &&
        read_compute(root, &place, ret_spec, error) == PPM_OK &&
        weights_configure(root, &place, &ret_spec->weights, error) == PPM_OK &&
        warm_up_read(root, &place, ret_spec, error) == PPM_OK) {
        ret_spec->json = ppm_json_text(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
        if (!ret_spec->json)
            ppm_fail(error, PPM_NO_MEMORY, "%s: out of memory", path);
    }
    json_decref(root);
    return error->status;
}

void spec_release(struct spec *spec)
{
    if (spec->are_views) {
        free(spec->head.layers);
    } else {
        pyramid_release(&spec->pyramid);
        stack_release(&spec->head);
    }
    graph_release(&spec->graph);
    free(spec->json);
    *spec = (struct spec){0};
}
