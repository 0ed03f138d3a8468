/*
 * look_ahead.h - the size of a picture of which only the beginning has come.
 */
#ifndef PPM_SERVER_IMAGE_LOOK_AHEAD_H
#define PPM_SERVER_IMAGE_LOOK_AHEAD_H

#include "server/image/image.h"

/* PPM_TOO_LARGE if the first bytes of a JPEG or PNG promise more than limits->pixels_max pixels, in
 * the sentence of image_look; PPM_OK if they promise fewer, or do not tell. At most 1000 segments
 * of a JPEG are looked at: microseconds. Allocates nothing; any thread may call. */
enum ppm_status image_look_ahead(const char *body, size_t bytes, const struct image_limits *limits,
                                 struct ppm_error *error);

#endif
