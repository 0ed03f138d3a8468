/* output_shape.c - see output_shape.h. */
#include "core/shape/output_shape.h"

/* One side, which is `extent` before it is resized. */
static size_t own_side(const struct output_spec *output, size_t extent, size_t given, size_t input)
{
    switch (output->size) {
    case SIZE_AS_COMPUTED:
        return extent;
    case SIZE_SCALED:
        return size_times(extent, output->scale);
    case SIZE_TRIMMED:
        return size_plus(size_times(extent - 1, output->scale), 1);
    case SIZE_GIVEN:
        return given;
    case SIZE_OF_INPUT:
        return input;
    }
    return extent;
}

bool output_is_cut(const struct ppm_sizes *sizes)
{
    const struct ppm_shape *x = &sizes->inputs[0];
    return sizes->image_h > 0 && (sizes->image_h != x->h || sizes->image_w != x->w);
}

enum ppm_status output_shape_of(const struct output_spec *output, const struct ppm_sizes *sizes,
                                size_t n, size_t h, size_t w, struct ppm_shape *ret_shape,
                                struct ppm_error *error)
{
    const struct ppm_shape input = sizes->inputs[0];
    const bool is_wanted = sizes->output_h > 0;
    size_t bytes;
    if (is_wanted && (sizes->output_h > OUTPUT_EXTENT_MAX || sizes->output_w > OUTPUT_EXTENT_MAX))
        return ppm_fail(error, PPM_TOO_LARGE,
                        "found an output size of %zu x %zu pixels (H x W), expected at most %d "
                        "each",
                        sizes->output_h, sizes->output_w, OUTPUT_EXTENT_MAX);
    const struct ppm_shape shape = {
        n, sizes->is_soft && output->as == AS_ARGMAX ? output->classes : output->channels,
        is_wanted ? sizes->output_h : own_side(output, h, output->height, input.h),
        is_wanted ? sizes->output_w : own_side(output, w, output->width, input.w)};
    if (ppm_shape_bytes(shape, &bytes, error) != PPM_OK)
        return error->status = PPM_TOO_LARGE;
    *ret_shape = shape;
    return PPM_OK;
}
