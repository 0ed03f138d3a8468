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

static void add_standard_headers(struct http_request *request, struct MHD_Response *response)
{
    char timing[192];
    snprintf(timing, sizeof timing,
             "queue;dur=%.3f, compute;dur=%.3f, decode;dur=%.3f, encode;dur=%.3f",
             request->queue_ms, request->compute_ms, request->decode_ms, request->encode_ms);
    MHD_add_response_header(response, "X-Request-Id", request->id);
    MHD_add_response_header(response, "Server-Timing", timing);
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
