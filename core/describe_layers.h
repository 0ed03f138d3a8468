/* describe_layers.h - the layers of a model, a line each. */
#ifndef PPM_CORE_DESCRIBE_LAYERS_H
#define PPM_CORE_DESCRIBE_LAYERS_H

#include "core/layer_text.h"
#include "core/model/model.h"

/* How many lines describe_layers fills in. No text is made: each request asks (ppm_model_info). */
size_t describe_count(const struct ppm_model *model);

/* Lists the nodes of the model's graph in order, and of a pyramid the layers of its branches.
 * shapes: of all nodes, or NULL. */
void describe_layers(const struct ppm_model *model, const struct ppm_shape *shapes,
                     struct ppm_layer_info *ret_layers);

/* A node of a network by its entry's name or place, and its weights: "stem",
 * "network[3] layer1.0.conv1". */
void describe_where(const struct node *node, struct text *text);

#endif
