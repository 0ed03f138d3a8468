/* openapi.h - GET /openapi.json: the routes, for other tools. */
#ifndef PPM_SERVER_HANDLERS_OPENAPI_H
#define PPM_SERVER_HANDLERS_OPENAPI_H

#include "server/http/http.h"

enum http_next openapi_finish(struct http_request *request);

/* openapi.json with the version of this program; the caller frees it. NULL: no memory. */
char *openapi_text(size_t *ret_bytes);

#endif
