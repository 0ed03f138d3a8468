/* ops.h - GET /healthz, /readyz and /metrics, answered by HTTP threads even under load. */
#ifndef PPM_SERVER_HANDLERS_OPS_H
#define PPM_SERVER_HANDLERS_OPS_H

#include "server/http/http.h"

enum http_next healthz_finish(struct http_request *request);
enum http_next readyz_finish(struct http_request *request);
enum http_next metrics_finish(struct http_request *request);

#endif
