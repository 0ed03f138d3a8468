/* geometry.c - see geometry.h. Its other parts are geometry_pyramid.c and geometry_resize.c. */
#include "core/shape/geometry.h"
#include "core/shape/output_shape.h"
#include "core/shape/shapes.h"

#include <assert.h>
#include <stdlib.h>

/* A network: its inputs, and h and w of the map that the output stage reads. */
static enum ppm_status geometry_of_network(const struct graph *graph, const struct ppm_sizes *sizes,
                                           struct geometry *ret, struct ppm_error *error)
{
    struct ppm_shape *shapes = shapes_create(graph, sizes, error);
    if (!shapes)
        return error->status;
    *ret = (struct geometry){
        .input = sizes->inputs[0], .h = shapes[graph->output].h, .w = shapes[graph->output].w};
    free(shapes);
    return error->status;
}

/* A model of one pyramid. */
static enum ppm_status geometry_of_input(const struct spec *spec, struct ppm_shape input,
                                         struct geometry *ret, struct ppm_error *error)
{
    size_t bytes;
    if (ppm_shape_bytes(input, &bytes, error) != PPM_OK)
        return error->status;
    if (input.c != spec->channels)
        return ppm_fail(error, PPM_UNFIT, "found %zu channel%s, expected the model's %zu", input.c,
                        ppm_plural(input.c), spec->channels);
    if (input.h > UINT32_MAX || input.w > UINT32_MAX)
        return ppm_fail(error, PPM_TOO_LARGE, "found an input of %zu x %zu pixels", input.h,
                        input.w);
    return geometry_of_pyramid(spec->pyramid, input, ret, error);
}

enum ppm_status geometry_of(const struct spec *spec, const struct ppm_sizes *sizes,
                            struct geometry *ret_geometry, struct ppm_error *error)
{
    const struct ppm_shape input = sizes->inputs[0];
    struct geometry geometry;
    if ((spec->is_network ? geometry_of_network(&spec->graph, sizes, &geometry, error)
                          : geometry_of_input(spec, input, &geometry, error)) != PPM_OK)
        return error->status;
    geometry.sizes = *sizes;
    if (output_shape_of(&spec->output, sizes, input.n, geometry.h, geometry.w, &geometry.output,
                        error) != PPM_OK)
        return error->status;
    geometry.needs_resize =
        geometry.output.h != geometry.h || geometry.output.w != geometry.w || output_is_cut(sizes);
    geometry.as = sizes->is_soft && spec->output.as == AS_ARGMAX ? AS_SOFTMAX : spec->output.as;
    geometry.has_threshold = !sizes->is_soft && spec->output.has_threshold;
    geometry.dtype = sizes->is_soft ? PPM_FLOAT32 : output_dtype(&spec->output);
    *ret_geometry = geometry;
    return PPM_OK;
}

bool geometry_has_output(const struct geometry *geometry)
{
    return geometry->as != AS_VALUES || geometry->needs_resize;
}
