/* image_head.h - what the head of a request with an image asks for. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_IMAGE_HEAD_H
#define PPM_SERVER_HANDLERS_INFERENCE_IMAGE_HEAD_H

#include "server/handlers/inference/inference.h"

/* Refuses a model that takes no images. */
enum http_next image_refuse_model(struct inference *inference);

/* Creates inference->image, checks that the model takes images, and reads from the query and Accept
 * what the answer shall be. */
enum http_next image_read_head(struct inference *inference);

#endif
