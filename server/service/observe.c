/* observe.c - see observe.h. */
#include "server/service/observe.h"
#include "server/handlers/record.h"
#include "server/observe/log.h"
#include "server/observe/metrics.h"

void observe_configure(const struct settings *settings)
{
    log_set_format((enum log_format)settings->log_format);
    log_set_level((enum log_level)settings->log_level);
    log_set_slow_ms(settings->log_slow_ms);
}

void observe_answer(const struct http_request *request)
{
    enum { CLIENT_BYTES = 64 };
    const struct http_trace *trace = *request->trace.trace_id ? &request->trace : NULL;
    const char *route = request->route ? request->route->pattern : NULL;
    static const struct record none;
    const struct record *record = request->record ? request->record : &none;
    const double total_ms = http_elapsed_ms(request);
    char client[CLIENT_BYTES];
    http_client_address(request, client, sizeof client);
    metrics_answered(&(struct metrics_request){
        .route = route,
        .model = record->model,
        .status = request->response.status,
        .request_s = total_ms / 1e3,
        .queue_s = record->queue_ms / 1e3,
        .decode_s = record->decode_ms / 1e3,
        .compute_s = record->compute_ms / 1e3,
        .encode_s = record->encode_ms / 1e3,
        .together = record->together,
        .image_decode_s = record->image_decode_ms / 1e3,
        .image_pixels = record->image_width * record->image_height,
    });
    log_request(&(struct log_request){
        .id = request->id,
        .client = client,
        .method = request->method,
        .target = request->target,
        .route = route,
        .model = record->model,
        .trace_id = trace ? trace->trace_id : NULL,
        .parent_id = trace ? trace->parent_id : NULL,
        .span_id = trace ? trace->span_id : NULL,
        .status = request->response.status,
        .bytes_in = request->body_bytes,
        .bytes_out = request->response.body_bytes,
        .total_ms = total_ms,
        .queue_ms = record->queue_ms,
        .decode_ms = record->decode_ms,
        .compute_ms = record->compute_ms,
        .encode_ms = record->encode_ms,
        .image_width = record->image_width,
        .image_height = record->image_height,
    });
}

void observe_refusal(enum http_refusal why)
{
    static const enum metrics_rejection reasons[] = {
        [HTTP_TOO_LARGE] = METRICS_TOO_LARGE,       [HTTP_NO_MEMORY] = METRICS_MEMORY,
        [HTTP_UNAUTHORIZED] = METRICS_UNAUTHORIZED, [HTTP_FOREIGN] = METRICS_FOREIGN,
        [HTTP_CROWDED] = METRICS_CONNECTIONS,
    };
    metrics_rejected(reasons[why]);
}

void observe_abort(enum http_abort why, enum http_stage stage)
{
    static const enum metrics_cancellation reasons[] = {
        [HTTP_CLIENT_GONE] = METRICS_CLIENT_GONE,
        [HTTP_DEADLINE] = METRICS_DEADLINE,
        [HTTP_IDLE] = METRICS_IDLE,
    };
    static const enum metrics_stage stages[] = {
        [HTTP_IN_HEAD] = METRICS_HEAD,
        [HTTP_IN_BODY] = METRICS_BODY,
        [HTTP_IN_ANSWER] = METRICS_ANSWER,
    };
    metrics_cancelled(reasons[why], stages[stage]);
}

void observe_message(const char *text)
{
    log_line(LOG_DEBUG, "http: %s", text);
}
