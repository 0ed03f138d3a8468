/* error_body.h - the body of an error, without a response around it. */
#ifndef PPM_SERVER_HTTP_ERROR_BODY_H
#define PPM_SERVER_HTTP_ERROR_BODY_H

#include "server/http/http.h"

const char *http_reason(unsigned status); /* "Not Found" */

/* The application's form for a path, or problem details. */
const struct http_error_form *http_error_form(const struct http_server *server, const char *path);

#endif
