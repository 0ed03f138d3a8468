/*
 * json_shape.c - see json_shape.h.
 */
#include "server/codec/json/json_shape.h"

#include "server/codec/axes.h"

#include <string.h>

size_t codec_json_shape_count(const struct codec_json_frame *frame, const char *body)
{
    const char *at = body + frame->shape_at, *const end = body + frame->data_start;
    size_t count = 1, extent;
    char mark;
    if (frame->shape_at == 0)
        return 0;
    do {
        while (at < end && (codec_json_is_space(*at) || *at == '['))
            at++;
        if (!codec_read_size(&at, end, &extent) || __builtin_mul_overflow(count, extent, &count))
            return 0;
        while (at < end && codec_json_is_space(*at))
            at++;
        mark = at < end ? *at++ : '\0';
    } while (mark == ',');
    return mark == ']' ? count : 0;
}

enum ppm_status codec_json_check_shape(const struct codec_json_array *array, const size_t *axes,
                                       size_t axis_count, size_t count, struct ppm_error *error)
{
    char shape[CODEC_AXES_TEXT_BYTES], nesting[CODEC_AXES_TEXT_BYTES];
    codec_axes_text(axes, axis_count, shape);
    if (array->depth == 1 && array->count != count)
        return ppm_fail(error, PPM_MALFORMED, "data holds %zu number%s, expected %zu for shape %s",
                        array->count, array->count == 1 ? "" : "s", count, shape);
    if (array->depth > 1 && (array->depth != axis_count ||
                             memcmp(array->extents, axes, axis_count * sizeof axes[0]) != 0))
        return ppm_fail(error, PPM_MALFORMED, "data is nested as %s, expected %s, the shape",
                        codec_axes_text(array->extents, array->depth, nesting), shape);
    return PPM_OK;
}

enum ppm_status codec_json_take_shape(const struct codec_json_array *array, enum ppm_layout layout,
                                      struct ppm_tensor *tensor, struct ppm_error *error)
{
    if (array->depth == 1)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape is missing and data is flat (%zu number%s), expected a member "
                        "\"shape\": [1, 4, 30, 30]",
                        array->count, ppm_plural(array->count));
    if (array->depth == 2)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape is missing and data is nested 2 deep, expected 3 or 4");
    return ppm_tensor_from_axes(array->extents, array->depth, layout, tensor, error);
}
