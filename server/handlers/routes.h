/* routes.h - the table of routes. */
#ifndef PPM_SERVER_HANDLERS_ROUTES_H
#define PPM_SERVER_HANDLERS_ROUTES_H

#include "server/http/http.h"

/* Ends with a route without a pattern. The context of http_start is a struct app. */
extern const struct http_route handlers_routes[];

#endif
