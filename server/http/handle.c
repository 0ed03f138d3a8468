/* handle.c - see handle.h. A request is read, checked step by step, handled and answered. */
#include "server/http/handle.h"
#include "server/base/clock.h"
#include "server/http/access.h"
#include "server/http/body_check.h"
#include "server/http/connection.h"
#include "server/http/connections.h"
#include "server/http/cors.h"
#include "server/http/counts.h"
#include "server/http/deadlines.h"
#include "server/http/fields.h"
#include "server/http/find_route.h"
#include "server/http/guard.h"
#include "server/http/http_answer.h"
#include "server/http/http_body.h"
#include "server/http/http_request.h"
#include "server/http/http_server.h"
#include "server/http/idle.h"
#include "server/http/ids.h"
#include "server/http/inflate.h"
#include "server/http/linger.h"
#include "server/http/origin.h"
#include "server/http/target.h"
#include "server/http/trace.h"
#include "server/http/turn.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_ON_BYTES = 1 << 16, /* of a refused body; a new connection takes less time than more */
};

/* ---- a request's life ---- */

/* Called with the raw target, before anything is decoded. A connection that ends within the head
 * would lose a result, so the connection keeps the target and this returns NULL. */
void *http_on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct http_connection *connection = http_connection_of(mhd);
    (void)context;
    if (!connection)
        return NULL;
    connection->target_s = clock_now_s();
    http_expect_head(connection, target);
    return NULL;
}

static void set_request_deadline(struct http_request *request, size_t ms, const char *setting)
{
    request->deadline = (struct http_deadline){request->started_s + (double)ms / 1e3, ms, setting};
}

/* The head is complete: a request begins. NULL: no memory. */
static struct http_request *create_request(struct http_server *server, struct MHD_Connection *mhd,
                                           const char *method)
{
    struct http_connection *connection = http_connection_of(mhd);
    struct http_request *request = calloc(1, sizeof *request);
    char *target = connection && connection->target ? http_copy_target(connection->target) : NULL;
    if (request)
        request->target = target;
    if (!request || !target || !http_read_target(request)) {
        free(request);
        free(target);
        return NULL;
    }
    request->server = server;
    request->context = server->options.context;
    request->connection = mhd;
    request->started_s = connection->target_s;
    set_request_deadline(request, server->options.settings.request_timeout_ms,
                         "request_timeout_ms");
    snprintf(request->method, sizeof request->method, "%s", method);
    http_make_printable(request->method);
    http_choose_id(http_header(request, "X-Request-Id"), request->id);
    http_read_trace(request);
    http_expect_body(connection, request);
    atomic_fetch_add(&server->in_flight, 1);
    return request;
}

/* Why a request has no answer. */
static enum http_abort reason_of(const struct http_connection *connection)
{
    if (connection->is_idle)
        return HTTP_IDLE;
    return connection->is_cut_off ? HTTP_DEADLINE : HTTP_CLIENT_GONE;
}

void http_on_completed(void *context, struct MHD_Connection *mhd, void **state,
                       enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct http_request *request = *state;
    if (!request)
        return;
    struct http_connection *connection = http_connection_of(mhd);
    http_expect_next(connection); /* no other thread uses the request after this */
    http_forget_turn(request);
    const enum http_abort reason = reason_of(connection);
    if (request->phase != HTTP_ANSWERED) { /* cut off, or ended by its client */
        request->response.status = connection->is_malformed     ? 400
                                   : reason == HTTP_CLIENT_GONE ? 499
                                                                : 408;
        request->lingers = connection->is_malformed;
        server->options.on_answer(request);
        if (!request->is_given_up && !connection->is_malformed)
            http_count_abort(server, reason,
                             request->phase == HTTP_BODY ? HTTP_IN_BODY : HTTP_IN_ANSWER);
    } else if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && !request->is_given_up) {
        http_count_abort(server, reason, HTTP_IN_ANSWER);
    }
    if (request->lingers &&
        (why == MHD_REQUEST_TERMINATED_COMPLETED_OK || connection->is_malformed))
        http_linger(connection);
    if (request->route && request->route->release)
        request->route->release(request);
    http_drop_response(request);
    http_free_inflater(request);
    http_drop_body(request);
    http_keep(request, 0);
    free(request->list);
    free(request->path);
    free(request->target);
    free(request);
    *state = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

/* Content-Length as a number; the library has checked its digits. */
static void read_content_length(struct http_request *request)
{
    const char *text = http_header(request, "Content-Length");
    request->has_content_length = text != NULL;
    if (text) {
        errno = 0;
        unsigned long long length = strtoull(text, NULL, 10);
        request->content_length = errno ? SIZE_MAX : (size_t)length;
    }
}

