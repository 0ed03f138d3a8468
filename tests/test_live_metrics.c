/* test_live_metrics.c - what a server counts as it answers, refuses and loses clients. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POST_NPY      "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
#define REJECTED(why) "ppm_rejected_total{reason=\"" why "\"}"

Test(live_metrics, metrics_count_what_happens)
{
    static const char *const samples[] = {
        "ppm_requests_total{model=\"" LISTING1 "\",route=\"/ppm\",code=\"200\"}",
        "ppm_request_seconds_count{model=\"" LISTING1 "\"}",
        "ppm_queue_seconds_count{model=\"" LISTING1 "\"}",
        "ppm_decode_seconds_count{model=\"" LISTING1 "\"}",
        "ppm_compute_seconds_bucket{model=\"" LISTING1 "\",le=\"+Inf\"}",
        "ppm_encode_seconds_count{model=\"" LISTING1 "\"}",
        "ppm_batch_size_sum{model=\"" LISTING1 "\"}"};
    struct live live;
    double before[COUNT(samples)];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    live_check_serving(&live, "the start"); /* a code appears once it was sent */
    for (size_t i = 0; i < COUNT(samples); i++)
        before[i] = live_metric(&live, samples[i]);
    for (int i = 0; i < 3; i++)
        live_check_serving(&live, "metrics");
    for (size_t i = 0; i < COUNT(samples); i++)
        cr_assert(live_metric(&live, samples[i]) == before[i] + 3, "%s", samples[i]);
    live_stop(&live);
}

Test(live_metrics, unknown_paths_and_models_share_one_label)
{
    char target[64];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(target, sizeof target, i % 2 ? "/path-%d" : "/ppm/model-%d", i);
        struct live_answer answer = live_ask(&live, "GET", target, "", NULL, 0);
        cr_assert(answer.status == 404);
        live_answer_free(&answer);
    }
    struct live_answer answer = live_ask(&live, "GET", "/metrics", "", NULL, 0);
    cr_assert(!strstr(answer.body, "path-") && !strstr(answer.body, "model-"), "%s", answer.body);
    cr_assert(strstr(answer.body, "code=\"404\"} 20"), "%s", answer.body);
    live_answer_free(&answer);
    live_stop(&live);
}

Test(live_metrics, what_could_never_fit_is_counted)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "99"), NULL);
    for (int i = 1; i <= 3; i++) {
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm",
                     "Content-Type: application/json\r\nContent-Length: 100\r\n", NULL, 0);
        cr_assert(answer.status == 413, "%d", answer.status);
        live_answer_free(&answer);
        live_wait_metric(&live, REJECTED("too_large"), i);
    }
    cr_assert(live_metric(&live, REJECTED("memory")) == 0);
    live_stop(&live);
}

Test(live_metrics, what_others_take_the_memory_of_is_counted)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--memory-max-bytes", "1000000"), NULL);
    int holder = live_connect(&live);
    static const char bytes[500000];
    live_print(holder, POST_NPY "Content-Length: 999000\r\n\r\n");
    live_send(holder, bytes, sizeof bytes);
    live_wait_metric(&live, "ppm_bytes_in_flight", 999000);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm",
                 "Content-Type: application/json\r\nContent-Length: 70000\r\n", NULL, 0);
    cr_assert(answer.status == 503, "%d", answer.status);
    live_answer_free(&answer);
    live_wait_metric(&live, REJECTED("memory"), 1);
    close(holder);
    live_stop(&live);
}

Test(live_metrics, clients_that_leave_are_counted_where_they_left)
{
    static const struct {
        const char *bytes, *sample;
    } cases[] = {
        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", GONE("head")},
        {POST_NPY "Content-Length: 1728\r\n\r\n\x93NUMPY", GONE("body")},
        {POST_NPY "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", GONE("body")},
    };
    static const struct linger at_once = {.l_onoff = 1};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        const char *sample = cases[i / 2].sample;
        const bool is_in_body = strcmp(sample, GONE("body")) == 0, is_by_reset = i % 2 == 1;
        const double before = live_metric(&live, sample);
        int connection = live_connect(&live);
        live_print(connection, "%s", cases[i / 2].bytes);
        if (is_in_body)
            live_wait_metric(&live, "ppm_requests_in_flight", 2);
        if (is_in_body && is_by_reset) /* a reset may overtake the head */
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(connection);
        live_wait_metric(&live, sample, before + 1);
    }
    live_wait_metric(&live, "ppm_connections", 1);
    live_stop(&live);
}

/* Its response is larger than the kernel's buffers. */
Test(live_metrics, clients_that_do_not_read_their_answer_are_counted)
{
    static const char model[] =
        "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], "
        "\"output\": {\"size\": [1000, 1000]}, \"weights\": {\"random\": 1}}";
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/large.json", directory);
    live_write_file(path, model);
    live_start(&live, LIST("--model", path, "--response-timeout-ms", "3000"), NULL);
    for (int i = 0; i < 2; i++) {
        int connection = live_connect(&live);
        live_print(connection, "POST /ppm?shape=1,4,1,1 HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/octet-stream\r\n"
                               "Content-Length: 16\r\n\r\n0123456789abcdef");
        live_wait_metric(&live, "ppm_compute_seconds_count{model=\"large\"}", i + 1);
        if (i == 0)
            close(connection);
        live_wait_metric(&live, i == 0 ? GONE("answer") : LATE("answer"), 1);
        if (i == 1)
            close(connection);
    }
    live_stop(&live);
    live_directory_remove(directory);
}

Test(live_metrics, deadlines_are_counted_where_they_passed)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--request-timeout-ms", "200"), NULL);
    int head = live_connect(&live), body = live_connect(&live);
    live_print(head, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    live_print(body, POST_NPY "Content-Length: 1728\r\n\r\n\x93NUMPY");
    live_wait_metric(&live, LATE("head"), 1);
    live_wait_metric(&live, LATE("body"), 1);
    cr_assert(live_metric(&live, GONE("head")) + live_metric(&live, GONE("body")) == 0);
    close(head);
    close(body);
    live_stop(&live);
}
