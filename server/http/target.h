/* target.h - a request line in plain form. */
#ifndef PPM_SERVER_HTTP_TARGET_H
#define PPM_SERVER_HTTP_TARGET_H

#include "server/http/http.h"

/* Fills in path, and host where the target has one. False: no memory. */
bool http_read_target(struct http_request *request);

/* The path within a target, before anything is decoded; "" where it has none. */
const char *http_path_in(const char *target);

/* A copy of a target in which everything but visible ASCII is percent-encoded. NULL: no memory. */
char *http_copy_target(const char *target);

/* Overwrites control bytes and bytes beyond ASCII, so that logs and JSON may hold the text. */
void http_make_printable(char *text);

#endif
