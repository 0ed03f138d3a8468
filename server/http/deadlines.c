/* deadlines.c - connections and how long each may take, absolutely: a byte now and then keeps
 * libmicrohttpd's own timeout, which counts idle time, away for ever.
 *
 * A thread of its own looks every now and then, tells who is late with a request so (408), and
 * shuts the socket down; the library then sees its end and cleans up. */
#include "server/http/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_EVERY_MS = 50, CLOSE_WITHIN_S = 2 };

static void set_deadline(struct http_connection *connection, double seconds, bool is_request_late)
{
    if (!connection)
        return;
    struct http_server *server = connection->server;
    pthread_mutex_lock(&server->connections_mutex);
    connection->deadline_s = seconds > 0 ? http_now_s() + seconds : 0;
    connection->is_request_late = is_request_late;
    pthread_mutex_unlock(&server->connections_mutex);
}

static double patience_s(const struct http_connection *connection)
{
    return connection ? (double)connection->server->options.request_timeout_ms / 1e3 : 0;
}

void http_expect_body(struct http_connection *connection)
{
    set_deadline(connection, patience_s(connection), true);
}

void http_expect_answer(struct http_connection *connection)
{
    set_deadline(connection, 0, false);
}

void http_expect_reader(struct http_connection *connection)
{
    set_deadline(connection, patience_s(connection), false);
}

/* Longer than the library's own wait for a silent client. */
void http_expect_next(struct http_connection *connection)
{
    const double patience = patience_s(connection);
    const double idle_s = connection ? (double)connection->server->options.idle_timeout_s + 0.5 : 0;
    set_deadline(connection, patience > idle_s ? patience : idle_s, false);
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
        pthread_mutex_unlock(&server->connections_mutex);
        http_expect_next(connection);
    } else if (connection) {
        pthread_mutex_lock(&server->connections_mutex);
        *connection->link = connection->next;
        if (connection->next)
            connection->next->link = connection->link;
        pthread_mutex_unlock(&server->connections_mutex);
        free(connection->target);
        free(connection);
        *socket_context = NULL;
    }
}

/* Nothing of an answer has been sent yet, and the library offers no way to send one now. */
static void tell_late(const struct http_connection *connection)
{
    char answer[640], body[256];
    int body_bytes = snprintf(body, sizeof body,
                              "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":408,"
                              "\"detail\":\"the request took more than %zu ms "
                              "(request_timeout_ms)\",\"instance\":\"about:blank\"}",
                              http_reason(408), connection->server->options.request_timeout_ms);
    int bytes = snprintf(answer, sizeof answer,
                         "HTTP/1.1 408 %s\r\nConnection: close\r\n"
                         "Content-Type: application/problem+json\r\nContent-Length: %d\r\n"
                         "X-Request-Id: late-%d\r\n"
                         "Server-Timing: queue;dur=0.000, compute;dur=0.000\r\n\r\n%s",
                         http_reason(408), body_bytes, connection->descriptor, body);
    ssize_t ignored =
        send(connection->descriptor, answer, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)ignored;
}

static void cut_off_late(struct http_server *server)
{
    const double now_s = http_now_s();
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next) {
        if (c->deadline_s == 0 || c->deadline_s > now_s || c->descriptor < 0)
            continue;
        if (c->is_request_late)
            tell_late(c);
        shutdown(c->descriptor, SHUT_RDWR); /* closing is the library's */
        c->deadline_s = 0;
    }
    pthread_mutex_unlock(&server->connections_mutex);
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
    const double end_s = http_now_s() + CLOSE_WITHIN_S;
    while (cut_off_all(server) > 0 && http_now_s() < end_s)
        nanosleep(&pause, NULL);
}

static void *watch(void *context)
{
    struct http_server *server = context;
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    while (!atomic_load(&server->is_stopping)) {
        nanosleep(&pause, NULL);
        cut_off_late(server);
    }
    return NULL;
}

enum ppm_status http_start_watching(struct http_server *server, struct ppm_error *error)
{
    pthread_mutex_init(&server->connections_mutex, NULL);
    int result = pthread_create(&server->watcher, NULL, watch, server);
    if (result != 0)
        return ppm_fail(error, PPM_NO_MEMORY, "cannot start a thread: %s", strerror(result));
    return PPM_OK;
}

void http_stop_watching(struct http_server *server)
{
    atomic_store(&server->is_stopping, true);
    pthread_join(server->watcher, NULL);
    pthread_mutex_destroy(&server->connections_mutex);
}
