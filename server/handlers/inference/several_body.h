/* several_body.h - POST /ppm to a model of several inputs: one safetensors file holds them all. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_SEVERAL_BODY_H
#define PPM_SERVER_HANDLERS_INFERENCE_SEVERAL_BODY_H

#include "server/handlers/inference/inference.h"

/* Checks that the head promises such a file: its type, and neither a shape nor a dtype. */
enum http_next several_refuse_head(struct inference *inference);

/* inference_protocol.look and decode. */
enum http_next several_look(struct inference *inference);
enum http_next several_decode(struct inference *inference);

#endif
