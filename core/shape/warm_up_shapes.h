/* warm_up_shapes.h - the shapes that a model asks to be warmed up for. */
#ifndef PPM_CORE_SHAPE_WARM_UP_SHAPES_H
#define PPM_CORE_SHAPE_WARM_UP_SHAPES_H

#include "core/model/spec.h"

/* Checks that the model, whose configuration is at path, takes each of them. */
enum ppm_status warm_up_shapes_check(const struct spec *spec, const char *path,
                                     struct ppm_error *error);

#endif
