/* shape_check.h - whether the model and the limits admit x. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_SHAPE_CHECK_H
#define PPM_SERVER_HANDLERS_INFERENCE_SHAPE_CHECK_H

#include "server/handlers/inference/inference.h"

/* The sizes of the model's inputs and those wanted of the output. */
struct ppm_sizes inference_sizes(const struct inference *inference,
                                 const struct ppm_tensor *inputs);

/* Either all inputs have a batch axis, or none does. */
enum http_next inference_refuse_axis_counts(struct inference *inference);

/* Checks the inputs, whose shapes and layout are known, against the model, the limits and the
 * announced length of the body; sets costs and needed_bytes. */
enum http_next inference_refuse_shape(struct inference *inference, const struct ppm_tensor *inputs);

#endif
