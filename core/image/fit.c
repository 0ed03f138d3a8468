/* fit.c - see fit.h. */
#include "core/image/fit.h"

enum { LINE_BYTES = 64 };

enum ppm_status fit_of(const struct ppm_model *model, size_t width, size_t height, size_t want_h,
                       size_t want_w, struct fit *ret_fit, struct ppm_error *error)
{
    const struct ppm_image_info *info = &model->spec.image;
    struct fit fit = {.sizes = {.inputs = {{1, 3, height, width}}, .count = 1},
                      .layout = model->spec.layout,
                      .image_h = height,
                      .image_w = width};
    if (width == 0 || height == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "found an image of %zu x %zu pixels (W x H), expected at least 1 each",
                        width, height);
    if (info->fit != PPM_FIT_OWN || info->multiple > 1)
        return ppm_fail(error, PPM_UNFIT, "this fit of images is not computed yet");
    fit.sizes.output_h = want_h ? want_h : height;
    fit.sizes.output_w = want_w ? want_w : width;
    if (ppm_shape_bytes(fit.sizes.inputs[0], &fit.x_bytes, error) != PPM_OK)
        return error->status = PPM_TOO_LARGE;
    fit.x_bytes = size_round_up(fit.x_bytes, LINE_BYTES);
    fit.bytes = fit.x_bytes;
    *ret_fit = fit;
    return PPM_OK;
}
