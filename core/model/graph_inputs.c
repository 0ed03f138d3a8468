/* graph_inputs.c - the inputs of a model. */
#include "core/model/graph_names.h"
#include "core/model/graph_read.h"
#include "core/model/image_spec.h"

#include <stdio.h>

static enum ppm_status read_image(const json_t *input, const struct json_place *place,
                                  size_t channels, struct inputs_spec *ret, struct ppm_error *error)
{
    const json_t *image = json_object_get(input, "image");
    const struct json_place member = json_member(place, "image");
    ret->takes_images = image != NULL;
    return image ? image_spec_read(image, &member, channels, &ret->image, error) : PPM_OK;
}

/* {"channels": C, "layout": "NCHW", "image": {...}} */
static enum ppm_status read_input(const json_t *input, const struct json_place *place,
                                  const char *name, struct graph *graph, struct inputs_spec *ret,
                                  struct ppm_error *error)
{
    static const char *const keys[] = {"channels", "layout", "image", NULL};
    static const char *const layouts[] = {"NCHW", "NHWC", NULL};
    const struct json_place channels = json_member(place, "channels");
    struct layer layer = {.kind = LAYER_INPUT};
    struct node node = {.entry = graph->count};
    int layout = PPM_NCHW;
    if (!json_is_object(input))
        return json_refuse(place, input, error, "an object such as {\"channels\": 2048}");
    if (json_check_keys(input, place, keys, error) != PPM_OK)
        return error->status;
    if (!json_object_get(input, "channels"))
        return json_refuse(&channels, NULL, error, "the number of channels of the input");
    if (json_read_size(input, place, "channels", 1, CHANNELS_MAX, &layer.out_channels, error) !=
            PPM_OK ||
        json_read_choice(input, place, "layout", layouts, &layout, error) != PPM_OK ||
        read_image(input, place, layer.out_channels, ret, error) != PPM_OK)
        return error->status;
    ret->layout = (enum ppm_layout)layout;
    layer.in_channels = layer.out_channels;
    snprintf(node.name, sizeof node.name, "%s", name);
    graph->input_count++;
    return graph_add(graph, &node, &layer, place->file, error);
}

/* {"c2": {"channels": 256}, "c5": {"channels": 2048}}; all have one layout. */
static enum ppm_status read_several(const json_t *inputs, const struct json_place *place,
                                    struct graph *graph, struct inputs_spec *ret,
                                    struct ppm_error *error)
{
    const char *name;
    json_t *input;
    enum ppm_layout first = PPM_NCHW;
    if (!json_is_object(inputs) || json_object_size(inputs) < 1 ||
        json_object_size(inputs) > GRAPH_INPUTS_MAX)
        return json_refuse(place, inputs, error,
                           "an object of 1 to %d inputs, such as {\"c2\": {\"channels\": 256}, "
                           "\"c5\": {\"channels\": 2048}}",
                           GRAPH_INPUTS_MAX);
    json_object_foreach((json_t *)inputs, name, input)
    {
        const struct json_place member = json_member(place, name);
        const struct json_place layout_place = json_member(&member, "layout"),
                                image_place = json_member(&member, "image");
        if (!graph_is_name(name))
            return json_refuse(&member, input, error, GRAPH_NAME_EXPECTED);
        if (read_input(input, &member, name, graph, ret, error) != PPM_OK)
            return error->status;
        if (ret->takes_images && json_object_size(inputs) > 1)
            return json_refuse(&image_place, json_object_get(input, "image"), error,
                               "it in a model of one input");
        if (graph->count > 1 && ret->layout != first)
            return json_refuse(&layout_place, json_object_get(input, "layout"), error,
                               "\"%s\", the layout of the first input", ppm_layout_name(first));
        first = ret->layout;
    }
    return PPM_OK;
}

enum ppm_status graph_read_inputs(const json_t *root, const struct json_place *place,
                                  bool may_be_several, struct graph *graph,
                                  struct inputs_spec *ret_inputs, struct ppm_error *error)
{
    const json_t *input = json_object_get(root, "input");
    const json_t *inputs = may_be_several ? json_object_get(root, "inputs") : NULL;
    const struct json_place member = json_member(place, inputs ? "inputs" : "input");
    if (input && inputs)
        return json_refuse(&member, inputs, error, "either \"input\" or \"inputs\", not both");
    return inputs ? read_several(inputs, &member, graph, ret_inputs, error)
                  : read_input(input, &member, GRAPH_ONLY_INPUT, graph, ret_inputs, error);
}
