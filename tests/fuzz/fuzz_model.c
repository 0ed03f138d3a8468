/* fuzz_model.c - model JSON: an accepted model describes itself, and its sizes stay in bounds. */
#include "core/model/program.h"
#include "core/shape/geometry.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <string.h>

static void check_stack(const struct stack *stack, size_t in_channels)
{
    FUZZ_CHECK(stack->count <= LAYERS_MAX && stack->in_channels == in_channels, "%zu layers",
               stack->count);
    for (size_t i = 0; i < stack->count; i++) {
        const struct layer *layer = &stack->layers[i];
        FUZZ_CHECK(layer->in_channels == in_channels, "layer %zu takes %zu channels, not %zu", i,
                   layer->in_channels, in_channels);
        FUZZ_CHECK(layer->out_channels >= 1 && layer->out_channels <= CHANNELS_MAX, "layer %zu", i);
        FUZZ_CHECK(layer->kind == LAYER_CONV || layer->out_channels == in_channels, "layer %zu", i);
        FUZZ_CHECK(memchr(layer->weights_name, '\0', NAME_BYTES), "layer %zu has no name", i);
        in_channels = layer->out_channels;
    }
    FUZZ_CHECK(stack->out_channels == in_channels, "gives %zu channels", stack->out_channels);
}

static void check_spec(const struct spec *spec)
{
    size_t channels = pyramid_concats_input(spec->pyramid) ? spec->channels : 0;
    FUZZ_CHECK(spec->channels >= 1 && spec->channels <= CHANNELS_MAX, "%zu", spec->channels);
    FUZZ_CHECK(spec->pyramid->branch_count >= 1 && spec->pyramid->branch_count <= BRANCHES_MAX,
               "no branches");
    for (size_t i = 0; i < spec->pyramid->branch_count; i++) {
        const struct branch *branch = &spec->pyramid->branches[i];
        check_stack(&branch->stack, spec->channels);
        channels += branch->stack.out_channels;
        FUZZ_CHECK((branch->bin > 0) == (branch->window_h == 0) &&
                       (branch->window_h > 0) == (branch->window_w > 0),
                   "branch %zu has neither bin nor window", i);
    }
    FUZZ_CHECK(spec->pyramid->concat_channels == channels, "%zu channels",
               spec->pyramid->concat_channels);
    FUZZ_CHECK(spec->graph.nodes[PYRAMID_NODE].layer.out_channels == channels, "%zu channels",
               channels);
}

/* Each node reads earlier ones, and something reads it. */
static void check_node(const struct graph *graph, size_t index)
{
    const struct node *node = &graph->nodes[index];
    const struct layer *layer = &node->layer;
    const bool is_input = index < graph->input_count;
    FUZZ_CHECK((layer->kind == LAYER_INPUT) == is_input && (node->read_count == 0) == is_input,
               "node %zu", index);
    FUZZ_CHECK(node->read_count <= READS_MAX && memchr(node->name, '\0', NAME_BYTES), "node %zu",
               index);
    for (size_t i = 0; i < node->read_count; i++)
        FUZZ_CHECK(node->reads[i] < index, "node %zu reads %zu", index, node->reads[i]);
    if (!is_input)
        FUZZ_CHECK(layer->in_channels == graph->nodes[node->reads[0]].layer.out_channels,
                   "node %zu takes %zu channels", index, layer->in_channels);
    FUZZ_CHECK(layer->out_channels >= 1 && memchr(layer->weights_name, '\0', NAME_BYTES),
               "node %zu", index);
    if (layer->kind == LAYER_RESIZE && layer->target == RESIZE_LIKE)
        FUZZ_CHECK(layer->like < index, "node %zu is like %zu", index, layer->like);
    if (layer->kind == LAYER_CONV)
        FUZZ_CHECK(layer->in_channels % layer->groups == 0 &&
                       layer->out_channels % layer->groups == 0,
                   "node %zu has %zu groups", index, layer->groups);
}

static void check_graph(const struct graph *graph)
{
    FUZZ_CHECK(graph->input_count >= 1 && graph->count <= NODES_MAX &&
                   graph->output == graph->count - 1,
               "%zu nodes", graph->count);
    for (size_t i = 0; i < graph->count; i++)
        check_node(graph, i);
}

