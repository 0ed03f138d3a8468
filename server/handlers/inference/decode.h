/* decode.h - reading x from the body. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_DECODE_H
#define PPM_SERVER_HANDLERS_INFERENCE_DECODE_H

#include "server/handlers/inference/inference.h"

/* Inflates the body if it is compressed, decodes x unless it is there already, and measures the
 * time. */
enum http_next inference_decode(struct inference *inference);

#endif
