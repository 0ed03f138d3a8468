/* trace.h - W3C Trace Context. */
#ifndef PPM_SERVER_HTTP_TRACE_H
#define PPM_SERVER_HTTP_TRACE_H

#include "server/http/http.h"

/* Fills in request->trace. */
void http_read_trace(struct http_request *request);

#endif
