/* fit.h - how an image of a size becomes the x of a model. */
#ifndef PPM_CORE_IMAGE_FIT_H
#define PPM_CORE_IMAGE_FIT_H

#include "core/model/model.h"

struct fit {
    struct ppm_sizes sizes;  /* of a run; its input is x */
    enum ppm_layout layout;  /* of x */
    size_t image_h, image_w; /* as it comes */
    size_t x_bytes;          /* rounded up to a cache line */
    size_t bytes;            /* of all memory besides what a run takes */
};

/* Of an image for a model that takes some. want_h, want_w: as for ppm_image_costs. PPM_MALFORMED if
 * it has no pixels, PPM_TOO_LARGE if x overflows memory. */
enum ppm_status fit_of(const struct ppm_model *model, size_t width, size_t height, size_t want_h,
                       size_t want_w, struct fit *ret_fit, struct ppm_error *error);

#endif
