/* connection.c - see connection.h. */
#include "server/http/connection.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <sys/socket.h>

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void http_cut_off(struct http_connection *connection)
{
    if (!connection->is_cut_off)
        connection->server->leaving_connections++;
    connection->is_cut_off = true;
    connection->deadline.at_s = 0;
    shutdown(connection->descriptor, SHUT_RDWR); /* closing is the library's */
}
