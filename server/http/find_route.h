/* find_route.h - the route for a request. */
#ifndef PPM_SERVER_HTTP_FIND_ROUTE_H
#define PPM_SERVER_HTTP_FIND_ROUTE_H

#include "server/http/http.h"

enum { HTTP_ALLOW_BYTES = 64 };

/* The route for method and path, its {arguments} in ret_arguments. NULL: none; then *ret_allow
 * lists the methods that the path takes, or is empty where no route has the path. */
const struct http_route *http_find_route(const struct http_route *routes, const char *method,
                                         const char *path, http_argument *ret_arguments,
                                         char *ret_allow);

#endif
