/* http.c - the only includer of libmicrohttpd: connections to requests, responses to connections.
 */
#include "server/http/http_private.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* Every open connection touches it, beside memory_max_bytes; it bounds a request's head. A body
     * arrives in pieces of half of it. */
    CONNECTION_MEMORY_BYTES = 1 << 16,
    CHUNKED_BODY_START_BYTES = 1 << 16,
    ACCEPT_GRACE_US = 20000,
};

#define MEMORY_IS_TAKEN                                                                            \
    "the requests in flight hold all the memory that is configured (memory_max_bytes); try again"

/* ---- a request's life ---- */

/* An id that is safe in logs and headers: the caller's own, or 16 random digits. */
static void choose_id(struct http_request *request)
{
    const char *sent = http_header(request, "X-Request-Id");
    size_t length = sent ? strlen(sent) : 0;
    bool is_token = length > 0 && length < HTTP_ID_BYTES;
    for (size_t i = 0; i < length && is_token; i++)
        is_token = isalnum((unsigned char)sent[i]) || strchr("!#$%&'*+-.^_`|~:/=@", sent[i]);
    if (is_token) {
        memcpy(request->id, sent, length + 1);
        return;
    }
    unsigned long long random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (unsigned long long)(uintptr_t)request;
    snprintf(request->id, sizeof request->id, "%016llx", random);
}

static struct http_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* Called with the raw target, before anything is decoded. What it returned would be lost with a
 * connection that ends within the head, so the connection keeps the target. */
static void *on_target(void *context, const char *target, struct MHD_Connection *mhd)
{
    struct http_connection *connection = connection_of(mhd);
    (void)context;
    if (!connection)
        return NULL;
    free(connection->target);
    connection->target = strdup(target);
    connection->target_s = http_now_s();
    http_expect_body(connection);
    return NULL;
}

/* The head is there: a request begins. NULL: no memory for it. */
static struct http_request *create_request(struct http_server *server, struct MHD_Connection *mhd,
                                           const char *method)
{
    struct http_connection *connection = connection_of(mhd);
    struct http_request *request = calloc(1, sizeof *request);
    char *target = connection && connection->target ? strdup(connection->target) : NULL;
    if (!request || !target) {
        free(request);
        free(target);
        return NULL;
    }
    http_make_printable(target);
    request->server = server;
    request->context = server->options.context;
    request->connection = mhd;
    request->target = target;
    request->started_s = connection->target_s;
    snprintf(request->method, sizeof request->method, "%s", method);
    http_make_printable(request->method);
    choose_id(request);
    atomic_fetch_add(&server->in_flight, 1);
    return request;
}

static void on_completed(void *context, struct MHD_Connection *mhd, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct http_request *request = *state;
    (void)why;
    if (!request)
        return;
    http_expect_next(connection_of(mhd));
    if (request->phase != HTTP_ANSWERED) { /* cut off, or broken off by its client */
        request->response.status = http_is_past_deadline(request) ? 408 : 499;
        server->options.on_answer(request);
    }
    if (request->route && request->route->release)
        request->route->release(request);
    atomic_fetch_sub(&server->bytes_in_flight, request->reserved_bytes);
    free(request->response.body);
    free(request->body);
    free(request->target);
    free(request);
    *state = NULL;
    atomic_fetch_sub(&server->in_flight, 1);
}

static void add_standard_headers(struct http_request *request, struct MHD_Response *response)
{
    char timing[96];
    snprintf(timing, sizeof timing, "queue;dur=%.3f, compute;dur=%.3f", request->queue_ms,
             request->compute_ms);
    MHD_add_response_header(response, "X-Request-Id", request->id);
    MHD_add_response_header(response, "Server-Timing", timing);
    if (request->response.content_type)
        MHD_add_response_header(response, "Content-Type", request->response.content_type);
    if (request->closes || request->server->listener < 0)
        MHD_add_response_header(response, "Connection", "close");
    for (size_t i = 0; i < request->response.header_count; i++)
        MHD_add_response_header(response, request->response.headers[i].name,
                                request->response.headers[i].value);
}

