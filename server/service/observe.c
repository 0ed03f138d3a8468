/* observe.c - see observe.h. */
#include "server/service/observe.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"

void observe_answer(const struct http_request *request)
{
    enum { CLIENT_BYTES = 64 };
    const struct http_trace *trace = *request->trace.trace_id ? &request->trace : NULL;
    const char *route = request->route ? request->route->pattern : NULL;
    const double total_ms = http_elapsed_ms(request);
    char client[CLIENT_BYTES];
    http_client_address(request, client, sizeof client);
    metrics_answered(&(struct metrics_request){
        .route = route,
        .model = request->model,
        .status = request->response.status,
        .request_s = total_ms / 1e3,
        .queue_s = request->queue_ms / 1e3,
        .decode_s = request->decode_ms / 1e3,
        .compute_s = request->compute_ms / 1e3,
        .encode_s = request->encode_ms / 1e3,
        .together = request->together,
    });
    log_request(&(struct log_request){
        .id = request->id,
        .client = client,
        .method = request->method,
        .target = request->target,
        .route = route,
        .model = request->model,
        .trace_id = trace ? trace->trace_id : NULL,
        .parent_id = trace ? trace->parent_id : NULL,
        .span_id = trace ? trace->span_id : NULL,
        .status = request->response.status,
        .bytes_in = request->body_bytes,
        .bytes_out = request->response.body_bytes,
        .total_ms = total_ms,
        .queue_ms = request->queue_ms,
        .decode_ms = request->decode_ms,
        .compute_ms = request->compute_ms,
        .encode_ms = request->encode_ms,
    });
}

void observe_message(const char *text)
{
    log_line(LOG_DEBUG, "http: %s", text);
}
