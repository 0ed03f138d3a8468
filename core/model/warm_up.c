/* warm_up.c - see warm_up.h. */
#include "core/model/warm_up.h"

/* A shape as in a request: its axes in the order of the model's layout. */
static enum ppm_status read_shape(const json_t *value, const struct json_place *place,
                                  enum ppm_layout layout, struct ppm_shape *ret_shape,
                                  struct ppm_error *error)
{
    size_t axes[4] = {0};
    const size_t count = json_array_size(value) <= 4 ? json_array_size(value) : 0;
    struct ppm_tensor tensor;
    struct ppm_error cause = {0};
    for (size_t i = 0; i < count; i++)
        if (json_is_size(json_array_get(value, i), UINT32_MAX))
            axes[i] = (size_t)json_integer_value(json_array_get(value, i));
    if (ppm_tensor_from_axes(axes, count, layout, &tensor, &cause) != PPM_OK)
        return json_refuse(place, value, error, "a shape that the model takes (%s)", cause.text);
    *ret_shape = tensor.shape;
    return PPM_OK;
}

/* {"c2": [1, 256, 60, 60], "c5": [1, 2048, 8, 8]}; of a single input also its shape alone. */
static enum ppm_status read_shapes(const json_t *value, const struct json_place *place,
                                   const struct spec *spec, struct ppm_sizes *sizes,
                                   struct ppm_error *error)
{
    const char *names[GRAPH_INPUTS_MAX + 1] = {NULL};
    for (size_t i = 0; i < sizes->count; i++)
        names[i] = spec->graph.nodes[i].name;
    if (!json_is_object(value))
        return json_refuse(place, value, error, "an object with a shape for each of the %zu inputs",
                           sizes->count);
    if (json_check_keys(value, place, names, error) != PPM_OK)
        return error->status;
    for (size_t i = 0; i < sizes->count; i++) {
        const struct json_place member = json_member(place, names[i]);
        if (read_shape(json_object_get(value, names[i]), &member, spec->layout, &sizes->inputs[i],
                       error) != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

enum ppm_status warm_up_read(const json_t *root, const struct json_place *place, struct spec *spec,
                             struct ppm_error *error)
{
    const json_t *list = json_object_get(root, "warm_up");
    struct json_place member = json_member(place, "warm_up");
    const size_t inputs = spec->graph.input_count;
    if (!list)
        return PPM_OK;
    if (!json_is_array(list) || json_array_size(list) > WARM_UP_MAX)
        return json_refuse(&member, list, error,
                           "a list of at most %d shapes, such as [[1, %zu, 30, 30]]", WARM_UP_MAX,
                           spec->channels);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct json_place element = json_element(&member, i);
        const json_t *value = json_array_get(list, i);
        struct ppm_sizes *sizes = &spec->warm_up[i];
        *sizes = (struct ppm_sizes){.count = inputs};
        if ((inputs > 1 || json_is_object(value)
                 ? read_shapes(value, &element, spec, sizes, error)
                 : read_shape(value, &element, spec->layout, &sizes->inputs[0], error)) != PPM_OK)
            return error->status;
    }
    spec->warm_up_count = json_array_size(list);
    return PPM_OK;
}
