/* body_check.h - bodies that are refused, before they come and once they are there. */
#ifndef PPM_SERVER_HTTP_BODY_CHECK_H
#define PPM_SERVER_HTTP_BODY_CHECK_H

#include "server/http/http.h"

/* Refuses a body by the length in its head: one longer than http_body_bytes_max; and, once its
 * handler takes it, one that the budget could not hold now. Nothing is reserved before bytes come:
 * this only spares a client from sending what would be refused. */
enum http_next http_check_length(struct http_request *request);
enum http_next http_check_claim(struct http_request *request);

/* At its end: refuses a body that could not be kept, or inflated. Small bodies are inflated here
 * and now, and so are all bodies of a route that takes only small ones. */
enum http_next http_check_body(struct http_request *request);

#endif
