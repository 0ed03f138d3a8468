/* deadlines.c - see deadlines.h.
 *
 * Each stage of a connection has an absolute deadline. libmicrohttpd only has a timeout for idle
 * time, which a client avoids with a byte now and then. A late client is told (408) and its socket
 * shut down; the library then sees the end of the connection and cleans up. Seen with 0.9.75. */
#include "server/http/deadlines.h"
#include "server/base/clock.h"
#include "server/http/connection.h"
#include "server/http/framing.h"
#include "server/http/http_server.h"
#include "server/http/tell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARRIVED_WITHIN_S = 1, /* after an idle time that ends as a request arrives */
    RESUMED_WITHIN_MS = 5000,
    STALLED_IN_DRAIN_S = 2, /* a drain waits no longer for another KiB of a body */
};

/* What is waited for: a request, its body, or anything after that. */
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

struct http_deadline http_deadline_in(const struct http_request *request, size_t ms,
                                      const char *setting)
{
    const struct http_deadline deadline = {clock_now_s() + (double)ms / 1e3, ms, setting};
    return ms == 0 || request->deadline.at_s < deadline.at_s ? request->deadline : deadline;
}

bool http_is_past(const struct http_deadline *deadline)
{
    return clock_now_s() > deadline->at_s;
}

/* The deadline of a head, or of a whole request if that is sooner. */
static struct http_deadline deadline_of_head(const struct http_options *options)
{
    const size_t ms = options->settings.head_timeout_ms;
    return ms > 0 && ms < options->settings.request_timeout_ms
               ? deadline_in(ms, "head_timeout_ms")
               : deadline_in(options->settings.request_timeout_ms, "request_timeout_ms");
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
    const size_t ms = server->options.settings.body_timeout_ms;
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
    const size_t ms = options->settings.response_timeout_ms;
    set_deadline(connection, deadline_in(ms ? ms : options->settings.request_timeout_ms, ""), false,
                 ANSWER);
}

void http_expect_next(struct http_connection *connection)
{
    const size_t idle_ms = 1000 * connection->server->options.settings.idle_timeout_s;
    set_deadline(connection, deadline_in(idle_ms, ""), false, NO_REQUEST);
}

/* Whether it is late, and why. */
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

/* Whether its idle time ends while the next request is arriving. */
static bool is_next_arriving(const struct http_connection *connection, double now_s)
{
    return !connection->request && !connection->is_in_head &&
           now_s < connection->deadline.at_s + ARRIVED_WITHIN_S && http_is_arriving(connection);
}

void http_cut_off_late(struct http_server *server)
{
    char detail[128];
    const double now_s = clock_now_s();
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next) {
        if (c->is_cut_off || c->descriptor < 0 || !is_late(c, now_s, detail, sizeof detail) ||
            is_next_arriving(c, now_s))
            continue;
        if (c->is_told && !server->has_tls) /* TLS is the library's to write */
            http_tell(c, 408, detail);
        http_cut_off(c);
    }
    pthread_mutex_unlock(&server->connections_mutex);
}
