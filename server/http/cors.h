/* cors.h - pages of other origins. */
#ifndef PPM_SERVER_HTTP_CORS_H
#define PPM_SERVER_HTTP_CORS_H

#include "server/http/http.h"

#include <microhttpd.h>

/* Whether cors_origins has the origin. */
bool http_is_allowed_origin(const struct http_request *request, const char *origin);

/* Answers a browser that asks whether a page may send a request. */
enum http_next http_answer_preflight(struct http_request *request);

/* Tells the browser whether the page may read the answer. False: no memory. */
bool http_add_cors(const struct http_request *request, struct MHD_Response *response);

#endif