/* Hands the response over; the body goes with it. */
static enum MHD_Result send_response(struct http_request *request)
{
    struct http_response *response = &request->response;
    struct MHD_Response *sent = MHD_create_response_from_buffer(
        response->body_bytes, response->body, MHD_RESPMEM_MUST_FREE);
    request->phase = HTTP_ANSWERED;
    if (!sent)
        return MHD_NO;
    response->body = NULL;
    http_expect_reader(connection_of(request->connection));
    add_standard_headers(request, sent);
    enum MHD_Result result = MHD_queue_response(request->connection, response->status, sent);
    MHD_destroy_response(sent);
    request->server->options.on_answer(request);
    return result;
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

/* The request's head: find the route, refuse what can be refused. True: answer now. */
static bool begin_request(struct http_request *request, const char *method, const char *version)
{
    const struct http_options *options = &request->server->options;
    char allow[HTTP_ALLOW_BYTES];
    read_content_length(request);
    if (http_guard(request, connection_of(request->connection)->target, version))
        return true;
    request->route =
        http_find_route(options->routes, method, request->target, request->argument, allow);
    if (!request->route && *allow) {
        http_add_header(request, "Allow", "%s", allow);
        return http_problem(request, 405, "%s is not served here, expected %s", request->method,
                            allow);
    }
    if (!request->route)
        return http_problem(request, 404,
                            "nothing is served at this path; POST /ppm computes, GET /ppm "
                            "describes");
    if (request->content_length > options->body_max_bytes)
        return http_problem(request, 413,
                            "the body has %zu bytes, expected at most %zu (body_max_bytes)",
                            request->content_length, options->body_max_bytes);
    if (request->route->begin && request->route->begin(request))
        return true;
    if (request->content_length > options->memory_max_bytes)
        return http_problem(request, 413,
                            "the body has %zu bytes, expected at most %zu (memory_max_bytes)",
                            request->content_length, options->memory_max_bytes);
    if (!http_reserve(request, request->content_length))
        return http_problem(request, 503, MEMORY_IS_TAKEN);
    return false;
}

/* Makes room for bytes more; a body without Content-Length grows by doubling. */
static bool grow_body(struct http_request *request, size_t bytes)
{
    size_t needed = request->body_bytes + bytes, capacity = request->body_capacity;
    if (needed <= capacity)
        return true;
    if (request->has_content_length)
        capacity = request->content_length;
    else
        capacity = capacity ? 2 * capacity : CHUNKED_BODY_START_BYTES;
    capacity = capacity < needed ? needed : capacity;
    if (!request->has_content_length && !http_reserve(request, capacity - request->body_capacity))
        return false;
    char *body = realloc(request->body, capacity);
    if (!body)
        return false;
    request->body = body;
    request->body_capacity = capacity;
    return true;
}

/* Why the body cannot be kept with bytes more of it, as a status; 0: it can. */
static unsigned refuse_body(struct http_request *request, size_t bytes)
{
    if (bytes > request->server->options.body_max_bytes - request->body_bytes)
        return 413;
    if (http_is_past_deadline(request))
        return 408;
    return grow_body(request, bytes) ? 0 : 503;
}

/* Keeps a piece of the body. A refusal cannot be sent in the middle of a body, so the rest is let
 * go by; MHD_NO closes a connection that goes on and on. */
static enum MHD_Result take_body(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->body_refusal == 0)
        request->body_refusal = refuse_body(request, bytes);
    if (request->body_refusal == 0) {
        memcpy(request->body + request->body_bytes, piece, bytes);
        request->body_bytes += bytes;
        return MHD_YES;
    }
    free(request->body);
    request->body = NULL;
    request->body_bytes = request->body_capacity = 0;
    return http_elapsed_ms(request) < 2 * (double)request->server->options.request_timeout_ms
               ? MHD_YES
               : MHD_NO;
}

