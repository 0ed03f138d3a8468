/* tensor_body.h - POST /ppm with a body that is a tensor, or one for each input. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_TENSOR_BODY_H
#define PPM_SERVER_HANDLERS_INFERENCE_TENSOR_BODY_H

#include "server/handlers/inference/inference.h"

/* Checks all that the head says, once inference->form is known, and sets the protocol. */
enum http_next tensor_begin(struct inference *inference);

/* inference_protocol.respond: a tensor in answer_form. */
void tensor_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads);

#endif
