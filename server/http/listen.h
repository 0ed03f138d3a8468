/* listen.h - listening sockets. */
#ifndef PPM_SERVER_HTTP_LISTEN_H
#define PPM_SERVER_HTTP_LISTEN_H

#include "server/http/http.h"

/* The socket that was passed, or one on host and port; -1 on error. *ret_address is what clients
 * are told. */
int http_listen(const struct http_options *options, char *ret_address, size_t address_bytes,
                struct ppm_error *error);

/* Makes new clients get no connection, and waits until those that have one, if only from the
 * kernel, are accepted, which takes up to a second. Once the socket is closed, clients are refused.
 */
void http_turn_away(int listener, const char *address);

#endif
