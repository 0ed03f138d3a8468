/* v1_models.h - the models as clients of TensorFlow Serving and KServe ask for them. */
#ifndef PPM_SERVER_HANDLERS_V1_V1_MODELS_H
#define PPM_SERVER_HANDLERS_V1_V1_MODELS_H

#include "server/http/http.h"

/* Each is a route->finish. */
enum http_next v1_models_finish(struct http_request *request);
enum http_next v1_model_finish(struct http_request *request);

#endif
