/*
 * idle.c - bodies that have stopped arriving lose their share of the budget to requests whose bytes
 * arrive.
 *
 * The budget has the bytes back at once. The thread that a body belongs to frees its memory when it
 * sees the end of the connection. An idle timeout would bound nothing: a client avoids it with a
 * byte now and then.
 */
#include "server/http/idle.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/http/connection.h"
#include "server/http/http_server.h"
#include "server/http/tell.h"

enum { PACE_BYTES = 1 << 10 }; /* a body with fewer bytes in idle_s has stopped arriving */
static const double idle_s = 1;

void http_note_arrival(struct http_request *request, size_t bytes)
{
    struct http_connection *connection = http_connection_of(request->connection);
    const size_t before = request->received_bytes;
    request->received_bytes += bytes;
    if (request->received_bytes / PACE_BYTES > before / PACE_BYTES)
        connection->arriving_s = clock_now_s();
}

/* ---- with the list's mutex held ---- */

/* What a connection would give back. 0: its body is arriving, it has none, or it asks for the
 * memory.
 */
static size_t idle_bytes_of(const struct http_connection *connection,
                            const struct http_request *asking, double now_s)
{
    const bool is_idle = connection->is_in_body && !connection->is_cut_off &&
                         connection->request != asking && now_s - connection->arriving_s >= idle_s;
    return is_idle ? connection->request->reserved_bytes : 0;
}

static size_t sum_idle_bytes(const struct http_server *server, const struct http_request *asking,
                             double now_s)
{
    size_t bytes = 0;
    for (const struct http_connection *c = server->connections; c; c = c->next)
        bytes += idle_bytes_of(c, asking, now_s);
    return bytes;
}

static struct http_connection *find_largest(const struct http_server *server,
                                            const struct http_request *asking, double now_s)
{
    struct http_connection *largest = NULL;
    size_t most = 0;
    for (struct http_connection *c = server->connections; c; c = c->next)
        if (idle_bytes_of(c, asking, now_s) > most) {
            largest = c;
            most = idle_bytes_of(c, asking, now_s);
        }
    return largest;
}

static void give_up(struct http_connection *connection)
{
    connection->is_idle = true;
    memory_give(atomic_exchange(&connection->request->reserved_bytes, 0));
    if (!connection->server->has_tls)
        http_tell(connection, 408,
                  "the body stopped arriving, and other requests needed the memory that it held "
                  "(memory_max_bytes)");
    http_cut_off(connection);
}

/* ---- */

size_t http_idle_bytes(struct http_server *server)
{
    pthread_mutex_lock(&server->connections_mutex);
    const size_t bytes = sum_idle_bytes(server, NULL, clock_now_s());
    pthread_mutex_unlock(&server->connections_mutex);
    return bytes;
}

bool http_reclaim(struct http_request *request, size_t bytes)
{
    struct http_server *server = request->server;
    const size_t bytes_max = memory_max();
    const double now_s = clock_now_s();
    if (bytes > bytes_max)
        return false;
    pthread_mutex_lock(&server->connections_mutex);
    const bool is_enough =
        memory_taken() <= bytes_max - bytes + sum_idle_bytes(server, request, now_s);
    while (is_enough && memory_taken() > bytes_max - bytes) {
        struct http_connection *largest = find_largest(server, request, now_s);
        if (!largest)
            break;
        give_up(largest);
    }
    pthread_mutex_unlock(&server->connections_mutex);
    return is_enough;
}
