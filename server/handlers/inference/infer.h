/* infer.h - POST /ppm and POST /ppm/{model}: a tensor in, a tensor out. */
#ifndef PPM_SERVER_HANDLERS_INFERENCE_INFER_H
#define PPM_SERVER_HANDLERS_INFERENCE_INFER_H

#include "server/http/http.h"

/* Checks all that the head says, before a byte of the body is read. */
enum http_next infer_begin(struct http_request *request);

/* Starts on the part of the body that has come, and refuses what will not be computed. */
enum http_next infer_arrived(struct http_request *request);

#endif
