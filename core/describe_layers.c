/* describe_layers.c - see describe_layers.h. */
#include "core/describe_layers.h"
#include "core/plan/choice.h"
#include "core/shape/costs.h"

#include <assert.h>

struct describer {
    const struct ppm_model *model;
    const struct ppm_shape *shapes;
    struct ppm_layer_info *ret;
    size_t count;
};

static const struct node *node_of(const struct describer *describer, size_t i)
{
    return &describer->model->spec.graph.nodes[i];
}

/* An entry's name, or its place: network[3]. */
static void add_name(struct text *text, const struct node *node)
{
    if (*node->name)
        text_add(text, "%s", node->name);
    else
        text_add(text, "network[%zu]", node->entry);
}

void describe_where(const struct node *node, struct text *text)
{
    const struct layer *layer = &node->layer;
    add_name(text, node);
    if (*layer->weights_name && !layer->name_is_default)
        text_add(text, " %s", layer->weights_name);
}

/* ---- lines ---- */

/* A layer whose result has that shape; NULL: unknown. */
static struct ppm_layer_info info_of(const struct layer *layer, const struct ppm_shape *shape)
{
    struct ppm_layer_info info = {.parameters = layer->parameters};
    if (shape) {
        info.shape = (struct ppm_shape){shape->n, layer->out_channels, shape->h, shape->w};
        info.flops = layer_flops(layer, (uint64_t)shape->n * shape->h * shape->w);
    }
    return info;
}

static void add_line(struct describer *describer, const struct ppm_layer_info *info)
{
    describer->ret[describer->count++] = *info;
}

static void describe_branch_layer(struct describer *describer, const struct node *node,
                                  size_t branch, const struct layer *layer,
                                  const struct ppm_shape *shape)
{
    const struct branch *b = &node->layer.pyramid->branches[branch];
    struct ppm_layer_info info = info_of(layer, shape);
    struct text where = {info.where, sizeof info.where, 0}, what = {info.what, sizeof info.what, 0};
    if (describer->model->spec.is_network) {
        add_name(&where, node);
        text_add(&where, ", ");
    }
    text_add(&where, "branch %zu ", branch);
    if (b->bin)
        text_add(&where, "(bin %zu)", b->bin);
    else
        text_add(&where, "(%zu x %zu px)", b->window_h, b->window_w);
    layer_text(layer, &what);
    if (layer->bfloat16)
        text_add(&what, ", bfloat16");
    add_line(describer, &info);
}

static void describe_branches(struct describer *describer, size_t i)
{
    const struct node *node = node_of(describer, i);
    const struct pyramid *pyramid = node->layer.pyramid;
    struct geometry g = {0};
    struct ppm_error none = {0}; /* the shapes are there, so it fits */
    if (describer->shapes)
        geometry_of_pyramid(pyramid, describer->shapes[node->reads[0]], &g, &none);
    for (size_t b = 0; b < pyramid->branch_count; b++) {
        const struct ppm_shape shape = {
            .n = g.input.n, .h = g.branches[b].pooled_h, .w = g.branches[b].pooled_w};
        const struct stack *stack = &pyramid->branches[b].stack;
        for (size_t k = 0; k < stack->count; k++)
            describe_branch_layer(describer, node, b, &stack->layers[k],
                                  describer->shapes ? &shape : NULL);
    }
}

/* ---- nodes ---- */

/* How a conv is computed on its map. */
static void add_algorithm(const struct describer *describer, size_t i, struct text *text)
{
    const struct spec *spec = &describer->model->spec;
    const struct layer *conv = &node_of(describer, i)->layer;
    const char *note = NULL;
    if (describer->shapes && !spec_is_literal(spec)) {
        const struct map_size out = {describer->shapes[i].h, describer->shapes[i].w};
        const enum algorithm by = choose_algorithm(spec->is_exact, conv, out);
        note = choice_of(by)->note;
        note = note || !spec->is_network ? note : algorithm_name(by);
    }
    if (note)
        text_add(text, ", %s", note);
    else if (conv->bfloat16)
        text_add(text, ", bfloat16");
}

