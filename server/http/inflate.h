/* inflate.h - a body that comes compressed. */
#ifndef PPM_SERVER_HTTP_INFLATE_H
#define PPM_SERVER_HTTP_INFLATE_H

#include "server/http/coding.h"

/* Looks at Content-Encoding: prepares to inflate the body, or refuses it. */
enum http_next http_check_coding(struct http_request *request);

/* The body comes compressed, and is kept that way for now. False: no memory. */
bool http_expect_compressed(struct http_request *request, enum http_coding coding);
void http_free_inflater(struct http_request *request);

#endif