/* Any input is either accepted or refused. */
static void check_geometry(const struct spec *spec)
{
    static const size_t extents[] = {1, 2, 7, 60, 65537, SIZE_MAX};
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        struct ppm_sizes sizes = {.count = spec->graph.input_count};
        struct geometry geometry;
        struct ppm_error error = {0};
        for (size_t k = 0; k < sizes.count; k++)
            sizes.inputs[k] = (struct ppm_shape){1, spec->graph.nodes[k].layer.out_channels,
                                                 extents[i], extents[i] / 2 + 1};
        if (geometry_of(spec, &sizes, &geometry, &error) != PPM_OK)
            fuzz_check_error(&error);
    }
}

/* A step makes the output, and each reads what is stored before it. */
static void check_program(const struct graph *graph)
{
    struct program program;
    struct ppm_error error = {0};
    FUZZ_CHECK(program_of(graph, &program, &error) == PPM_OK, "%s", error.text);
    for (size_t i = 0; i < program.count; i++) {
        const struct step *step = &program.steps[i];
        FUZZ_CHECK(step->value < graph->count && program.is_stored[step->value], "step %zu", i);
        for (size_t k = 0; k < step->read_count; k++)
            FUZZ_CHECK(step->reads[k] < step->value && program.is_stored[step->reads[k]],
                       "step %zu reads %zu", i, step->reads[k]);
        FUZZ_CHECK(!step->is_section || section_channels(&step->section) ==
                                            graph->nodes[step->value].layer.out_channels,
                   "step %zu makes %zu channels", i, section_channels(&step->section));
    }
    FUZZ_CHECK(program.is_stored[graph->output], "the output is not stored");
    program_release(&program);
}

/* What is accepted can be computed: no division by 0, no tile that never moves on. */
static void check_image(const struct spec *spec)
{
    const struct ppm_image_info *image = &spec->image;
    if (!spec->takes_images)
        return;
    FUZZ_CHECK(spec->channels == 3 && spec->graph.input_count == 1 && image->multiple >= 1,
               "%zu channels", spec->channels);
    for (size_t c = 0; c < 3; c++)
        FUZZ_CHECK(image->std[c] > 0 && isfinite(image->mean[c] / image->std[c]), "std %g",
                   (double)image->std[c]);
    FUZZ_CHECK((image->fit == PPM_FIT_OWN) == (image->size_h == 0 && image->longest_side == 0),
               "fit %d", (int)image->fit);
    FUZZ_CHECK((image->size_h == 0) == (image->size_w == 0), "size");
    if (image->fit == PPM_FIT_TILES)
        FUZZ_CHECK(image->overlap_h < image->size_h && image->overlap_w < image->size_w, "overlap");
}

static void check_classes(const struct spec *spec)
{
    const struct output_spec *output = &spec->output;
    FUZZ_CHECK(spec->classes.count == 0 ||
                   spec->classes.count == (output->classes ? output->classes : output->channels),
               "%zu classes", spec->classes.count);
    for (size_t i = 0; i < spec->classes.count; i++)
        FUZZ_CHECK(*spec->classes.list[i].name &&
                       strnlen(spec->classes.list[i].name, CLASS_NAME_BYTES) < CLASS_NAME_BYTES,
                   "class %zu has no name", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spec spec, again;
    struct ppm_error error = {0}, again_error = {0};
    if (spec_read(fuzz_file(data, size), &spec, &error) != PPM_OK) {
        fuzz_check_error(&error);
        spec_release(&spec);
        return 0;
    }
    check_graph(&spec.graph);
    if (!spec.is_network)
        check_spec(&spec);
    check_image(&spec);
    check_classes(&spec);
    check_geometry(&spec);
    check_program(&spec.graph);
    FUZZ_CHECK(!strchr(spec.json, '\n'), "not on one line: %s", spec.json);
    FUZZ_CHECK(spec_read(fuzz_file(spec.json, strlen(spec.json)), &again, &again_error) == PPM_OK,
               "%s: %s", spec.json, again_error.text);
    FUZZ_CHECK(strcmp(spec.json, again.json) == 0, "%s\n%s", spec.json, again.json);
    spec_release(&again);
    spec_release(&spec);
    return 0;
}
