/* guard.h - heads that two readers could understand differently. */
#ifndef PPM_SERVER_HTTP_GUARD_H
#define PPM_SERVER_HTTP_GUARD_H

#include "server/http/http.h"

/* Refuses a head that is ambiguous or not HTTP. method and version are the library's own pointers,
 * raw_target is a copy. */
enum http_next http_guard(struct http_request *request, const char *method, const char *raw_target,
                          const char *version);

#endif
