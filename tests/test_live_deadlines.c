/* test_live_deadlines.c - each stage of a request has a deadline, and a request may ask for less.
 */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POST_NPY "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"

/* Expects an error that names the time and who set it, and the end of the connection. */
static void check_late(int connection, int status, const char *text, const char *what)
{
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer), "%s: cut off without a word", what);
    live_check_problem(&answer, status, text, what);
    live_answer_free(&answer);
    cr_assert(live_is_closed(connection), "%s", what);
    close(connection);
}

/* ---- stages that clients keep waiting ---- */

Test(live_deadlines, a_head_has_its_own_time)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--head-timeout-ms", "200"), NULL);
    int connection = live_connect(&live);
    live_print(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    check_late(connection, 408, "200 ms (head_timeout_ms)", "head");
    live_wait_metric(&live, LATE("head"), 1);
    live_check_serving(&live, "a late head");
    live_stop(&live);
}

Test(live_deadlines, a_body_has_its_own_time)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-timeout-ms", "200"), NULL);
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "Content-Length: 1000\r\n\r\nabc");
    check_late(connection, 408, "200 ms (body_timeout_ms)", "body");
    live_wait_metric(&live, LATE("body"), 1);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
}

/* 8 x 1200 x 1200 values for 16 bytes: more than socket buffers hold. */
Test(live_deadlines, an_answer_has_its_own_time)
{
    struct live live;
    int connection = live_large_start(&live, "--response-timeout-ms", "300");
    live_wait_metric(&live, LATE("answer"), 1);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    close(connection);
    live_slow_stop(&live);
}

/* ---- stages that we keep waiting ---- */

/* A waiting request gets its error in time, though the request before it is still being computed.
 */
Test(live_deadlines, waiting_has_its_own_time)
{
    enum { IMAGES = 2048 };
    struct live live;
    live_slow_start(&live, LIST("--queue-timeout-ms", "200", "--threads", "2"));
    int computed = live_slow_send(&live, IMAGES, "");
    live_wait_metric(&live, "ppm_batch_size_count{model=\"slow\"}", 1); /* it is computed */
    int waiting = live_slow_send(&live, 1, "");
    check_late(waiting, 504, "still waiting after 200 ms (queue_timeout_ms)", "queue");
    cr_assert(!live_is_answered(computed), "it was no long computation");
    cr_assert(live_metric(&live, LATE("queue")) == 1);
    close(computed);
    live_slow_stop(&live);
}

Test(live_deadlines, a_computation_has_its_own_time)
{
    struct live live;
    live_slow_start(&live, LIST("--compute-timeout-ms", "200"));
    check_late(live_slow_send(&live, 2048, ""), 504,
               "not computed after 200 ms (compute_timeout_ms)", "computation");
    cr_assert(live_metric(&live, LATE("compute")) == 1);
    live_slow_stop(&live);
}

Test(live_deadlines, a_whole_request_has_one_too)
{
    struct live live;
    live_slow_start(&live, LIST("--request-timeout-ms", "200", "--compute-timeout-ms", "100000"));
    check_late(live_slow_send(&live, 2048, ""), 504, "200 ms (request_timeout_ms)", "request");
    live_slow_stop(&live);
}

/* ---- X-Request-Timeout-Ms ---- */

Test(live_deadlines, a_request_may_ask_for_less)
{
    struct live live;
    live_slow_start(&live, LIST("--request-timeout-ms", "60000"));
    check_late(live_slow_send(&live, 2048, "X-Request-Timeout-Ms: 150\r\n"), 504,
               "150 ms (X-Request-Timeout-Ms)", "computation");
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "X-Request-Timeout-Ms: 150\r\nContent-Length: 1000\r\n\r\nabc");
    check_late(connection, 408, "150 ms (X-Request-Timeout-Ms)", "body");
    live_check_serving(&live, "less time");
    live_slow_stop(&live);
}

Test(live_deadlines, a_request_does_not_get_more)
{
    static const char *const values[] = {"200", "201", "99999999999999999999999"};
    struct live live;
    live_slow_start(&live, LIST("--request-timeout-ms", "200"));
    for (size_t i = 0; i < COUNT(values); i++) {
        char header[96];
        snprintf(header, sizeof header, "X-Request-Timeout-Ms: %s\r\n", values[i]);
        check_late(live_slow_send(&live, 2048, header), 504, "200 ms (request_timeout_ms)",
                   values[i]);
    }
    live_slow_stop(&live);
}

