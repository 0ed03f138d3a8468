/* submit.h - a request whose body is complete is computed at once or queued. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_SUBMIT_H
#define PPM_SERVER_HANDLERS_INFERENCE_SUBMIT_H

#include "server/handlers/inference/inference.h"

/* Reads ?priority=, which says when a request is computed whose body cannot be read before that. */
enum http_next inference_read_priority(struct inference *inference);

/* Refuses a request if it needs the queue and that is full, so that its body need not be read.
 * Reserves no place: places are for requests whose body is complete. */
enum http_next inference_refuse_full_queue(struct inference *inference);

/* Computes the inference on this thread or queues it; for route->finish. */
enum http_next inference_finish(struct http_request *request);

#endif
