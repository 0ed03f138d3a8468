/* normalize.h - pixels to x. */
#ifndef PPM_CORE_IMAGE_NORMALIZE_H
#define PPM_CORE_IMAGE_NORMALIZE_H

#include "core/base/cancel.h"

/* x[c][pixel] for each channel of x and each level of a pixel: three subtractions and divisions of
 * float32 for each of 256 levels, as PyTorch rounds them, instead of three for each pixel. */
struct levels {
    float x[3][256];
    size_t from[3]; /* the channel of a pixel that channel c of x is */
};
void levels_of(const struct ppm_image_info *info, struct levels *ret_levels);

/* x = the levels of a row of `width` pixels, then zeros up to `padded` pixels. The channels of a
 * pixel are `apart` floats from each other, the pixels `step`. */
struct levels_row {
    size_t width, padded, apart, step;
};
void normalize_row(const struct levels *levels, const uint8_t *pixels, const struct levels_row *row,
                   float *ret_x);

#endif
