/* image_spec.h - what a model does with an image, as its configuration says. */
#ifndef PPM_CORE_MODEL_IMAGE_SPEC_H
#define PPM_CORE_MODEL_IMAGE_SPEC_H

#include "core/base/json_read.h"

/* Reads {"mean": [...], "std": [...], ...}, the member "image" of an input of `channels`. */
enum ppm_status image_spec_read(const json_t *image, const struct json_place *place,
                                size_t channels, struct ppm_image_info *ret_image,
                                struct ppm_error *error);

#endif