Test(live_deadlines, a_time_that_is_none_is_refused)
{
    static const char *const values[] = {"0", "-1", "+1", "1.5", "1s", "0x10", "abc", "", "1 2"};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(values); i++) {
        char header[96];
        snprintf(header, sizeof header, "X-Request-Timeout-Ms: %s\r\n", values[i]);
        struct live_answer answer = live_ask(&live, "POST", "/ppm", header, "", 0);
        live_check_problem(&answer, 400, "X-Request-Timeout-Ms: found", values[i]);
        live_answer_free(&answer);
    }
    live_check_serving(&live, "times that are none");
    live_stop(&live);
}

/* ---- other work ---- */

/* A chunked body with its data before its shape is parsed at its end: 1,000,000 of the slowest
 * numbers. */
Test(live_deadlines, reading_numbers_is_abandoned_at_the_deadline)
{
    enum { COUNT = 1000000 };
    static const char number[] = "1.000000059604644775390625000000000000000000000000001,";
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--compute-timeout-ms", "20"), NULL);
    const size_t bytes = COUNT * (sizeof number - 1);
    char *numbers = malloc(bytes);
    cr_assert(numbers != NULL);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(numbers + i * (sizeof number - 1), number, sizeof number - 1);
    numbers[bytes - 1] = ']';
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: "
               "application/json\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"data\":[\r\n%zx\r\n",
               bytes);
    live_send(connection, numbers, bytes);
    live_print(connection, "\r\n1a\r\n,\"shape\":[1,4,500,500]}   \r\n0\r\n\r\n");
    free(numbers);
    check_late(connection, 504, "not computed after 20 ms (compute_timeout_ms)", "numbers");
    live_wait_metric(&live, LATE("compute"), 1);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_check_serving(&live, "late numbers");
    live_stop(&live);
}

/* The milliseconds for compute and encode in a response's Server-Timing. */
static void read_timing(const struct live_answer *answer, double *ret_compute, double *ret_encode)
{
    char value[LIVE_HEADER_BYTES];
    live_header(answer, "Server-Timing", value);
    const char *encode = strstr(value, "encode;dur=");
    cr_assert(encode && sscanf(encode, "encode;dur=%lf", ret_encode) == 1, "%s", value);
    cr_assert(sscanf(value, "queue;dur=%*f, compute;dur=%lf", ret_compute) == 1, "%s", value);
}

static struct live_answer ask_for_numbers(const struct live *live, const char *headers)
{
    return live_ask(live, "POST", "/ppm?shape=1,4,30,30", headers, (char[4 * 4 * 900]){1, 2, 3, 4},
                    4 * 4 * 900);
}

/* 4 x 1000 x 1000 numbers, deflated, which takes much longer than computing them. A response that
 * is still being written at its deadline is not sent. */
Test(live_deadlines, writing_numbers_is_abandoned_at_the_deadline)
{
#define ASKING                                                                                     \
    "Content-Type: application/octet-stream\r\nAccept: application/json\r\nAccept-Encoding: "      \
    "gzip\r\n"
    char directory[LIVE_PATH_BYTES], path[64], headers[256];
    double compute_ms = INFINITY, encode_ms = INFINITY;
    struct live live;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s",
             live_write_quoted(directory, "large.json",
                               "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'output': "
                               "{'size': [1000, 1000]}, 'weights': {'random': 1}}"));
    live_start(&live, LIST("--model", path), NULL);
    for (int i = 0; i < 3; i++) { /* the fastest, since the machine may be busy */
        double c, e;
        struct live_answer answer = ask_for_numbers(&live, ASKING);
        cr_assert(answer.status == 200, "%s", answer.head);
        read_timing(&answer, &c, &e);
        compute_ms = fmin(compute_ms, c);
        encode_ms = fmin(encode_ms, e);
        live_answer_free(&answer);
    }
    snprintf(headers, sizeof headers, ASKING "X-Request-Timeout-Ms: %.0f\r\n",
             compute_ms + encode_ms / 8 + 1);
    struct live_answer answer = ask_for_numbers(&live, headers);
    live_check_problem(&answer, 504, "(X-Request-Timeout-Ms)", "numbers");
    char encoding[LIVE_HEADER_BYTES];
    cr_assert_str_empty(live_header(&answer, "Content-Encoding", encoding));
    cr_assert_str_empty(live_header(&answer, "X-Tensor-Shape", encoding));
    live_answer_free(&answer);
    live_wait_metric(&live, LATE("compute"), 1);
    live_stop(&live);
    live_directory_remove(directory);
}
