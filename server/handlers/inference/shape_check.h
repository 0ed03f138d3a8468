/* shape_check.h - whether the model and the limits admit x. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_SHAPE_CHECK_H
#define PPM_SERVER_HANDLERS_INFERENCE_SHAPE_CHECK_H

#include "server/handlers/inference/inference.h"

/* Checks x, whose shape and layout are known, against the model, the limits and the announced
 * length of the body; sets costs and needed_bytes. */
enum http_next inference_refuse_shape(struct inference *inference, const struct ppm_tensor *x);

#endif
