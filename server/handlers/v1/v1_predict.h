/* v1_predict.h - POST /v1/models/{model}:predict: instances in and predictions out, as clients of
 * TensorFlow Serving and KServe have it. */
#ifndef PPM_SERVER_HANDLERS_V1_V1_PREDICT_H
#define PPM_SERVER_HANDLERS_V1_V1_PREDICT_H

#include "server/http/http.h"

enum http_next v1_predict_begin(struct http_request *request);
enum http_next v1_predict_arrived(struct http_request *request);

#endif
