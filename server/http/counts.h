/* counts.h - requests that did not get what they asked for. */
#ifndef PPM_SERVER_HTTP_COUNTS_H
#define PPM_SERVER_HTTP_COUNTS_H

#include "server/http/http.h"

/* Each tells the application. */
void http_count_refusal(const struct http_server *server, enum http_refusal why);
void http_count_abort(const struct http_server *server, enum http_abort why, enum http_stage stage);

#endif
