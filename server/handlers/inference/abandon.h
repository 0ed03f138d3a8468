/* abandon.h - inferences that nobody waits for any more. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_ABANDON_H
#define PPM_SERVER_HANDLERS_INFERENCE_ABANDON_H

#include "server/handlers/inference/inference.h"
#include "server/observe/metrics.h"

/* Whether the client of this job is gone, or its deadline past. */
bool inference_is_stale(const struct executor_job *job);

/* Whether all inferences of a batch are stale. Long work calls this often; it checks every 5 ms.
 * Once true, it stays true. Any thread. */
bool inference_is_abandoned(void *batch);

/* Answers 504, or 499 if the client is gone, and counts that. stage: where the inference is. */
void inference_give_up(struct inference *inference, enum metrics_stage stage);

#endif
