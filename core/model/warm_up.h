/* warm_up.h - the sizes that a model is computed for before it is asked. */
#ifndef PPM_CORE_MODEL_WARM_UP_H
#define PPM_CORE_MODEL_WARM_UP_H

#include "core/model/spec.h"

/* Reads the member "warm_up" into a spec whose graph has its inputs: a list of shapes, or of
 * objects with a shape for each of several inputs. */
enum ppm_status warm_up_read(const json_t *root, const struct json_place *place, struct spec *spec,
                             struct ppm_error *error);

#endif
