/* abandon.h - inferences that nobody waits for any more. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_ABANDON_H
#define PPM_SERVER_HANDLERS_INFERENCE_ABANDON_H

#include "server/handlers/inference/inference.h"
#include "server/observe/metrics.h"

/* Whether the client of this job is gone, or its deadline past. */
bool inference_is_stale(const struct executor_job *job);

/* Whether that is so for all inferences of a batch. Whatever takes long calls this now and then; it
 * looks every 5 ms. Once true, it stays true. Any thread. */
bool inference_is_abandoned(void *batch);

/* Answers 504 or, to a client that is gone, 499. stage says how far the inference came. */
void inference_give_up(struct inference *inference, enum metrics_stage stage);

#endif
