/* metrics_text.c - see metrics_text.h. */
#include "server/observe/metrics_text.h"
#include "server/observe/metrics_counts.h"
#include "server/observe/metrics_process.h"

#include <stdlib.h>

static const char *const rejections[METRICS_REJECTION_COUNT] = {
    [METRICS_QUEUE_FULL] = "queue_full",
    [METRICS_DRAINING] = "draining",
    [METRICS_MEMORY] = "memory",
    [METRICS_TOO_LARGE] = "too_large",
    [METRICS_UNAUTHORIZED] = "unauthorized",
    [METRICS_FOREIGN] = "foreign",
    [METRICS_CONNECTIONS] = "connections",
};
static const char *const cancellations[METRICS_CANCELLATION_COUNT] = {
    [METRICS_CLIENT_GONE] = "client_gone",
    [METRICS_DEADLINE] = "deadline",
    [METRICS_IDLE] = "idle"};
static const char *const stages[METRICS_STAGE_COUNT] = {
    [METRICS_HEAD] = "head",       [METRICS_BODY] = "body",     [METRICS_QUEUE] = "queue",
    [METRICS_COMPUTE] = "compute", [METRICS_ANSWER] = "answer",
};

static void print_histogram(struct metrics_page *page, const struct histogram_kind *kind,
                            const struct model_counts *model, const struct histogram *histogram)
{
    unsigned long long below = 0;
    for (size_t i = 0; i < kind->bound_count; i++) {
        below += histogram->buckets[i];
        metrics_print(page, "%s_bucket{model=\"%s\",le=\"%g\"} %llu\n", kind->name, model->model,
                      kind->bounds[i], below);
    }
    below += histogram->buckets[kind->bound_count];
    metrics_print(page, "%s_bucket{model=\"%s\",le=\"+Inf\"} %llu\n", kind->name, model->model,
                  below);
    metrics_print(page, "%s_sum{model=\"%s\"} %.9g\n", kind->name, model->model, histogram->sum);
    metrics_print(page, "%s_count{model=\"%s\"} %llu\n", kind->name, model->model, below);
}

static void print_histograms(struct metrics_page *page, const struct metrics_counts *counts)
{
    for (size_t which = 0; which < HISTOGRAM_COUNT; which++) {
        const struct histogram_kind *kind = &metrics_histograms[which];
        metrics_print_head(page, kind->name, "histogram", kind->help);
        /* requests without a model have no stages */
        for (size_t i = which == HISTOGRAM_REQUEST ? 0 : 1; i <= counts->model_count; i++)
            print_histogram(page, kind, &counts->models[i], &counts->models[i].histograms[which]);
    }
}

static void print_counters(struct metrics_page *page, const struct metrics_counts *counts)
{
    static const char requests[] = "ppm_requests_total", rejected[] = "ppm_rejected_total",
                      cancelled[] = "ppm_cancelled_total";
    metrics_print_head(page, requests, "counter", "Requests answered.");
    for (size_t i = 0; i <= counts->model_count; i++)
        for (size_t k = 0; k < counts->models[i].series_count; k++) {
            const struct series *series = &counts->models[i].series[k];
            metrics_print(page, "%s{model=\"%s\",route=\"%s\",code=\"%u\"} %llu\n", requests,
                          counts->models[i].model, series->route, series->status, series->count);
        }
    metrics_print_head(page, rejected, "counter", "Requests refused that may be valid, by reason.");
    for (size_t i = 0; i < METRICS_REJECTION_COUNT; i++)
        metrics_print(page, "%s{reason=\"%s\"} %llu\n", rejected, rejections[i],
                      counts->rejected[i]);
    metrics_print_head(page, cancelled, "counter",
                       "Requests abandoned, by reason and the stage reached.");
    for (size_t i = 0; i < METRICS_CANCELLATION_COUNT; i++)
        for (size_t k = 0; k < METRICS_STAGE_COUNT; k++)
            metrics_print(page, "%s{reason=\"%s\",stage=\"%s\"} %llu\n", cancelled,
                          cancellations[i], stages[k], counts->cancelled[i][k]);
}

static void print_gauges(struct metrics_page *page, const struct metrics_gauges *gauges)
{
    const struct {
        const char *name, *help;
        double value;
    } table[] = {
        {"ppm_requests_in_flight", "Requests not answered yet.", (double)gauges->in_flight},
        {"ppm_queue_depth", "Requests waiting in the queue.", (double)gauges->queued},
        {"ppm_queue_depth_limit", "Its limit, queue_max.", (double)gauges->queue_max},
        {"ppm_bytes_in_flight", "Memory taken by requests in flight.",
         (double)gauges->bytes_in_flight},
        {"ppm_bytes_kept", "Memory kept for the next requests, and freed when one needs it.",
         (double)gauges->bytes_kept},
        {"ppm_bytes_in_flight_limit", "Its limit, memory_max_bytes.",
         (double)gauges->memory_max_bytes},
        {"ppm_connections", "Open connections.", (double)gauges->connections},
        {"ppm_connections_limit", "Their limit, connections_max.", (double)gauges->connections_max},
        {"ppm_models", "Models being served.", (double)gauges->models},
        {"ppm_threads", "Threads that compute.", (double)gauges->threads},
        {"ppm_ready", "1 while /readyz answers 200.", gauges->is_ready},
        {"process_start_time_seconds", "When the process started, since 1970.", gauges->started_s},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        metrics_print_value(page, table[i].name, "gauge", table[i].help, table[i].value);
    metrics_print_head(page, "ppm_isa_info", "gauge", "The kernel set in use.");
    metrics_print(page, "ppm_isa_info{isa=\"%s\"} 1\n", gauges->isa);
    metrics_print_head(page, "ppm_build_info", "gauge", "The version of ppm-server.");
    metrics_print(page, "ppm_build_info{version=\"%s\"} 1\n", PPM_VERSION);
}

char *metrics_text(const struct metrics_gauges *gauges, size_t *ret_bytes)
{
    char *text = NULL;
    struct metrics_counts *counts = metrics_snapshot();
    struct metrics_page page = {.file = counts ? open_memstream(&text, ret_bytes) : NULL};
    if (page.file) {
        print_counters(&page, counts);
        print_histograms(&page, counts);
        print_gauges(&page, gauges);
        metrics_print_process(&page);
    }
    free(counts);
    if (!page.file)
        return NULL;
    if (fclose(page.file) == 0 && !page.is_short)
        return text;
    free(text);
    return NULL;
}
