/* image_x.h - x of an image, or of a tile of it. */
#ifndef PPM_CORE_IMAGE_IMAGE_X_H
#define PPM_CORE_IMAGE_IMAGE_X_H

#include "core/image/fit.h"
#include "core/image/normalize.h"

/* fit->x of the whole image, resized if the fit says so. */
void image_x_whole(const struct fit *fit, const struct levels *levels,
                   const struct ppm_image *image, const struct run *run);

/* fit->x of tile k of row i. */
void image_x_tile(const struct fit *fit, const struct levels *levels, const struct ppm_image *image,
                  size_t i, size_t k, const struct run *run);

/* Once before image_x_whole: what resizing reads. */
void image_x_begin(struct fit *fit, const struct run *run);

#endif
