/* images.h - images for several tests. All of these fail the running test on system errors. */
#ifndef PPM_TESTS_IMAGES_H
#define PPM_TESTS_IMAGES_H

#include "core/ppm.h"

/* Of pixels that are random, but always the same. The caller frees image.pixels. */
struct ppm_image images_random(size_t width, size_t height);

/* A file "P6 WIDTH HEIGHT 255" and its bytes. The caller frees image.pixels. */
struct ppm_image images_load_ppm(const char *path);

#endif
