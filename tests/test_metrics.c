/* test_metrics.c - counters and histograms as Prometheus text. */
#include "server/observe/metrics.h"
#include "server/observe/metrics_text.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *text_of(void)
{
    const struct metrics_gauges gauges = {.in_flight = 3,
                                          .queued = 2,
                                          .queue_max = 64,
                                          .bytes_in_flight = 1000,
                                          .bytes_kept = 2000,
                                          .memory_max_bytes = (size_t)1 << 50,
                                          .connections = 5,
                                          .connections_max = 512,
                                          .models = 4,
                                          .threads = 8,
                                          .started_s = 1700000000.25,
                                          .isa = "scalar",
                                          .is_ready = 1};
    size_t bytes = 0;
    char *text = metrics_text(&gauges, &bytes);
    cr_assert(text != NULL && strlen(text) == bytes);
    return text;
}

static void check_lines(const char *const *lines)
{
    char *text = text_of();
    for (; *lines; lines++) {
        char line[160];
        snprintf(line, sizeof line, "\n%s\n", *lines);
        cr_assert(strstr(text, line) != NULL, "no line \"%s\" in\n%s", *lines, text);
    }
    free(text);
}

/* A request that took this long in total and in every stage. */
static void answer(const char *model, const char *route, unsigned status, double seconds)
{
    metrics_answered(&(struct metrics_request){.model = model,
                                               .route = route,
                                               .status = status,
                                               .request_s = seconds,
                                               .queue_s = seconds,
                                               .decode_s = seconds,
                                               .compute_s = seconds,
                                               .encode_s = seconds});
}

Test(metrics, gauges_are_what_they_are)
{
    check_lines(LIST("ppm_requests_in_flight 3", "ppm_queue_depth 2", "ppm_queue_depth_limit 64",
                     "ppm_bytes_in_flight 1000", "ppm_bytes_kept 2000",
                     "ppm_bytes_in_flight_limit 1125899906842624", "ppm_connections 5",
                     "ppm_connections_limit 512", "ppm_models 4", "ppm_threads 8", "ppm_ready 1",
                     "process_start_time_seconds 1700000000.25", "ppm_isa_info{isa=\"scalar\"} 1",
                     "ppm_build_info{version=\"" PPM_VERSION "\"} 1"));
}

Test(metrics, the_process_shows_itself)
{
    static const char *const names[] = {"process_resident_memory_bytes",
                                        "process_virtual_memory_bytes", "process_open_fds",
                                        "process_max_fds", "process_cpu_seconds_total"};
    static volatile char touched[64 << 20];
    double values[2][COUNT(names)];
    for (size_t round = 0; round < 2; round++) {
        char *text = text_of();
        for (size_t i = 0; i < COUNT(names); i++) {
            char line[64];
            snprintf(line, sizeof line, "\n%s ", names[i]);
            const char *at = strstr(text, line);
            cr_assert(at != NULL, "%s", names[i]);
            values[round][i] = atof(at + strlen(line));
        }
        free(text);
        for (size_t i = 0; i < sizeof touched; i += 4096)
            touched[i] = 1;
        cr_assert(dup(0) > 0);
    }
    cr_assert(values[1][0] - values[0][0] > 60 << 20, "%.0f, then %.0f bytes", values[0][0],
              values[1][0]);
    cr_assert(values[1][1] > values[1][0]);
    cr_assert(values[1][2] == values[0][2] + 1, "%.0f, then %.0f", values[0][2], values[1][2]);
    cr_assert(values[1][3] >= values[1][2] && values[1][4] > 0);
}

Test(metrics, begin_at_zero_for_every_reason_and_model)
{
    metrics_add_model("psp");
    check_lines(LIST(
        "ppm_rejected_total{reason=\"queue_full\"} 0", "ppm_rejected_total{reason=\"draining\"} 0",
        "ppm_rejected_total{reason=\"memory\"} 0", "ppm_rejected_total{reason=\"too_large\"} 0",
        "ppm_rejected_total{reason=\"unauthorized\"} 0", "ppm_rejected_total{reason=\"foreign\"} 0",
        "ppm_rejected_total{reason=\"connections\"} 0",
        "ppm_cancelled_total{reason=\"client_gone\",stage=\"head\"} 0",
        "ppm_cancelled_total{reason=\"deadline\",stage=\"answer\"} 0",
        "ppm_request_seconds_count{model=\"none\"} 0", "ppm_request_seconds_count{model=\"psp\"} 0",
        "ppm_compute_seconds_bucket{model=\"psp\",le=\"+Inf\"} 0",
        "ppm_batch_size_sum{model=\"psp\"} 0"));
}

