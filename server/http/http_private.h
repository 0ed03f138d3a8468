/* http_private.h - what the files of server/http/ share. */
#ifndef PPM_SERVER_HTTP_HTTP_PRIVATE_H
#define PPM_SERVER_HTTP_HTTP_PRIVATE_H

#include "server/http/http.h"

#include <microhttpd.h>

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    atomic_int listener; /* -1 once it is shut */
    char address[1100];
    atomic_size_t in_flight;
    atomic_size_t bytes_in_flight;
};

/* ---- http_request.c ---- */

double http_now_s(void); /* monotonic */

/* ---- listen.c ---- */

/* A listening socket for host and port, or -1. *ret_address is what clients are told. */
int http_listen(const char *host, size_t port, char *ret_address, size_t address_bytes,
                struct ppm_error *error);

/* ---- routes.c ---- */

enum { HTTP_ALLOW_BYTES = 64 };

/* The route for method and path, its {argument} in ret_argument. NULL: none; then *ret_allow lists
 * the methods that the path does take, or is empty when no route has the path. */
const struct http_route *http_find_route(const struct http_route *routes, const char *method,
                                         const char *path, char *ret_argument, char *ret_allow);

/* ---- problem.c ---- */

const char *http_reason(unsigned status); /* "Not Found" */

/* Overwrites control bytes and what is not ASCII, so that text may stand in logs and JSON. */
void http_make_printable(char *text);

#endif
