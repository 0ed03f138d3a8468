/* http_answer.c - responses to connections, with the headers that every answer has.
 *
 * libmicrohttpd 0.9.75 may forget a connection that it has to resume when memory runs out at that
 * moment, so http_answer sets a deadline for it. */
#include "server/http/http_answer.h"
#include "server/http/connection.h"
#include "server/http/cors.h"
#include "server/http/deadlines.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <stdio.h>

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_trace(const struct http_trace *trace, struct MHD_Response *response)
{
    char traceparent[64];
    snprintf(traceparent, sizeof traceparent, "00-%s-%s-0%d", trace->trace_id, trace->span_id,
             trace->is_sampled);
    return add(response, "traceparent", traceparent);
}

static bool add_timing(const struct http_request *request, struct MHD_Response *response)
{
    char timing[HTTP_TIMING_BYTES];
    request->server->options.application->write_timing(request, timing, sizeof timing);
    return add(response, "Server-Timing", timing);
}

/* False: no memory for all of them, and with one missing the answer would mean something else. */
static bool add_headers(const struct http_request *request, struct MHD_Response *response)
{
    const struct http_response *own = &request->response;
    bool is_whole = add(response, "X-Request-Id", request->id) && add_timing(request, response) &&
                    (!*request->trace.trace_id || add_trace(&request->trace, response)) &&
                    (!own->content_type || add(response, "Content-Type", own->content_type)) &&
                    http_add_cors(request, response);
    if (request->closes || atomic_load(&request->server->is_leaving))
        is_whole = is_whole && add(response, "Connection", "close");
    for (size_t i = 0; i < own->header_count; i++)
        is_whole = is_whole && add(response, own->headers[i].name, own->headers[i].value);
    return is_whole;
}

/* NULL: no memory. */
static struct MHD_Response *create_response(struct http_request *request)
{
    struct http_response *own = &request->response;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        own->body_bytes, own->body, own->free_memory, own->memory);
    if (!response)
        return NULL;
    own->memory = NULL;
    if (add_headers(request, response))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

enum MHD_Result http_send(struct http_request *request)
{
    struct http_response *own = &request->response;
    struct MHD_Response *response = create_response(request);
    enum MHD_Result result = MHD_NO; /* which closes the connection */
    request->phase = HTTP_ANSWERED;
    if (response) {
        http_expect_reader(http_connection_of(request->connection));
        result = MHD_queue_response(request->connection, own->status, response);
        MHD_destroy_response(response);
    } else {
        own->status = 503;
        own->body_bytes = 0;
    }
    request->server->options.on_answer(request);
    return result;
}

void http_answer_later(struct http_request *request)
{
    request->phase = HTTP_SUSPENDED;
    MHD_suspend_connection(request->connection);
}

void http_answer(struct http_request *request)
{
    http_expect_resumption(http_connection_of(request->connection));
    MHD_resume_connection(request->connection);
}
