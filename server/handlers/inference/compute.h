/* compute.h - body -> x -> y -> response, for one request or a batch of like ones. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_COMPUTE_H
#define PPM_SERVER_HANDLERS_INFERENCE_COMPUTE_H

#include "server/handlers/inference/inference.h"

/* What the executor does with an inference. */
extern const struct executor_kind inference_kind;

/* Computes it on this thread alone, and fills in the response. */
void inference_run(struct inference *inference);

#endif
