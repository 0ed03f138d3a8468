/*
 * expectation.c - see expectation.h.
 */
#include "server/codec/expectation.h"

#include "server/codec/axes.h"

#include <string.h>

enum ppm_status codec_check_channels(const struct ppm_tensor *tensor,
                                     const struct codec_expectation *expectation,
                                     struct ppm_error *error)
{
    if (tensor->shape.c == expectation->channels)
        return PPM_OK;

    size_t axes[4];
    const size_t axis_count = ppm_tensor_axes(tensor, axes);
    const bool is_nchw = tensor->layout == PPM_NCHW;
    const size_t other_channels = axes[is_nchw ? axis_count - 1 : axis_count - 3];
    const char *hint = "";
    if (other_channels == expectation->channels)
        hint = is_nchw ? "; with layout=NHWC it fits" : "; with layout=NCHW it fits";
    char shape[CODEC_AXES_TEXT_BYTES];
    return ppm_fail(error, PPM_UNFIT,
                    "the tensor%s%.80s has %zu channel%s (%s as %s), model \"%s\" takes %zu%s",
                    expectation->input ? " " : "", expectation->input ? expectation->input : "",
                    tensor->shape.c, tensor->shape.c == 1 ? "" : "s",
                    codec_axes_text(axes, axis_count, shape), ppm_layout_name(tensor->layout),
                    expectation->model, expectation->channels, hint);
}

enum ppm_status codec_check_axes(const size_t *axes, size_t axis_count,
                                 const struct codec_expectation *expectation,
                                 struct ppm_error *error)
{
    char body[CODEC_AXES_TEXT_BYTES], head[CODEC_AXES_TEXT_BYTES];
    if (!expectation->axes || axis_count == 0 ||
        (axis_count == expectation->axis_count &&
         memcmp(axes, expectation->axes, axis_count * sizeof *axes) == 0))
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED,
                    "shape: found %s in the body and %s in the query or header, expected them to "
                    "agree",
                    codec_axes_text(axes, axis_count, body),
                    codec_axes_text(expectation->axes, expectation->axis_count, head));
}

enum ppm_status codec_take_fitting(struct ppm_tensor *tensor, const void *room,
                                   const struct codec_expectation *expectation,
                                   struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    if (codec_check_channels(tensor, expectation, error) == PPM_OK)
        *ret_tensor = *tensor;
    else if (tensor->data != room)
        ppm_tensor_free(tensor);
    return error->status;
}

enum ppm_status codec_make_room(struct ppm_tensor *tensor, void *room, struct ppm_error *error)
{
    tensor->data = room;
    return room ? PPM_OK : ppm_tensor_allocate(tensor, error);
}
