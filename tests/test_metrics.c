/* test_metrics.c - counters and histograms as Prometheus text. */
#include "server/metrics.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(struct metrics *metrics)
{
    const struct metrics_gauges gauges = {.in_flight = 3,
                                          .queued = 2,
                                          .bytes_in_flight = 1000,
                                          .models = 4,
                                          .threads = 8,
                                          .isa = "scalar",
                                          .is_ready = 1};
    size_t bytes = 0;
    char *text = metrics_text(metrics, &gauges, &bytes);
    cr_assert(text != NULL && strlen(text) == bytes);
    return text;
}

static void check_lines(struct metrics *metrics, const char *const *lines)
{
    char *text = text_of(metrics);
    for (; *lines; lines++) {
        char line[160];
        snprintf(line, sizeof line, "\n%s\n", *lines);
        cr_assert(strstr(text, line) != NULL, "no line \"%s\" in\n%s", *lines, text);
    }
    free(text);
}

Test(metrics, begin_at_zero_and_show_the_gauges)
{
    struct metrics *metrics = metrics_create();
    check_lines(metrics,
                LIST("ppm_requests_in_flight 3", "ppm_queue_depth 2", "ppm_bytes_in_flight 1000",
                     "ppm_models 4", "ppm_threads 8", "ppm_ready 1",
                     "ppm_isa_info{isa=\"scalar\"} 1", "ppm_request_seconds_count 0",
                     "ppm_compute_seconds_bucket{le=\"+Inf\"} 0"));
    metrics_free(metrics);
    metrics_free(NULL);
}

Test(metrics, requests_are_counted_by_route_and_status)
{
    struct metrics *metrics = metrics_create();
    for (int i = 0; i < 3; i++)
        metrics_count(metrics, "/ppm", 200, 0.1, 0.01, 0.02);
    metrics_count(metrics, "/ppm", 503, 0.1, 0, 0);
    metrics_count(metrics, "/ppm/{model}", 200, 0.1, 0.01, 0.02);
    metrics_count(metrics, "", 404, 0.1, 0, 0);
    check_lines(metrics, LIST("ppm_requests_total{route=\"/ppm\",code=\"200\"} 3",
                              "ppm_requests_total{route=\"/ppm\",code=\"503\"} 1",
                              "ppm_requests_total{route=\"/ppm/{model}\",code=\"200\"} 1",
                              "ppm_requests_total{route=\"none\",code=\"404\"} 1",
                              "ppm_request_seconds_count 6", "ppm_compute_seconds_count 4"));
    metrics_free(metrics);
}

Test(metrics, buckets_hold_all_that_is_not_above_them)
{
    struct metrics *metrics = metrics_create();
    static const double seconds[] = {0.0005, 0.001, 0.0011, 1, 29, 31, 1000};
    for (size_t i = 0; i < COUNT(seconds); i++)
        metrics_count(metrics, "/ppm", 200, seconds[i], seconds[i], seconds[i]);
    check_lines(metrics,
                LIST("ppm_compute_seconds_bucket{le=\"0.001\"} 2",
                     "ppm_compute_seconds_bucket{le=\"0.0025\"} 3",
                     "ppm_compute_seconds_bucket{le=\"0.5\"} 3",
                     "ppm_compute_seconds_bucket{le=\"1\"} 4",
                     "ppm_compute_seconds_bucket{le=\"30\"} 5",
                     "ppm_compute_seconds_bucket{le=\"+Inf\"} 7", "ppm_compute_seconds_count 7",
                     "ppm_compute_seconds_sum 1061.0026", "ppm_queue_seconds_count 7"));
    metrics_free(metrics);
}

/* Whatever statuses and routes there are, memory and text stay bounded. */
Test(metrics, labels_are_bounded)
{
    struct metrics *metrics = metrics_create();
    char route[80];
    for (unsigned i = 0; i < 2000; i++) {
        snprintf(route, sizeof route, "/route-%u", i % 50);
        metrics_count(metrics, route, 100 + i % 500, 0.1, 0, 0);
    }
    char *text = text_of(metrics);
    cr_assert(strlen(text) < 64 * 1024);
    free(text);
    check_lines(metrics, LIST("ppm_request_seconds_count 2000"));
    metrics_free(metrics);
}
