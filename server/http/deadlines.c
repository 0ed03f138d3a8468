/* deadlines.c - connections and how long each may take, absolutely: a byte now and then keeps
 * libmicrohttpd's own timeout, which counts idle time, away for ever.
 *
 * A thread of its own looks every now and then, tells who is late with a request so (408), and
 * shuts the socket down; the library then sees its end and cleans up. */
#include "server/base/clock.h"
#include "server/http/http_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
    LOOK_EVERY_MS = 50,
    CLOSE_WITHIN_S = 2,
    RESUMED_WITHIN_MS = 5000,
    SILENT_MS = 20,         /* after which a connection may have to make room for others */
    STALLED_IN_DRAIN_S = 2, /* a body of which no KiB comes holds up a drain no longer */
};

/* What is waited for: none of its requests, its body, or what comes after that. */
enum stage { NO_REQUEST, BODY, ANSWER };

static void set_deadline(struct http_connection *connection, struct http_deadline deadline,
                         bool is_told, enum stage stage)
{
    struct http_server *server = connection->server;
    pthread_mutex_lock(&server->connections_mutex);
    connection->deadline = deadline;
    connection->is_told = is_told;
    connection->changed_s = clock_now_s();
    connection->is_in_body = stage == BODY;
    if (stage == NO_REQUEST)
        connection->request = NULL;
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

void http_expect_head(struct http_connection *connection, const char *target)
{
    struct http_server *server = connection->server;
    pthread_mutex_lock(&server->connections_mutex);
    free(connection->target);
    connection->target = strdup(target);
    connection->is_in_head = true;
    pthread_mutex_unlock(&server->connections_mutex);
    set_deadline(connection, deadline_of_head(&connection->server->options), true, NO_REQUEST);
}

void http_expect_body(struct http_connection *connection, struct http_request *request)
{
    struct http_server *server = connection->server;
    const size_t ms = server->options.body_timeout_ms;
    connection->arriving_s = clock_now_s();
    pthread_mutex_lock(&server->connections_mutex);
    connection->request = request;
    connection->is_in_head = false;
    pthread_mutex_unlock(&server->connections_mutex);
    set_deadline(connection, http_deadline_in(request, ms, "body_timeout_ms"), true, BODY);
}

void http_expect_answer(struct http_connection *connection)
{
    set_deadline(connection, (struct http_deadline){0}, false, ANSWER);
}

void http_expect_resumption(struct http_connection *connection)
{
    set_deadline(connection, deadline_in(RESUMED_WITHIN_MS, ""), false, ANSWER);
}

void http_expect_reader(struct http_connection *connection)
{
    const struct http_options *options = &connection->server->options;
    const size_t ms = options->response_timeout_ms;
    set_deadline(connection, deadline_in(ms ? ms : options->request_timeout_ms, ""), false, ANSWER);
}

void http_expect_next(struct http_connection *connection)
{
    const size_t idle_ms = 1000 * connection->server->options.idle_timeout_s;
    set_deadline(connection, deadline_in(idle_ms, ""), false, NO_REQUEST);
}

/* ---- room ---- */

enum readiness { NOT_AT_ALL, IDLE, SILENT, SOON_SILENT };

/* How readily it makes room for others: not with a request, which may have come already, if only to
 * the kernel; between requests; before one or within its head. */
static enum readiness readiness_to_leave(const struct http_connection *connection, double now_s)
{
    int unread_bytes = 0;
    const bool is_new = now_s - connection->changed_s < SILENT_MS / 1e3;
    const bool is_silent = !connection->target || connection->is_in_head;
    if (connection->request || connection->is_cut_off || (is_new && !is_silent) ||
        ioctl(connection->descriptor, FIONREAD, &unread_bytes) != 0 || unread_bytes > 0)
        return NOT_AT_ALL;
    return !is_silent ? IDLE : is_new ? SOON_SILENT : SILENT;
}

void http_cut_off(struct http_connection *connection)
{
    if (!connection->is_cut_off)
        connection->server->leaving_connections++;
    connection->is_cut_off = true;
    connection->deadline.at_s = 0;
    shutdown(connection->descriptor, SHUT_RDWR); /* closing is the library's */
}

static size_t count_open(const struct http_server *server)
{
    return atomic_load(&server->open_connections) - server->leaving_connections;
}

static bool is_over(const struct http_server *server)
{
    return count_open(server) > server->options.connections_max;
}

/* Ends silent connections, the oldest first, until half the places are free: those who wait behind
 * a crowd get in at once. The list begins with the newest. */
static void end_silent(struct http_server *server)
{
    const double now_s = clock_now_s();
    size_t others = count_open(server), kept = 0;
    for (struct http_connection *c = server->connections; c; c = c->next)
        others -= readiness_to_leave(c, now_s) == SILENT ? 1 : 0;
    for (struct http_connection *c = server->connections; c; c = c->next)
        if (readiness_to_leave(c, now_s) == SILENT &&
            others + ++kept > server->options.connections_max / 2)
            http_cut_off(c);
}

/* Ends the connection that has been idle for longest. False: none is. */
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

/* Whether there are too many without those that will have been silent for long enough in a moment.
 */
static bool is_over_for_long(const struct http_server *server)
{
    const double now_s = clock_now_s();
    size_t count = count_open(server);
    for (const struct http_connection *c = server->connections; c; c = c->next)
        count -= readiness_to_leave(c, now_s) == SOON_SILENT ? 1 : 0;
    return count > server->options.connections_max;
}

/* Where there are more than connections_max. */
static void make_room(struct http_server *server)
{
    if (is_over(server))
        end_silent(server);
    while (is_over(server) && is_over_for_long(server) && end_idle(server))
        ;
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
            return; /* its requests will be refused for want of memory */
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
        make_room(server);
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

/* Why it is late; false: it is not. */
static bool is_late(const struct http_connection *connection, double now_s, char *ret_detail,
                    size_t bytes)
{
    const struct http_deadline *deadline = &connection->deadline;
    if (deadline->at_s > 0 && deadline->at_s <= now_s) {
        snprintf(ret_detail, bytes, "the body had not arrived after %zu ms (%s)", deadline->ms,
                 deadline->setting);
        return true;
    }
    snprintf(ret_detail, bytes,
             "less than a KiB of the body came in %d s while the server is stopping",
             STALLED_IN_DRAIN_S);
    return connection->is_in_body && atomic_load(&connection->server->is_leaving) &&
           now_s - connection->arriving_s > STALLED_IN_DRAIN_S;
}

/* Nothing is told where the library encrypts. */
static void cut_off_late(struct http_server *server)
{
    char detail[128];
    const double now_s = clock_now_s();
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next) {
        if (c->is_cut_off || c->descriptor < 0 || !is_late(c, now_s, detail, sizeof detail))
            continue;
        if (c->is_told && !server->options.has_tls)
            http_tell(c, 408, detail);
        http_cut_off(c);
    }
    make_room(server);
    pthread_mutex_unlock(&server->connections_mutex);
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
