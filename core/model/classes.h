/* classes.h - the names and colors of a model's classes. */
#ifndef PPM_CORE_MODEL_CLASSES_H
#define PPM_CORE_MODEL_CLASSES_H

#include "core/model/output.h"

enum { CLASS_NAME_BYTES = 128 };

struct classes {
    struct ppm_class_info *list; /* owned; the names are in the same memory */
    size_t count;                /* 0: the model has none */
};

/* Reads the member "classes" of a model: one for each label of the output, or, without labels,
 * for each of its channels. Their colors become the palette of an output that has none of its own;
 * those without a color get the palette's. */
enum ppm_status classes_read(const json_t *root, const struct json_place *place,
                             struct output_spec *output, struct classes *ret_classes,
                             struct ppm_error *error);
void classes_release(struct classes *classes);

#endif
