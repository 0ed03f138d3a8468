/* x_body.h - a body that holds only x. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_X_BODY_H
#define PPM_SERVER_HANDLERS_INFERENCE_X_BODY_H

#include "server/handlers/inference/inference.h"

/* Reads the shape in the head, from ?shape= or X-Tensor-Shape. A raw body needs one. */
enum http_next inference_refuse_axes(struct inference *inference);

/* The same for a raw body, and checks the shape. */
enum http_next inference_refuse_raw_shape(struct inference *inference);

/* Finds x in the whole body, in place or by decoding a little JSON. */
enum http_next inference_refuse_body(struct inference *inference);

#endif
