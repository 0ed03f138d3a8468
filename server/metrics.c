/* metrics.c - see metrics.h. */
#include "server/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Upper bounds of the histograms' buckets in seconds; the last bucket is +Inf. */
static const double bounds_s[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                  0.25,  0.5,    1,     2.5,  5,     10,   30};
enum { BOUND_COUNT = sizeof bounds_s / sizeof *bounds_s, ROUTES_MAX = 16, STATUSES_MAX = 24 };

struct histogram {
    unsigned long long buckets[BOUND_COUNT + 1], count;
    double sum_s;
};

struct route_counts {
    char route[64];
    unsigned statuses[STATUSES_MAX];
    unsigned long long counts[STATUSES_MAX];
};

struct metrics {
    pthread_mutex_t mutex;
    struct route_counts routes[ROUTES_MAX];
    struct histogram request, queue, compute;
};

struct metrics *metrics_create(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics)
        pthread_mutex_init(&metrics->mutex, NULL);
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

static void observe(struct histogram *histogram, double value_s)
{
    size_t bucket = 0;
    while (bucket < BOUND_COUNT && value_s > bounds_s[bucket])
        bucket++;
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_s += value_s;
}

/* Both tables hold a program's few routes and statuses; what would not fit is not counted apart. */
static void count_status(struct metrics *metrics, const char *route, unsigned status)
{
    struct route_counts *counts = metrics->routes;
    const struct route_counts *end = counts + ROUTES_MAX - 1;
    while (counts < end && counts->counts[0] > 0 && strcmp(counts->route, route) != 0)
        counts++;
    snprintf(counts->route, sizeof counts->route, "%s", route);
    size_t i = 0;
    while (i < STATUSES_MAX - 1 && counts->counts[i] > 0 && counts->statuses[i] != status)
        i++;
    counts->statuses[i] = status;
    counts->counts[i]++;
}

void metrics_count(struct metrics *metrics, const char *route, unsigned status, double total_s,
                   double queue_s, double compute_s)
{
    pthread_mutex_lock(&metrics->mutex);
    count_status(metrics, route, status);
    observe(&metrics->request, total_s);
    if (compute_s > 0) {
        observe(&metrics->queue, queue_s);
        observe(&metrics->compute, compute_s);
    }
    pthread_mutex_unlock(&metrics->mutex);
}

static void print_histogram(FILE *file, const char *name, const char *help,
                            const struct histogram *histogram)
{
    unsigned long long below = 0;
    fprintf(file, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        below += histogram->buckets[i];
        fprintf(file, "%s_bucket{le=\"%g\"} %llu\n", name, bounds_s[i], below);
    }
    fprintf(file, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n", name,
            histogram->count, name, histogram->sum_s, name, histogram->count);
}

static void print_requests(FILE *file, const struct metrics *metrics)
{
    fprintf(file, "# HELP ppm_requests_total Requests answered.\n"
                  "# TYPE ppm_requests_total counter\n");
    for (size_t r = 0; r < ROUTES_MAX; r++)
        for (size_t i = 0; i < STATUSES_MAX && metrics->routes[r].counts[i] > 0; i++)
            fprintf(file, "ppm_requests_total{route=\"%s\",code=\"%u\"} %llu\n",
                    *metrics->routes[r].route ? metrics->routes[r].route : "none",
                    metrics->routes[r].statuses[i], metrics->routes[r].counts[i]);
}

static void print_gauge(FILE *file, const char *name, const char *help, size_t value)
{
    fprintf(file, "# HELP %s %s\n# TYPE %s gauge\n%s %zu\n", name, help, name, name, value);
}

char *metrics_text(struct metrics *metrics, const struct metrics_gauges *gauges, size_t *ret_bytes)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, ret_bytes);
    if (!file)
        return NULL;
    pthread_mutex_lock(&metrics->mutex);
    print_requests(file, metrics);
    print_histogram(file, "ppm_request_seconds", "From a request's head to its answer.",
                    &metrics->request);
    print_histogram(file, "ppm_queue_seconds", "Waiting to be computed.", &metrics->queue);
    print_histogram(file, "ppm_compute_seconds", "Decoding, computing and encoding.",
                    &metrics->compute);
    pthread_mutex_unlock(&metrics->mutex);
    print_gauge(file, "ppm_requests_in_flight", "Requests not answered yet.", gauges->in_flight);
    print_gauge(file, "ppm_queue_depth", "Requests waiting to be computed.", gauges->queued);
    print_gauge(file, "ppm_bytes_in_flight", "Memory taken by requests in flight.",
                gauges->bytes_in_flight);
    print_gauge(file, "ppm_models", "Models being served.", gauges->models);
    print_gauge(file, "ppm_threads", "Threads that compute.", gauges->threads);
    print_gauge(file, "ppm_ready", "1 while /readyz answers 200.", (size_t)gauges->is_ready);
    fprintf(file,
            "# HELP ppm_isa_info The kernel set in use.\n# TYPE ppm_isa_info gauge\n"
            "ppm_isa_info{isa=\"%s\"} 1\n",
            gauges->isa);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}
