/* service.h - a running server: its parts, from start to stop. */
#ifndef PPM_SERVER_SERVICE_SERVICE_H
#define PPM_SERVER_SERVICE_SERVICE_H

#include "server/handlers/app.h"
#include "server/http/http.h"

/* What the main thread owns. */
struct service {
    struct app app; /* the handlers' context */
    struct reloader *reloader;
    struct http_server *http;
    double leaving_s; /* when the signal to stop came, monotonic */
};

#endif
