/* ops.c - see ops.h. */
#include "server/handlers/ops.h"
#include "server/base/memory.h"
#include "server/handlers/app.h"
#include "server/observe/metrics.h"
#include "server/observe/metrics_text.h"

#include <string.h>

static enum http_next respond_text(struct http_request *request, const char *text)
{
    char *body = strdup(text);
    if (!body)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "text/plain; charset=utf-8", body, strlen(body));
    return HTTP_RESPOND;
}

enum http_next healthz_finish(struct http_request *request)
{
    return respond_text(request, "ok\n");
}

enum http_next readyz_finish(struct http_request *request)
{
    const struct app *app = request->context;
    if (atomic_load(&app->is_ready))
        return respond_text(request, "ready\n");
    return http_problem(request, 503, "the server is %s",
                        atomic_load(&app->is_leaving) ? "stopping" : "starting");
}

enum http_next metrics_finish(struct http_request *request)
{
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    const struct metrics_gauges gauges = {.in_flight = http_in_flight(request->server),
                                          .queued = executor_queued(app->executor),
                                          .queue_max = app->settings.queue_max,
                                          .bytes_in_flight = memory_taken(),
                                          .bytes_kept = memory_kept(),
                                          .memory_max_bytes = memory_max(),
                                          .connections = http_connections(request->server),
                                          .connections_max = app->settings.http.connections_max,
                                          .models = registry_loaded(registry),
                                          .threads = app->threads,
                                          .isa = ppm_isa_name(),
                                          .is_ready = atomic_load(&app->is_ready),
                                          .started_s = app->started_s};
    size_t bytes = 0;
    registry_release(registry);
    char *text = metrics_text(&gauges, &bytes);
    if (!text)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
    return HTTP_RESPOND;
}
