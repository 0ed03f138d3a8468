/* deadlines.c - connections and how long each may take, absolutely: a byte now and then keeps
 * libmicrohttpd's own timeout, which counts idle time, away for ever.
 *
 * A thread of its own looks every now and then, tells who is late with a request so (408), and
 * shuts the socket down; the library then sees its end and cleans up. */
#include "server/clock.h"
#include "server/http/http_private.h"
#include "server/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_EVERY_MS = 50, CLOSE_WITHIN_S = 2, RESUMED_WITHIN_MS = 5000 };

static void set_deadline(struct http_connection *connection, struct http_deadline deadline,
                         bool is_told, bool has_request)
{
    struct http_server *server = connection->server;
    pthread_mutex_lock(&server->connections_mutex);
    connection->deadline = deadline;
    connection->is_told = is_told;
    connection->is_v2 = connection->target && http_is_v2(http_path_in(connection->target));
    connection->changed_s = clock_now_s();
    connection->has_request = has_request;
    pthread_mutex_unlock(&server->connections_mutex);
}

static struct http_deadline deadline_in(size_t ms, const char *setting)
{
    return (struct http_deadline){clock_now_s() + (double)ms / 1e3, ms, setting};
}

/* A head's own, or a whole request's where that is sooner. */
static struct http_deadline deadline_of_head(const struct http_options *options)
{
    const size_t ms = options->head_timeout_ms;
    return ms > 0 && ms < options->request_timeout_ms
               ? deadline_in(ms, "head_timeout_ms")
               : deadline_in(options->request_timeout_ms, "request_timeout_ms");
}

void http_expect_head(struct http_connection *connection)
{
    set_deadline(connection, deadline_of_head(&connection->server->options), true, false);
}

void http_expect_body(struct http_connection *connection, const struct http_request *request)
{
    const size_t ms = connection->server->options.body_timeout_ms;
    set_deadline(connection, http_deadline_in(request, ms, "body_timeout_ms"), true, true);
}

void http_expect_answer(struct http_connection *connection)
{
    set_deadline(connection, (struct http_deadline){0}, false, true);
}

void http_expect_resumption(struct http_connection *connection)
{
    set_deadline(connection, deadline_in(RESUMED_WITHIN_MS, ""), false, true);
}

void http_expect_reader(struct http_connection *connection)
{
    const struct http_options *options = &connection->server->options;
    const size_t ms = options->response_timeout_ms;
    set_deadline(connection, deadline_in(ms ? ms : options->request_timeout_ms, ""), false, true);
}

/* The library ends an idle connection; this is for a request line that comes byte by byte. */
void http_expect_next(struct http_connection *connection)
{
    const struct http_options *options = &connection->server->options;
    const size_t idle_ms = 1000 * options->idle_timeout_s + LOOK_EVERY_MS;
    set_deadline(connection, deadline_in(idle_ms + deadline_of_head(options).ms, ""), false, false);
}

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
            return; /* its requests will be refused for want of memory */
        connection->server = server;
        connection->descriptor = info ? info->connect_fd : -1;
        pthread_mutex_lock(&server->connections_mutex);
        connection->next = server->connections;
        connection->link = &server->connections;
        if (connection->next)
            connection->next->link = &connection->next;
        server->connections = connection;
        atomic_fetch_add(&server->open_connections, 1);
        pthread_mutex_unlock(&server->connections_mutex);
        http_expect_next(connection);
    } else if (connection) {
        pthread_mutex_lock(&server->connections_mutex);
        *connection->link = connection->next;
        if (connection->next)
            connection->next->link = connection->link;
        pthread_mutex_unlock(&server->connections_mutex);
        if (connection->is_in_head)
            metrics_cancelled(connection->is_cut_off ? METRICS_DEADLINE : METRICS_CLIENT_GONE,
                              METRICS_HEAD);
        atomic_fetch_sub(&server->open_connections, 1);
        free(connection->target);
        free(connection);
        *socket_context = NULL;
    }
}

/* Nothing of an answer has been sent yet, and the library offers no way to send one now; none at
 * all where it encrypts. */
static void tell_late(const struct http_connection *connection)
{
    char answer[640], body[256], detail[96];
    snprintf(detail, sizeof detail, "the request took more than %zu ms (%s)",
             connection->deadline.ms, connection->deadline.setting);
    const int body_bytes =
        connection->is_v2 ? snprintf(body, sizeof body, "{\"error\":\"%s\"}", detail)
                          : snprintf(body, sizeof body,
                                     "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":408,"
                                     "\"detail\":\"%s\",\"instance\":\"about:blank\"}",
                                     http_reason(408), detail);
    int bytes = snprintf(answer, sizeof answer,
                         "HTTP/1.1 408 %s\r\nConnection: close\r\n"
                         "Content-Type: %s\r\nContent-Length: %d\r\n"
                         "X-Request-Id: late-%d\r\n"
                         "Server-Timing: queue;dur=0.000, compute;dur=0.000, "
                         "decode;dur=0.000, encode;dur=0.000\r\n\r\n%s",
                         http_reason(408), http_problem_type(connection->is_v2), body_bytes,
                         connection->descriptor, body);
    ssize_t ignored =
        send(connection->descriptor, answer, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
}

static void cut_off_late(struct http_server *server)
{
    const double now_s = clock_now_s();
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next) {
        if (c->deadline.at_s == 0 || c->deadline.at_s > now_s || c->descriptor < 0)
            continue;
        if (c->is_told && !server->options.has_tls)
            tell_late(c);
        c->is_cut_off = true;
        shutdown(c->descriptor, SHUT_RDWR); /* closing is the library's */
        c->deadline.at_s = 0;
    }
    pthread_mutex_unlock(&server->connections_mutex);
}

size_t http_fresh_connections(struct http_server *server, double within_s)
{
    const double oldest_s = clock_now_s() - within_s;
    size_t count = 0;
    pthread_mutex_lock(&server->connections_mutex);
    for (const struct http_connection *c = server->connections; c; c = c->next)
        count += !c->has_request && c->changed_s > oldest_s ? 1 : 0;
    pthread_mutex_unlock(&server->connections_mutex);
    return count;
}

/* How many connections are open, each of them cut off. */
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

static void *watch(void *context)
{
    struct http_server *server = context;
    while (!atomic_load(&server->is_stopping)) {
        http_linger_for(server, LOOK_EVERY_MS / 1e3);
        cut_off_late(server);
        server->options.on_tick(server->options.context);
    }
    return NULL;
}

enum ppm_status http_start_watching(struct http_server *server, struct ppm_error *error)
{
    pthread_mutex_init(&server->connections_mutex, NULL);
    if (http_start_lingering(server, error) != PPM_OK)
        return error->status;
    int result = pthread_create(&server->watcher, NULL, watch, server);
    if (result == 0)
        return PPM_OK;
    http_stop_lingering(server);
    return ppm_fail(error, PPM_NO_MEMORY, "cannot start a thread: %s", strerror(result));
}

void http_stop_watching(struct http_server *server)
{
    atomic_store(&server->is_stopping, true);
    pthread_join(server->watcher, NULL);
    http_stop_lingering(server);
    pthread_mutex_destroy(&server->connections_mutex);
}
