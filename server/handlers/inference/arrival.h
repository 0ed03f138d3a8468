/*
 * arrival.h - x is pooled while it arrives. In NCHW it comes channel by channel, and a channel that
 * has just come is in a cache.
 *
 * The HTTP thread does this between begin and finish, a few channels for each piece of a body. It
 * takes about 0.1 us per KiB, so it keeps up with the network.
 */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_ARRIVAL_H
#define PPM_SERVER_HANDLERS_INFERENCE_ARRIVAL_H

#include "server/handlers/inference/inference.h"

/* x will be float32 values, aligned, from byte offset of the body on: pools it as it arrives if
 * that pays. Called once. */
void inference_expect_x(struct inference *inference, const struct ppm_tensor *x, size_t offset);

/* Pools some of what has arrived since the last call. */
void inference_pool_arrived(struct inference *inference);

/* Frees the pooling. */
void inference_forget_arrival(struct inference *inference);

#endif
