/*
 * live_image.h - a server of the model street, and a JPEG for it with the labels of /ppm.
 */
#ifndef PPM_TESTS_LIVE_IMAGE_H
#define PPM_TESTS_LIVE_IMAGE_H

#include "tests/live_support.h"

#include <stdint.h>

enum { LIVE_IMAGE_H = 192, LIVE_IMAGE_W = 256 };

struct live_image {
    char *jpeg, *base64; /* base64: a string */
    size_t bytes;
    int32_t *labels; /* row by row */
    size_t label_count;
};

struct live_image live_image_start(struct live *ret);

/* Fails the test unless the server still serves, and has no memory in flight. */
void live_image_stop(struct live *live, struct live_image *image);

#endif
