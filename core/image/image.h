/*
 * image.h - images as inputs of a model: ppm.h includes it.
 *
 *     struct ppm_image image = {pixels, 640, 480};        // decoded by the caller
 *     if (ppm_image_run(model, &image, NULL, &y, &error) != PPM_OK)
 *         fprintf(stderr, "%s\n", error.text);
 *
 * What a model takes is in its JSON, "input.image" (docs/models.md). The answer has the image's own
 * size, or the one that is asked for:
 *
 *     x = (pixel - mean) / std     of channel c, in float32, with pixel from 0 to 255
 *     y = output(stretch(logits))  before argmax, softmax or sigmoid
 *
 * With the fit "own", x has the image's size, and zeros at its right and bottom up to a multiple;
 * what belongs to them is cut off from the answer. With "resize" the image is resized first, to the
 * byte as Pillow's Image.resize(size, BILINEAR) does it. With "tiles" x is a part of the image, one
 * after the other, the last of a row or column shifted back to the border; softmax or sigmoid of
 * each is averaged where they overlap, and stretched if another size is asked for. An image of at
 * most one tile is padded to it, as above.
 */
#ifndef PPM_CORE_IMAGE_IMAGE_H
#define PPM_CORE_IMAGE_IMAGE_H

#include "core/ppm.h"

#pragma GCC visibility push(default) /* as in ppm.h */

#ifdef __cplusplus
extern "C" {
#endif

/* pixels[(y * width + x) * 3 + c]: red, green, blue. Owned by whoever made it. */
struct ppm_image {
    uint8_t *pixels;
    size_t width, height;
};

enum ppm_image_fit { PPM_FIT_OWN, PPM_FIT_RESIZE, PPM_FIT_TILES };

/* What a model does with an image before it computes. */
struct ppm_image_info {
    float mean[3], std[3]; /* of x's channels, in their order */
    bool is_bgr;           /* x's channels are blue, green, red; otherwise red, green, blue */
    enum ppm_image_fit fit;
    size_t size_h, size_w;       /* "resize": of x; 0, 0: by longest_side. "tiles": of each */
    size_t longest_side;         /* "resize": of x, whose other side keeps the aspect ratio; or 0 */
    size_t multiple;             /* H and W of x are padded to it; at least 1 */
    size_t overlap_h, overlap_w; /* "tiles": at least that many pixels are in two of them */
};

/* What one image takes. */
struct ppm_image_costs {
    size_t runs;             /* of the network: 1, or the number of tiles */
    struct ppm_sizes sizes;  /* of each, for ppm_plan_create */
    struct ppm_costs run;    /* of each */
    struct ppm_shape output; /* of the answer */
    size_t output_bytes;     /* of the answer: ret_y->data */
    size_t plan_bytes;       /* of ppm_run_options.plan, made for `sizes`; 0: a run uses none */
    size_t scratch_bytes;    /* of ppm_run_options.scratch: x, what a run takes, and what resizing
                              * or the average of tiles takes */
    size_t working_bytes;    /* the three together: all that ppm_image_run allocates. The image
                              * itself is the caller's */
    double one_thread_us;    /* rough time of all runs, as ppm_costs has it */
};

/* Checks an image of that size against the model, and tells what it takes on up to `threads`
 * threads. want_h, want_w: the size of the answer; 0, 0: the image's own.
 * PPM_UNFIT, which says why, for a model that takes no images (ppm_model_info.takes_images) or a
 * size that the network does not take; PPM_MALFORMED for an image without pixels; PPM_TOO_LARGE if
 * the answer or x overflows memory. Any thread may call. */
enum ppm_status ppm_image_costs(const struct ppm_model *model, size_t width, size_t height,
                                size_t want_h, size_t want_w, int threads,
                                struct ppm_image_costs *ret_costs, struct ppm_error *error);

/* y = the model's answer to an image, without the N axis, in the model's layout.
 * options and ret_y are those of ppm_run: output_h and output_w are the size that is wanted; a plan
 * is for ppm_image_costs.sizes; scratch of ppm_image_costs.scratch_bytes is enough; ret_y->data is
 * NULL or memory of output_bytes. With the three, nothing is allocated. Pooling must be NULL;
 * times are those of all runs, step times of the last one; intermediate results are an image's of
 * one run. PPM_UNFIT and PPM_TOO_LARGE as for ppm_image_costs, PPM_NO_MEMORY, PPM_CANCELLED. */
enum ppm_status ppm_image_run(const struct ppm_model *model, const struct ppm_image *image,
                              const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                              struct ppm_error *error);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif
