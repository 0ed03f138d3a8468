/* fields.h - headers and parameters by name. */
#ifndef PPM_SERVER_HTTP_FIELDS_H
#define PPM_SERVER_HTTP_FIELDS_H

#include "server/http/http.h"

/* Refuses a header or a query parameter that looks like a mistyped one, or that appears twice. */
enum http_next http_check_fields(struct http_request *request);

#endif
