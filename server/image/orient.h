/*
 * orient.h - where stored pixels are shown, by EXIF's orientation.
 */
#ifndef PPM_SERVER_IMAGE_ORIENT_H
#define PPM_SERVER_IMAGE_ORIENT_H

#include "server/image/image.h"

enum { ORIENT_UPRIGHT = 1, ORIENT_MAX = 8 };

struct image_target {
    uint8_t *origin;          /* of the stored pixel (0, 0) */
    ptrdiff_t step_x, step_y; /* to the next stored pixel, in bytes */
    size_t width, height;     /* as stored */
};

/* Whether rows as stored are columns as shown. */
bool orient_is_transposed(int orientation);

/* image has the size as shown. */
struct image_target orient_target(const struct ppm_image *image, int orientation);

/* Puts count pixels of the stored row y into place: at x, x + step, ... */
void orient_put(const struct image_target *target, size_t y, size_t x, size_t step,
                const uint8_t *pixels, size_t count);

#endif
