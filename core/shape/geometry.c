/* geometry.c - see geometry.h. Its other parts are geometry_pyramid.c and geometry_resize.c. */
#include "core/shape/geometry.h"
#include "core/shape/shapes.h"

#include <assert.h>
#include <stdlib.h>

/* A network: its inputs, and h and w of the map that the output stage reads. */
static enum ppm_status geometry_of_network(const struct graph *graph, const struct ppm_sizes *sizes,
                                           struct geometry *ret, struct ppm_error *error)
{
    struct ppm_shape *shapes = malloc(graph->count * sizeof *shapes);
    if (!shapes)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    if (shapes_of(graph, sizes, shapes, error) == PPM_OK)
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
    return geometry_of_pyramid(&spec->pyramid, input, ret, error);
}

/* The output is as large as the head's result, unless the request or the model resizes it. */
static enum ppm_status set_output(const struct spec *spec, struct geometry *geometry,
                                  struct ppm_error *error)
{
    const struct output_spec *output = &spec->output;
    const size_t wanted_h = geometry->sizes.output_h, wanted_w = geometry->sizes.output_w;
    size_t h = geometry->h, w = geometry->w, bytes;
    if (wanted_h > OUTPUT_EXTENT_MAX || wanted_w > OUTPUT_EXTENT_MAX)
        return ppm_fail(error, PPM_TOO_LARGE,
                        "found an output size of %zu x %zu pixels (H x W), expected at most %d "
                        "each",
                        wanted_h, wanted_w, OUTPUT_EXTENT_MAX);
    if (wanted_h > 0) {
        h = wanted_h;
        w = wanted_w;
    } else if (output->resizes) {
        h = output->scale ? h * output->scale : output->height;
        w = output->scale ? w * output->scale : output->width;
    }
    geometry->output = (struct ppm_shape){geometry->input.n, spec->output_channels, h, w};
    geometry->needs_resize = h != geometry->h || w != geometry->w;
    if (ppm_shape_bytes(geometry->output, &bytes, error) != PPM_OK)
        return error->status = PPM_TOO_LARGE;
    return PPM_OK;
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
    if (set_output(spec, &geometry, error) != PPM_OK)
        return error->status;
    *ret_geometry = geometry;
    return PPM_OK;
}

bool geometry_has_output(const struct spec *spec, const struct geometry *geometry)
{
    return spec->output.as != AS_VALUES || geometry->needs_resize;
}
