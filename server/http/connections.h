/* connections.h - all open connections: their start and end, and room for more. */
#ifndef PPM_SERVER_HTTP_CONNECTIONS_H
#define PPM_SERVER_HTTP_CONNECTIONS_H

#include "server/http/connection.h"

/* libmicrohttpd's callback for connections that start and end. */
void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode what);

/* Whether this connection is beyond connections_max while all the others are busy. */
bool http_is_crowded(const struct http_connection *connection);

/* Ends silent and idle connections where there are more than connections_max. */
void http_make_room(struct http_server *server);

/* The number of connections without a request that were opened, or finished a request, within the
 * given time. */
size_t http_fresh_connections(struct http_server *server, double within_s);

/* Ends all connections and waits, for a moment, until the library has closed them. It crashes when
 * it has to refuse a malformed head while it is being stopped. */
void http_close_connections(struct http_server *server);

#endif