/* The whole body is there. True: answer now. */
static bool finish_request(struct http_request *request)
{
    const struct http_options *options = &request->server->options;
    http_expect_answer(connection_of(request->connection));
    switch (request->body_refusal) {
    case 0:
        return request->route->finish(request);
    case 408:
        return http_problem(request, 408, "the body took more than %zu ms (request_timeout_ms)",
                            options->request_timeout_ms);
    case 413:
        return http_problem(request, 413, "the body has more than %zu bytes (body_max_bytes)",
                            options->body_max_bytes);
    default:
        return http_problem(request, 503, MEMORY_IS_TAKEN);
    }
}

/* The library calls this for the head, for each piece of the body, at its end, and on resumption.
 */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
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
        if (!begin_request(request, method, version))
            return MHD_YES;
        if (request->content_length > 0 || http_header(request, "Transfer-Encoding"))
            return send_response(request); /* before the body; the library then closes */
        request->phase = HTTP_SUSPENDED;   /* the next call answers, and the connection lives on */
        return MHD_YES;
    case HTTP_BODY:
        if (*piece_bytes > 0) {
            enum MHD_Result result = take_body(request, piece, *piece_bytes);
            *piece_bytes = 0;
            return result;
        }
        return finish_request(request) ? send_response(request) : MHD_YES;
    case HTTP_SUSPENDED:
        return send_response(request);
    case HTTP_ANSWERED:
        break;
    }
    return MHD_YES;
}

/* ---- the server ---- */

static void on_message(void *context, const char *format, va_list arguments)
{
    const struct http_server *server = context;
    char text[256];
    vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = '\0';
    server->options.on_message(text);
}

/* Paths are matched as they were sent; only query values are decoded, by the library's own rule. */
static struct MHD_Daemon *start_daemon(struct http_server *server)
{
    const struct http_options *o = &server->options;
    /* poll, not epoll: with epoll the library can miss the end of a client whose last bytes came
     * with it, and holds the request until a timeout. The logger first: later options may have to
     * say. */
    return MHD_start_daemon(
        MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_message, server,
        MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, server, MHD_OPTION_LISTEN_SOCKET,
        atomic_load(&server->listener), MHD_OPTION_THREAD_POOL_SIZE, (unsigned)o->threads,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s, MHD_OPTION_URI_LOG_CALLBACK,
        on_target, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
}

struct http_server *http_start(const struct http_options *options, struct ppm_error *error)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server) {
        ppm_fail(error, PPM_NO_MEMORY, "out of memory");
        return NULL;
    }
    server->options = *options;
    server->listener =
        http_listen(options->host, options->port, server->address, sizeof server->address, error);
    if (server->listener < 0 || http_start_watching(server, error) != PPM_OK)
        goto fail;
    if ((server->daemon = start_daemon(server)))
        return server;
    ppm_fail(error, PPM_IO, "cannot serve on %s: the HTTP library did not start", server->address);
    http_stop_watching(server);
fail:
    if (server->listener >= 0)
        close(server->listener);
    free(server);
    return NULL;
}

const char *http_address(const struct http_server *server)
{
    return server->address;
}

void http_stop_accepting(struct http_server *server)
{
    int listener = atomic_exchange(&server->listener, -1);
    if (listener < 0)
        return;
    MHD_quiesce_daemon(server->daemon);
    usleep(ACCEPT_GRACE_US); /* a thread may be in accept(); its connection is to be served */
    shutdown(listener, SHUT_RDWR);
    close(listener);
    if (strncmp(server->address, "unix:", 5) == 0)
        unlink(server->address + 5);
}

size_t http_in_flight(const struct http_server *server)
{
    return atomic_load(&server->in_flight);
}

size_t http_bytes_in_flight(const struct http_server *server)
{
    return atomic_load(&server->bytes_in_flight);
}

void http_stop(struct http_server *server)
{
    if (!server)
        return;
    http_stop_accepting(server);
    http_close_connections(server);
    MHD_stop_daemon(server->daemon);
    http_stop_watching(server);
    free(server);
}
