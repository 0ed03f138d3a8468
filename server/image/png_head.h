/*
 * png_head.h - the chunks of a PNG, without its pixels.
 */
#ifndef PPM_SERVER_IMAGE_PNG_HEAD_H
#define PPM_SERVER_IMAGE_PNG_HEAD_H

#include "server/image/format.h"

bool png_find_size(struct image_bytes beginning, size_t *ret_width, size_t *ret_height);

/* Reads the head and finds EXIF, among at most 100,000 chunks. */
enum ppm_status png_look(struct image_bytes body, struct image_promise *ret_promise,
                         struct ppm_error *error);

/* The sentence about a file that is cut off. */
enum ppm_status png_fail_at_end(struct image_bytes body, struct ppm_error *error);

#endif