/* A client can ask for less time than request_timeout_ms, not for more. */
static enum http_next read_timeout(struct http_request *request)
{
    static const char name[] = "X-Request-Timeout-Ms";
    const char *text = http_header(request, name);
    if (!text)
        return HTTP_PROCEED;
    const size_t digits = strspn(text, "0123456789");
    const unsigned long long ms = strtoull(text, NULL, 10); /* ULLONG_MAX when it is more */
    if (digits == 0 || text[digits] || ms == 0)
        return http_problem(request, 400, "%s: found \"%.40s\", expected an integer of at least 1",
                            name, text);
    if (ms < request->deadline.ms) {
        set_request_deadline(request, (size_t)ms, name);
        http_expect_body(http_connection_of(request->connection), request);
    }
    return HTTP_PROCEED;
}

/* Refuses a request on one of the connections that are spare, unless its route is vital. */
static enum http_next check_crowd(struct http_request *request)
{
    if ((request->route && request->route->is_vital) ||
        !http_is_crowded(http_connection_of(request->connection)))
        return HTTP_PROCEED;
    http_count_refusal(request->server, HTTP_CROWDED);
    request->closes = true;
    return http_problem(request, 503,
                        "%zu connections are busy (connections_max), and the few beyond them "
                        "are for health checks and metrics; try again",
                        request->server->options.settings.connections_max);
}

/* No route has the path, or none has the method. */
static enum http_next refuse_route(struct http_request *request, const char *allow)
{
    if (strcmp(request->method, "OPTIONS") == 0 && strcmp(request->path, "*") == 0) {
        http_add_header(request, "Allow", "GET, HEAD, POST, PUT");
        http_respond(request, 204, NULL, NULL, 0);
        return HTTP_RESPOND;
    }
    if (!*allow)
        return http_problem(request, 404, "nothing is served at this path; %s",
                            request->server->options.application->guide);
    http_add_header(request, "Allow", "%s", allow);
    return http_problem(request, 405, "%s is not served here, expected %s", request->method, allow);
}

static enum http_next find_route(struct http_request *request)
{
    char allow[HTTP_ALLOW_BYTES];
    request->route = http_find_route(request->server->options.application->routes, request->method,
                                     request->path, request->arguments, allow);
    enum http_next next =
        request->route && request->route->is_open ? HTTP_PROCEED : http_check_key(request);
    if (next == HTTP_PROCEED)
        next = check_crowd(request);
    return next == HTTP_PROCEED && !request->route ? refuse_route(request, allow) : next;
}

static enum http_next begin_handler(struct http_request *request)
{
    return request->route->begin ? request->route->begin(request) : HTTP_PROCEED;
}

/* Every check of a request's head, in order. */
static enum http_next begin_request(struct http_request *request, const char *method,
                                    const char *version)
{
    static enum http_next (*const steps[])(struct http_request * request) = {
        http_check_host, http_check_origin, read_timeout,      http_answer_preflight,
        find_route,      http_check_fields, http_check_length, http_check_coding,
        begin_handler,   http_check_claim};
    read_content_length(request);
    enum http_next next =
        http_guard(request, method, http_connection_of(request->connection)->target, version);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && next == HTTP_PROCEED; i++)
        next = steps[i](request);
    return next;
}

/* Whether to read the body of a refused request to its end and keep the connection: in a flood of
 * requests, opening and closing connections would take most of the time. */
static bool reads_on(const struct http_request *request)
{
    return request->response.status == 503 && !request->closes && request->content_length > 0 &&
           request->content_length <= READ_ON_BYTES && !http_header(request, "Expect");
}

/* The body is complete. */
static enum http_next finish_request(struct http_request *request)
{
    const enum http_next next = request->is_refused ? HTTP_RESPOND : http_check_body(request);
    return next == HTTP_PROCEED ? request->route->finish(request) : next;
}

/* The library calls this for the head, for each piece of the body, at its end, and when the
 * connection is resumed. It cannot send an answer in the middle of a body: a refusal then waits for
 * the end, and the rest of the body is discarded. */
enum MHD_Result http_on_request(void *context, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *piece,
                                size_t *piece_bytes, void **state)
{
    struct http_request *request = *state;
    (void)url;
    if (!request && !(request = *state = create_request(context, connection, method)))
        return MHD_NO;
    switch (request->phase) {
    case HTTP_HEAD:
        request->phase = HTTP_BODY;
        if (begin_request(request, method, version) == HTTP_PROCEED)
            return MHD_YES;
        request->is_refused = reads_on(request);
        if (request->is_refused)
            return MHD_YES;
        request->lingers = request->content_length > 0 || http_header(request, "Transfer-Encoding");
        if (request->lingers)
            return http_send(request);   /* the library then closes the connection */
        request->phase = HTTP_SUSPENDED; /* the next call answers, and keeps it open */
        return MHD_YES;
    case HTTP_BODY:
        if (*piece_bytes > 0) {
            http_note_arrival(request, *piece_bytes);
            if (!request->is_refused)
                http_take_body(request, piece, *piece_bytes);
            *piece_bytes = 0;
            return MHD_YES;
        }
        http_expect_answer(http_connection_of(connection));
        if (http_connection_of(connection)->is_idle)
            return MHD_NO;
        return finish_request(request) == HTTP_RESPOND ? http_send(request) : MHD_YES;
    case HTTP_SUSPENDED:
        return http_send(request);
    case HTTP_ANSWERED:
        break;
    }
    return MHD_YES;
}
