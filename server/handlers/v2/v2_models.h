/* v2_models.h - the server and its models as the Open Inference Protocol v2 describes them, in the
 * formats of KServe and Triton. */
#ifndef PPM_SERVER_HANDLERS_V2_V2_MODELS_H
#define PPM_SERVER_HANDLERS_V2_V2_MODELS_H

#include "server/http/http.h"

/* Each is a route->finish. */
enum http_next v2_server_finish(struct http_request *request);
enum http_next v2_live_finish(struct http_request *request);
enum http_next v2_ready_finish(struct http_request *request);
enum http_next v2_model_finish(struct http_request *request);
enum http_next v2_model_ready_finish(struct http_request *request);
enum http_next v2_model_config_finish(struct http_request *request);
enum http_next v2_index_finish(struct http_request *request);

struct json_t;

/* Makes the answer for a model. NULL: no memory. */
typedef struct json_t *v2_describe_model(const struct ppm_model_info *info);

/* Answers with that for the model and version in the path. */
enum http_next v2_respond_model(struct http_request *request, v2_describe_model *describe);

#endif
