/* spec.c - the top level of a model's JSON. Layers are in layers.c. */
#include "core/model/spec.h"
#include "core/base/memory.h"
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
    struct inputs_spec inputs = {0};
    if (graph_read_inputs(root, place, spec->is_network, &spec->graph, &inputs, error) != PPM_OK)
        return error->status;
    spec->channels = spec->graph.nodes[0].layer.out_channels;
    spec->layout = inputs.layout;
    spec->takes_images = inputs.takes_images;
    spec->image = inputs.image;
    return PPM_OK;
}

/* Adds the node of a model's pyramid to a graph of its input. */
static enum ppm_status read_pyramid(const json_t *root, const struct json_place *place,
                                    struct spec *spec, struct ppm_error *error)
{
    static const struct layer_scope scope = {.is_branch = true, .group = "branch"};
    size_t x = 0;
    const struct node node = {.reads = &x, .read_count = 1};
    struct layer layer = {.kind = LAYER_PYRAMID,
                          .in_channels = spec->channels,
                          .pyramid = core_allocate(sizeof *layer.pyramid, error)};
    if (!layer.pyramid)
        return error->status;
    *layer.pyramid = (struct pyramid){0};
    if (pyramid_read(root, place, &scope, spec->channels, layer.pyramid, error) == PPM_OK) {
        layer.out_channels = layer.pyramid->concat_channels;
        graph_add(&spec->graph, &node, &layer, place->file, error);
    }
    if (error->status != PPM_OK) {
        pyramid_release(layer.pyramid);
        free(layer.pyramid);
        return error->status;
    }
    spec->pyramid = spec->graph.nodes[PYRAMID_NODE].layer.pyramid;
    return PPM_OK;
}

/* Adds a node for each layer of the head. */
static enum ppm_status read_head(const json_t *root, const struct json_place *place,
                                 struct spec *spec, struct ppm_error *error)
{
    static const struct layer_scope scope = {.group = "head"};
    const json_t *head = json_object_get(root, "head");
    const struct json_place member = json_member(place, "head");
    struct stack stack = {0};
    size_t before;
    struct node node = {.reads = &before, .read_count = 1};
    if (!head)
        return PPM_OK;
    stack_read(head, &member, &scope, spec->pyramid->concat_channels, &stack, error);
    for (; error->status == PPM_OK && node.entry < stack.count; node.entry++) {
        before = spec->graph.count - 1;
        graph_add(&spec->graph, &node, &stack.layers[node.entry], place->file, error);
    }
    stack_release(&stack);
    return error->status;
}

static enum ppm_status read_output(const json_t *root, const struct json_place *place,
                                   struct spec *spec, struct ppm_error *error)
{
    const struct layer *last = &spec->graph.nodes[spec->graph.output].layer;
    const enum resize own = spec->pyramid ? spec->pyramid->upsample : RESIZE_ALIGN_CORNERS;
    if (output_read(root, place, last->out_channels, own, &spec->output, error) != PPM_OK)
        return error->status;
    return classes_read(root, place, &spec->output, &spec->classes, error);
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

/* A pyramid and its head, or a network. */
static enum ppm_status read_graph(const json_t *root, const struct json_place *place,
                                  struct spec *spec, struct ppm_error *error)
{
    if (json_read_bool(root, place, "exact", &spec->is_exact, error) != PPM_OK)
        return error->status;
    if (spec->is_network)
        return graph_read_network(root, place, &spec->graph, error);
    if (read_pyramid(root, place, spec, error) == PPM_OK &&
        read_head(root, place, spec, error) == PPM_OK)
        graph_finish(&spec->graph, error);
    return error->status;
}

enum ppm_status spec_read(const char *path, struct spec *ret_spec, struct ppm_error *error)
{
    static const char *const keys[] = {"name",    "input",    "bins",     "windows",     "pool",
                                       "branch",  "branches", "upsample", "upsample_to", "concat",
                                       "head",    "output",   "weights",  "cascade",     "exact",
                                       "warm_up", "compute",  "network",  "classes",     NULL};
    static const char *const network_keys[] = {"name",    "input",   "inputs",  "network",
                                               "output",  "classes", "weights", "exact",
                                               "warm_up", "compute", NULL};
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

enum ppm_status spec_read_files(const char *path, struct ppm_model_files *ret_files,
                                struct ppm_error *error)
{
    json_t *root = ppm_json_load_file(path, CONFIG_BYTES_MAX, error);
    const struct json_place place = {.file = path};
    struct weights_spec weights = {0};
    if (!root)
        return error->status;
    const bool is_model = json_object_get(root, "input") || json_object_get(root, "inputs");
    if (!is_model || weights_configure(root, &place, &weights, error) == PPM_OK) {
        ret_files->is_model = is_model;
        snprintf(ret_files->weights, sizeof ret_files->weights, "%s", weights.file);
    }
    json_decref(root);
    return error->status;
}

void spec_release(struct spec *spec)
{
    graph_release(&spec->graph);
    classes_release(&spec->classes);
    free(spec->json);
    *spec = (struct spec){0};
}
