/* http_answer.c - responses to connections, with the headers that every answer carries. */
#include "server/http/http_private.h"

#include <stdio.h>

static void add_trace(const struct http_trace *trace, struct MHD_Response *response)
{
    char traceparent[64];
    snprintf(traceparent, sizeof traceparent, "00-%s-%s-0%d", trace->trace_id, trace->span_id,
             trace->is_sampled);
    MHD_add_response_header(response, "traceparent", traceparent);
}

/* Milliseconds to the microsecond; "%.3f" takes several times as long. */
struct duration {
    long ms, us;
};
static struct duration duration_of(double ms)
{
    const long us = (long)(1e3 * ms + 0.5);
    return (struct duration){us / 1000, us % 1000};
}

static void add_timing(const struct http_request *request, struct MHD_Response *response)
{
    const struct duration queue = duration_of(request->queue_ms),
                          compute = duration_of(request->compute_ms),
                          decode = duration_of(request->decode_ms),
                          encode = duration_of(request->encode_ms);
    char timing[192];
    snprintf(timing, sizeof timing,
             "queue;dur=%ld.%03ld, compute;dur=%ld.%03ld, decode;dur=%ld.%03ld, "
             "encode;dur=%ld.%03ld",
             queue.ms, queue.us, compute.ms, compute.us, decode.ms, decode.us, encode.ms,
             encode.us);
    MHD_add_response_header(response, "Server-Timing", timing);
}

static void add_standard_headers(struct http_request *request, struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", request->id);
    add_timing(request, response);
    if (*request->trace.trace_id)
        add_trace(&request->trace, response);
    if (request->response.content_type)
        MHD_add_response_header(response, "Content-Type", request->response.content_type);
    http_add_cors(request, response);
    if (request->closes || request->server->listener < 0)
        MHD_add_response_header(response, "Connection", "close");
    for (size_t i = 0; i < request->response.header_count; i++)
        MHD_add_response_header(response, request->response.headers[i].name,
                                request->response.headers[i].value);
}

enum MHD_Result http_send(struct http_request *request)
{
    struct http_response *response = &request->response;
    struct MHD_Response *sent = MHD_create_response_from_buffer_with_free_callback_cls(
        response->body_bytes, response->body, response->free_memory, response->memory);
    request->phase = HTTP_ANSWERED;
    if (!sent)
        return MHD_NO;
    response->memory = NULL;
    http_expect_reader(http_connection_of(request->connection));
    add_standard_headers(request, sent);
    enum MHD_Result result = MHD_queue_response(request->connection, response->status, sent);
    MHD_destroy_response(sent);
    request->server->options.on_answer(request);
    return result;
}
