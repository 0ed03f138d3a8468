/*
 * jpeg_head.h - the segments of a JPEG, without its pixels.
 */
#ifndef PPM_SERVER_IMAGE_JPEG_HEAD_H
#define PPM_SERVER_IMAGE_JPEG_HEAD_H

#include "server/image/format.h"

bool jpeg_find_size(struct image_bytes beginning, size_t *ret_width, size_t *ret_height);

/* Reads the segments before the first scan, at most 1000: the frame, and where EXIF is. */
enum ppm_status jpeg_look(struct image_bytes body, struct image_promise *ret_promise,
                          struct ppm_error *error);

/* Walks over the whole file and refuses more than JPEG_SCANS_MAX scans. libjpeg learns of a scan
 * only after it has decoded those before: a thousand of a few bytes each would keep it busy for
 * long. */
enum ppm_status jpeg_check_scans(struct image_bytes body, struct ppm_error *error);

/* The sentence about a file that is cut off. */
enum ppm_status jpeg_fail_at_end(struct image_bytes body, struct ppm_error *error);

/* Encoders write at most 12, and a few more where they search for the smallest file. */
enum { JPEG_SCANS_MAX = 100 };

#endif