/* What a node reads, unless that is the node before it alone. */
static void add_reads(const struct describer *describer, size_t i, struct text *text)
{
    const struct node *node = node_of(describer, i);
    const bool is_join = layer_is_join(node->layer.kind);
    if (!is_join && node->read_count == 1 && node->reads[0] + 1 == i)
        return;
    for (size_t k = 0; k < node->read_count; k++) {
        text_add(text, "%s", k > 0 ? ", " : is_join ? " " : ", from ");
        add_name(text, node_of(describer, node->reads[k]));
    }
}

/* A map that the sections that read it take part by part. */
static bool is_part(const struct describer *describer, size_t i)
{
    const enum layer_kind kind = node_of(describer, i)->layer.kind;
    return !describer->model->program.is_stored[i] &&
           (kind == LAYER_CONCAT || kind == LAYER_RESIZE || kind == LAYER_SLICE);
}

/* Whether a node is computed in the step of one that it reads, whose map is not stored. */
static bool is_fused(const struct describer *describer, size_t i)
{
    const struct node *node = node_of(describer, i);
    bool is_fused = false;
    for (size_t k = 0; k < node->read_count && !is_part(describer, i); k++)
        is_fused = is_fused || (!describer->model->program.is_stored[node->reads[k]] &&
                                !is_part(describer, node->reads[k]));
    return is_fused;
}

static void add_fusion(const struct describer *describer, size_t i, struct text *text)
{
    if (describer->model->program.folded_into[i] != NO_VALUE)
        text_add(text, ", folded");
    else if (is_part(describer, i))
        text_add(text, ", not stored");
    else if (is_fused(describer, i))
        text_add(text, ", fused");
}

static void describe_node(struct describer *describer, size_t i)
{
    const struct node *node = node_of(describer, i);
    const struct layer *layer = &node->layer;
    const bool is_network = describer->model->spec.is_network;
    struct ppm_layer_info info = info_of(layer, describer->shapes ? &describer->shapes[i] : NULL);
    struct text where = {info.where, sizeof info.where, 0}, what = {info.what, sizeof info.what, 0};
    if (is_network)
        describe_where(node, &where);
    else
        text_add(&where, "head");
    layer_text(layer, &what);
    if (layer->kind == LAYER_RESIZE && layer->target == RESIZE_LIKE) {
        text_add(&what, ", like ");
        add_name(&what, node_of(describer, layer->like));
    }
    if (is_network)
        add_reads(describer, i, &what);
    if (layer->kind == LAYER_CONV)
        add_algorithm(describer, i, &what);
    if (is_network)
        add_fusion(describer, i, &what);
    if (describer->model->program.folded_into[i] != NO_VALUE)
        info.parameters = 0; /* they count where it is folded into */
    add_line(describer, &info);
}

/* Whether the node has a line of its own. */
static bool has_line(const struct ppm_model *model, size_t i)
{
    const bool is_pyramid = model->spec.graph.nodes[i].layer.kind == LAYER_PYRAMID;
    return model->spec.is_network || (!is_pyramid && model->program.folded_into[i] == NO_VALUE);
}

size_t describe_count(const struct ppm_model *model)
{
    const struct graph *graph = &model->spec.graph;
    size_t count = 0;
    for (size_t i = graph->input_count; i < graph->count; i++) {
        const struct layer *layer = &graph->nodes[i].layer;
        count += has_line(model, i);
        for (size_t b = 0; layer->kind == LAYER_PYRAMID && b < layer->pyramid->branch_count; b++)
            count += layer->pyramid->branches[b].stack.count;
    }
    return count;
}

void describe_layers(const struct ppm_model *model, const struct ppm_shape *shapes,
                     struct ppm_layer_info *ret_layers)
{
    struct describer describer = {.model = model, .shapes = shapes, .ret = ret_layers};
    const struct graph *graph = &model->spec.graph;
    for (size_t i = graph->input_count; i < graph->count; i++) {
        if (has_line(model, i))
            describe_node(&describer, i);
        if (graph->nodes[i].layer.kind == LAYER_PYRAMID)
            describe_branches(&describer, i);
    }
    assert(describer.count == describe_count(model));
}
