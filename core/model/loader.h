/* loader.h - reads the weights of a layer. */
#ifndef PPM_CORE_MODEL_LOADER_H
#define PPM_CORE_MODEL_LOADER_H

#include "core/model/model.h"

/* State shared by the readers of a model's layers. */
struct loader {
    struct ppm_model *model;
    struct weights_source *source;
    const char *path; /* of the configuration */
    const struct ppm_progress *progress;
    size_t layers_total, layers_done;
    struct ppm_error *error;
};

/* Reads the weights of a layer of the model, neither input nor pyramid, and packs those of a conv.
 * Errors are in loader->error. */
void load_layer(struct loader *loader, struct layer *layer);

#endif
