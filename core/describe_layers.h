/* describe_layers.h - the layers of a model, a line each. */
#ifndef PPM_CORE_DESCRIBE_LAYERS_H
#define PPM_CORE_DESCRIBE_LAYERS_H

#include "core/model/model.h"

/* Lists the nodes of the model's graph in order, and of a pyramid the layers of its branches.
 * shapes: of all nodes, or NULL. ret_layers has room for them, or is NULL. Returns their number. */
size_t describe_layers(const struct ppm_model *model, const struct ppm_shape *shapes,
                       struct ppm_layer_info *ret_layers);

#endif
