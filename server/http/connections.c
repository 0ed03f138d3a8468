/* connections.c - see connections.h.
 *
 * Idle time is no concern of the library. A connection that is silent between requests, or has sent
 * nothing yet, makes room for others where there are more than connections_max; a few connections
 * beyond that are accepted for routes that are vital. */
#include "server/http/connections.h"
#include "server/base/clock.h"
#include "server/http/connection.h"
#include "server/http/counts.h"
#include "server/http/deadlines.h"
#include "server/http/framing.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum {
    CLOSE_WITHIN_S = 2,
    SILENT_MS = 20, /* after which a connection may have to make room for others */
};

/* ---- room ---- */

enum readiness { NOT_AT_ALL, IDLE, SILENT, SOON_SILENT };

/* How readily it makes room for others: not at all while it has a request, which may still be on
 * its way here; when idle between requests; when silent before a request or within its head. */
static enum readiness readiness_to_leave(const struct http_connection *connection, double now_s)
{
    const bool is_new = now_s - connection->changed_s < SILENT_MS / 1e3;
    const bool is_silent = !connection->target || connection->is_in_head;
    if (connection->request || connection->is_cut_off || (is_new && !is_silent) ||
        http_is_arriving(connection))
        return NOT_AT_ALL;
    return !is_silent ? IDLE : is_new ? SOON_SILENT : SILENT;
}

static size_t count_open(const struct http_server *server)
{
    return atomic_load(&server->open_connections) - server->leaving_connections;
}

static bool is_over(const struct http_server *server)
{
    return count_open(server) > server->options.settings.connections_max;
}

/* Ends silent connections, the oldest first, until half the places are free, so that clients behind
 * a crowd get in at once. The list starts with the newest. */
static void end_silent(struct http_server *server)
{
    const double now_s = clock_now_s();
    size_t others = count_open(server), kept = 0;
    for (struct http_connection *c = server->connections; c; c = c->next)
        others -= readiness_to_leave(c, now_s) == SILENT ? 1 : 0;
    for (struct http_connection *c = server->connections; c; c = c->next)
        if (readiness_to_leave(c, now_s) == SILENT &&
            others + ++kept > server->options.settings.connections_max / 2)
            http_cut_off(c);
}

/* Ends the connection that has been idle longest. False: none is idle. */
static bool end_idle(struct http_server *server)
{
    struct http_connection *oldest = NULL;
    const double now_s = clock_now_s();
    for (struct http_connection *c = server->connections; c; c = c->next)
        if (readiness_to_leave(c, now_s) == IDLE && (!oldest || c->changed_s < oldest->changed_s))
            oldest = c;
    if (oldest)
        http_cut_off(oldest);
    return oldest != NULL;
}

/* Whether there are too many even without those that will soon have been silent for long enough. */
static bool is_over_for_long(const struct http_server *server)
{
    const double now_s = clock_now_s();
    size_t count = count_open(server);
    for (const struct http_connection *c = server->connections; c; c = c->next)
        count -= readiness_to_leave(c, now_s) == SOON_SILENT ? 1 : 0;
    return count > server->options.settings.connections_max;
}

static void make_room_locked(struct http_server *server)
{
    if (is_over(server))
        end_silent(server);
    while (is_over(server) && is_over_for_long(server) && end_idle(server))
        ;
}

void http_make_room(struct http_server *server)
{
    pthread_mutex_lock(&server->connections_mutex);
    make_room_locked(server);
    pthread_mutex_unlock(&server->connections_mutex);
}

bool http_is_crowded(const struct http_connection *connection)
{
    struct http_server *server = connection->server;
    if (!connection->is_spare) /* written by this thread, as the connection began */
        return false;
    pthread_mutex_lock(&server->connections_mutex);
    const bool is_crowded = is_over(server);
    pthread_mutex_unlock(&server->connections_mutex);
    return is_crowded;
}

/* ---- connections ---- */

void http_on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                        enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    struct http_connection *connection = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        connection = calloc(1, sizeof *connection);
        *socket_context = connection;
        if (!connection)
            return; /* its requests are refused for lack of memory */
        connection->server = server;
        connection->descriptor = info ? info->connect_fd : -1;
        http_frame(connection, true);
        pthread_mutex_lock(&server->connections_mutex);
        connection->next = server->connections;
        connection->link = &server->connections;
        if (connection->next)
            connection->next->link = &connection->next;
        server->connections = connection;
        atomic_fetch_add(&server->open_connections, 1);
        connection->changed_s = clock_now_s();
        make_room_locked(server);
        connection->is_spare = is_over(server);
        pthread_mutex_unlock(&server->connections_mutex);
        http_expect_next(connection);
    } else if (connection) {
        http_frame(connection, false);
        pthread_mutex_lock(&server->connections_mutex);
        *connection->link = connection->next;
        if (connection->next)
            connection->next->link = connection->link;
        server->leaving_connections -= connection->is_cut_off ? 1 : 0;
        atomic_fetch_sub(&server->open_connections, 1);
        pthread_mutex_unlock(&server->connections_mutex);
        if (connection->is_in_head)
            http_count_abort(server, connection->is_cut_off ? HTTP_DEADLINE : HTTP_CLIENT_GONE,
                             HTTP_IN_HEAD);
        free(connection->target);
        free(connection);
        *socket_context = NULL;
    }
}

size_t http_fresh_connections(struct http_server *server, double within_s)
{
    const double oldest_s = clock_now_s() - within_s;
    size_t count = 0;
    pthread_mutex_lock(&server->connections_mutex);
    for (const struct http_connection *c = server->connections; c; c = c->next)
        count += !c->request && c->changed_s > oldest_s ? 1 : 0;
    pthread_mutex_unlock(&server->connections_mutex);
    return count;
}

/* Shuts down all connections. Returns the number of them. */
static size_t cut_off_all(struct http_server *server)
{
    size_t count = 0;
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next, count++)
        shutdown(c->descriptor, SHUT_RDWR);
    pthread_mutex_unlock(&server->connections_mutex);
    return count;
}

void http_close_connections(struct http_server *server)
{
    const struct timespec pause = {.tv_nsec = 1000000L};
    const double end_s = clock_now_s() + CLOSE_WITHIN_S;
    while (cut_off_all(server) > 0 && clock_now_s() < end_s)
        nanosleep(&pause, NULL);
}
