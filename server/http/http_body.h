/* http_body.h - a request's body, in one piece of memory that grows as it arrives. */
#ifndef PPM_SERVER_HTTP_HTTP_BODY_H
#define PPM_SERVER_HTTP_HTTP_BODY_H

#include "server/http/http.h"

/* The largest body that this request may have, by its route and the settings. */
size_t http_body_bytes_max(const struct http_request *request);

/* Makes room for more bytes, within http_body_bytes_max. False: memory or the budget lacks them. */
bool http_grow_body(struct http_request *request, size_t bytes);

/* Keeps a piece of the body. A refusal cannot be sent in the middle of a body: it is left in
 * request->body_refusal, and the rest is discarded for as long as a body may take. */
void http_take_body(struct http_request *request, const char *piece, size_t bytes);

#endif