Test(metrics, requests_are_counted_by_model_route_and_code)
{
    for (int i = 0; i < 3; i++)
        answer("psp", "/ppm", 200, 0.1);
    answer("psp", "/ppm", 503, 0);
    answer("psp", "/ppm/{model}", 200, 0.1);
    answer("ppm", "/ppm/{model}", 200, 0.1);
    answer(NULL, "/ppm/{model}", 404, 0);
    answer(NULL, NULL, 404, 0);
    check_lines(LIST(
        "ppm_requests_total{model=\"psp\",route=\"/ppm\",code=\"200\"} 3",
        "ppm_requests_total{model=\"psp\",route=\"/ppm\",code=\"503\"} 1",
        "ppm_requests_total{model=\"psp\",route=\"/ppm/{model}\",code=\"200\"} 1",
        "ppm_requests_total{model=\"ppm\",route=\"/ppm/{model}\",code=\"200\"} 1",
        "ppm_requests_total{model=\"none\",route=\"/ppm/{model}\",code=\"404\"} 1",
        "ppm_requests_total{model=\"none\",route=\"none\",code=\"404\"} 1",
        "ppm_request_seconds_count{model=\"psp\"} 5", "ppm_request_seconds_count{model=\"none\"} 2",
        "ppm_queue_seconds_count{model=\"psp\"} 4", "ppm_decode_seconds_count{model=\"psp\"} 4",
        "ppm_compute_seconds_count{model=\"psp\"} 4", "ppm_encode_seconds_count{model=\"psp\"} 4",
        "ppm_encode_seconds_sum{model=\"psp\"} 0.4"));
}

Test(metrics, reasons_are_counted_apart)
{
    for (int i = 0; i < METRICS_REJECTION_COUNT; i++)
        for (int k = 0; k <= i; k++)
            metrics_rejected((enum metrics_rejection)i);
    metrics_cancelled(METRICS_CLIENT_GONE, METRICS_COMPUTE);
    metrics_cancelled(METRICS_DEADLINE, METRICS_QUEUE);
    metrics_cancelled(METRICS_DEADLINE, METRICS_QUEUE);
    check_lines(LIST(
        "ppm_rejected_total{reason=\"queue_full\"} 1", "ppm_rejected_total{reason=\"draining\"} 2",
        "ppm_rejected_total{reason=\"memory\"} 3", "ppm_rejected_total{reason=\"too_large\"} 4",
        "ppm_rejected_total{reason=\"unauthorized\"} 5",
        "ppm_cancelled_total{reason=\"client_gone\",stage=\"compute\"} 1",
        "ppm_cancelled_total{reason=\"client_gone\",stage=\"queue\"} 0",
        "ppm_cancelled_total{reason=\"deadline\",stage=\"queue\"} 2"));
}

Test(metrics, buckets_hold_all_that_is_not_above_them)
{
    static const double seconds[] = {0.0001, 0.00011, 0.0005, 0.001, 0.0011, 1, 29, 31, 1000};
    static const size_t sizes[] = {1, 2, 3, 64, 65};
    for (size_t i = 0; i < COUNT(seconds); i++)
        answer("psp", "/ppm", 200, seconds[i]);
    for (size_t i = 0; i < COUNT(sizes); i++)
        metrics_batch("psp", sizes[i]);
    check_lines(LIST("ppm_compute_seconds_bucket{model=\"psp\",le=\"0.0001\"} 1",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"0.00025\"} 2",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"0.001\"} 4",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"0.5\"} 5",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"1\"} 6",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"30\"} 7",
                     "ppm_compute_seconds_bucket{model=\"psp\",le=\"+Inf\"} 9",
                     "ppm_compute_seconds_count{model=\"psp\"} 9",
                     "ppm_compute_seconds_sum{model=\"psp\"} 1061.00281",
                     "ppm_batch_size_bucket{model=\"psp\",le=\"1\"} 1",
                     "ppm_batch_size_bucket{model=\"psp\",le=\"2\"} 2",
                     "ppm_batch_size_bucket{model=\"psp\",le=\"4\"} 3",
                     "ppm_batch_size_bucket{model=\"psp\",le=\"64\"} 4",
                     "ppm_batch_size_bucket{model=\"psp\",le=\"+Inf\"} 5",
                     "ppm_batch_size_sum{model=\"psp\"} 135"));
}

/* Memory and text stay bounded for any models, routes and statuses. */
Test(metrics, labels_are_bounded)
{
    static char names[1000][16];
    for (unsigned i = 0; i < COUNT(names); i++) {
        snprintf(names[i], sizeof names[i], "name-%u", i);
        answer("psp", names[i], 100 + i % 500, 0.1);
    }
    check_lines(LIST("ppm_request_seconds_count{model=\"psp\"} 1000"));
    for (unsigned i = 0; i < COUNT(names); i++)
        answer(names[i], "/ppm", 200, 0.1);
    check_lines(LIST("ppm_request_seconds_count{model=\"name-252\"} 1",
                     "ppm_request_seconds_count{model=\"other\"} 747"));
    char *text = text_of();
    size_t models = 0;
    for (const char *at = text; (at = strstr(at, "\nppm_queue_seconds_count{")); at++)
        models++;
    cr_assert(models == 255, "%zu", models); /* psp, 253 of the names, other */
    cr_assert(strstr(text, "name-253") == NULL || strstr(text, "route=\"name-253\""));
    free(text);
}

static void *count_many(void *context)
{
    for (int i = 0; i < 1000; i++) {
        answer(context, "/ppm", 200, 0.1);
        metrics_rejected(METRICS_MEMORY);
        if (i % 100 == 0)
            free(text_of());
    }
    return NULL;
}

Test(metrics, many_threads_may_count)
{
    static char model[] = "psp";
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        cr_assert(pthread_create(&threads[i], NULL, count_many, model) == 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    check_lines(LIST("ppm_requests_total{model=\"psp\",route=\"/ppm\",code=\"200\"} 4000",
                     "ppm_rejected_total{reason=\"memory\"} 4000"));
}
