/* http_request.h - a request and its response. */
#ifndef PPM_SERVER_HTTP_HTTP_REQUEST_H
#define PPM_SERVER_HTTP_HTTP_REQUEST_H

#include "server/http/http.h"

void http_drop_response(struct http_request *request); /* frees a body that was not sent */

#endif
