/* test_live_executor.c - batches, small requests, and warm-up. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Starts a long computation, so that others queue up until it is abandoned. */
static int hold_executor(const struct live *live)
{
    const double runs = live_metric(live, "ppm_batch_size_count{model=\"slow\"}");
    int connection = live_slow_send(live, 4096, "");
    live_wait_metric(live, "ppm_batch_size_count{model=\"slow\"}", runs + 1);
    return connection;
}

/* ---- batches ---- */

enum { CHANNELS = 1024, X_BYTES = CHANNELS * sizeof(float), Y_BYTES = 2 * X_BYTES };

/* One pixel, 4 MiB of weights: most of the time is for fetching them. */
static void write_heavy(char directory[LIVE_PATH_BYTES], char path[64])
{
    live_directory_make(directory);
    snprintf(path, 64, "%s/heavy.json", directory);
    live_write_file(path,
                    "{\"input\": {\"channels\": 1024}, \"bins\": [1], \"branch\": [{\"conv\": "
                    "{\"channels\": 1024}}], \"weights\": {\"random\": 1}}");
}

/* Sends the seed-th x; returns its connection. query: more of it, or "". */
static int send_sized(const struct live *live, int seed, const char *query, const char *headers)
{
    float x[CHANNELS];
    for (int i = 0; i < CHANNELS; i++)
        x[i] = (float)((i * 7 + seed * 13) % 31) - 15;
    int connection = live_connect(live);
    live_print(connection,
               "POST /ppm/heavy?shape=1024,1,1%s HTTP/1.1\r\nHost: localhost\r\n%s"
               "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
               query, headers, (int)X_BYTES);
    live_send(connection, x, X_BYTES);
    return connection;
}

static int send_heavy(const struct live *live, int seed, const char *headers)
{
    return send_sized(live, seed, "", headers);
}

static void receive_heavy(int connection, char ret_y[Y_BYTES], const char *what)
{
    char shape[LIVE_HEADER_BYTES];
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer), "%s: no answer", what);
    cr_assert(answer.status == 200, "%s: %d %s", what, answer.status, answer.body);
    cr_assert(answer.body_bytes == Y_BYTES, "%s: %zu bytes", what, answer.body_bytes);
    cr_assert_str_eq(live_header(&answer, "X-Tensor-Shape", shape), "2048,1,1");
    memcpy(ret_y, answer.body, Y_BYTES);
    live_answer_free(&answer);
    close(connection);
}

static void start_heavy(struct live *ret, char directory[LIVE_PATH_BYTES], const char *max_batch)
{
    char path[64];
    write_heavy(directory, path);
    live_slow_start(ret, LIST("--model", path, "--max-batch", max_batch, "--threads", "2"));
}

enum { REQUESTS = 5 };

/* Queues count requests, lets them run, and compares each answer with that for the same x alone. */
static void check_queued(const struct live *live)
{
    static char expected[REQUESTS][Y_BYTES], y[Y_BYTES];
    int connections[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        receive_heavy(send_heavy(live, i, ""), expected[i], "alone");
    int held = hold_executor(live);
    for (int i = 0; i < REQUESTS; i++)
        connections[i] = send_heavy(live, i, "");
    live_wait_metric(live, "ppm_queue_depth", REQUESTS);
    close(held);
    for (int i = 0; i < REQUESTS; i++) {
        receive_heavy(connections[i], y, "queued");
        cr_assert_arr_eq(y, expected[i], Y_BYTES, "request %d has another's answer", i);
    }
}

Test(live_executor, requests_that_are_alike_are_computed_together)
{
    char directory[LIVE_PATH_BYTES];
    struct live live;
    start_heavy(&live, directory, "8");
    check_queued(&live);
    live_wait_metric(&live, "ppm_batch_size_count{model=\"heavy\"}", REQUESTS + 1);
    cr_assert(live_metric(&live, "ppm_batch_size_sum{model=\"heavy\"}") == 2 * REQUESTS);
    live_slow_stop(&live);
    live_directory_remove(directory);
}

Test(live_executor, a_batch_of_one_is_none)
{
    char directory[LIVE_PATH_BYTES];
    struct live live;
    start_heavy(&live, directory, "1");
    check_queued(&live);
    live_wait_metric(&live, "ppm_batch_size_count{model=\"heavy\"}", 2 * REQUESTS);
    live_slow_stop(&live);
    live_directory_remove(directory);
}

/* Two of one size make a batch, two of another a second one. */
Test(live_executor, outputs_of_different_sizes_are_not_computed_together)
{
    static const char *const queries[] = {"", "&size=1,2", "", "&size=1,2"};
    char directory[LIVE_PATH_BYTES];
    int connections[COUNT(queries)];
    struct live live;
    struct live_answer answer;
    start_heavy(&live, directory, "8");
    int held = hold_executor(&live);
    for (size_t i = 0; i < COUNT(queries); i++)
        connections[i] = send_sized(&live, (int)i, queries[i], "");
    live_wait_metric(&live, "ppm_queue_depth", COUNT(queries));
    close(held);
    for (size_t i = 0; i < COUNT(queries); i++) {
        cr_assert(live_receive(connections[i], false, &answer) && answer.status == 200);
        cr_assert_eq(answer.body_bytes, *queries[i] ? 2 * Y_BYTES : Y_BYTES, "request %zu", i);
        live_answer_free(&answer);
        close(connections[i]);
    }
    live_wait_metric(&live, "ppm_batch_size_count{model=\"heavy\"}", 2);
    cr_assert(live_metric(&live, "ppm_batch_size_sum{model=\"heavy\"}") == COUNT(queries));
    live_slow_stop(&live);
    live_directory_remove(directory);
}

/* Each member of a batch has its own deadline, client, and form of the answer. */
Test(live_executor, who_leaves_a_batch_does_not_spoil_it)
{
    char directory[LIVE_PATH_BYTES], y[Y_BYTES];
    struct live live;
    struct live_answer answer;
    start_heavy(&live, directory, "8");
    int held = hold_executor(&live);
    int gone = send_heavy(&live, 1, ""),
        late = send_heavy(&live, 2, "X-Request-Timeout-Ms: 50\r\n");
    int stays = send_heavy(&live, 3, ""),
        json = send_heavy(&live, 4, "Accept: application/json\r\n");
    close(gone);
    cr_assert(live_receive(late, false, &answer));
    live_check_problem(&answer, 504, "50 ms (X-Request-Timeout-Ms)", "late");
    live_answer_free(&answer);
    close(late);
    live_wait_metric(&live, "ppm_queue_depth", 2);
    close(held);
    receive_heavy(stays, y, "stays");
    cr_assert(live_receive(json, false, &answer) && answer.status == 200);
    cr_assert(strstr(answer.body, "\"shape\": [2048, 1, 1]"), "%.100s", answer.body);
    live_answer_free(&answer);
    close(json);
    cr_assert(live_metric(&live, GONE("queue")) == 1 && live_metric(&live, LATE("queue")) == 1);
    cr_assert(live_metric(&live, "ppm_batch_size_sum{model=\"heavy\"}") == 2);
    live_slow_stop(&live);
    live_directory_remove(directory);
}

/* ---- priority ---- */

/* A computation as long as that of hold_executor; returns its connection. */
static int send_slow(const struct live *live, int priority)
{
    enum { IMAGES = 4096, BYTES = IMAGES * 4 * 8 * 8 * sizeof(float) };
    char json[256];
    const int json_bytes = snprintf(json, sizeof json,
                                    "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", "
                                    "\"shape\": [%d, 4, 8, 8], \"parameters\": "
                                    "{\"binary_data_size\": %zu}}], \"parameters\": "
                                    "{\"priority\": %d}}",
                                    IMAGES, (size_t)BYTES, priority);
    char *zeros = calloc(1, BYTES);
    int connection = live_connect(live);
    live_print(connection,
               "POST /v2/models/slow/infer HTTP/1.1\r\nHost: localhost\r\n"
               "Inference-Header-Content-Length: %d\r\nContent-Length: %zu\r\n\r\n%s",
               json_bytes, (size_t)json_bytes + BYTES, json);
    live_send(connection, zeros, BYTES);
    free(zeros);
    return connection;
}

/* Which one is computed is known by who leaves, as that is counted by where the request was. */
Test(live_executor, priority_decides_who_is_next_in_a_queue_that_is_no_longer)
{
    static const int numbers[] = {3, 0, 1, 2, 1}, places_in_turn[] = {2, 4, 1, 3, 0};
    int connections[COUNT(numbers)];
    struct live live;
    struct live_answer answer;
    live_slow_start(&live, LIST("--threads", "1", "--queue-max", "5", "--max-batch", "1"));
    int held = hold_executor(&live);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        connections[i] = send_slow(&live, numbers[i]);
        live_wait_metric(&live, "ppm_queue_depth", 1.0 + (double)i);
    }
    int refused = send_slow(&live, 1);
    cr_assert(live_receive(refused, false, &answer) && answer.status == 503, "%d", answer.status);
    live_answer_free(&answer);
    close(refused);
    close(held);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        live_wait_metric(&live, "ppm_batch_size_count{model=\"slow\"}", 2.0 + (double)i);
        close(connections[places_in_turn[i]]);
        live_wait_metric(&live, GONE("compute"), 2.0 + (double)i);
    }
    cr_assert(live_metric(&live, GONE("queue")) == 0);
    live_slow_stop(&live);
}

/* The query says it before the body is there, and must not say something else. */
Test(live_executor, a_priority_may_be_in_the_query)
{
    static const struct {
        const char *target, *body, *text;
        int status;
    } requests[] = {
        {"/ppm/" LISTING1 "?priority=high", "{\"data\": [[[1]], [[2]], [[3]], [[4]]]}", "", 200},
        {"/ppm/" LISTING1 "?priority=first", "{\"data\": [[[1]], [[2]], [[3]], [[4]]]}",
         "priority: found \\\"first\\\", expected high, normal or low", 400},
        {"/v2/models/" LISTING1 "/infer?priority=low",
         "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [4, 1, 1], "
         "\"data\": [1, 2, 3, 4]}], \"parameters\": {\"priority\": 7}}",
         "", 200},
        {"/v2/models/" LISTING1 "/infer?priority=low",
         "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [4, 1, 1], "
         "\"data\": [1, 2, 3, 4]}], \"parameters\": {\"priority\": 1}}",
         "priority: found 1 in parameters and low in the query", 400},
    };
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", requests[i].target, "Content-Type: application/json\r\n",
                     requests[i].body, strlen(requests[i].body));
        cr_assert(answer.status == requests[i].status && strstr(answer.body, requests[i].text),
                  "%s: %d %s", requests[i].target, answer.status, answer.body);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

/* ---- small requests ---- */

/* Neither a long computation nor a full queue delays requests of microseconds. */
Test(live_executor, what_takes_microseconds_does_not_queue)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    live_slow_start(&live, LIST("--queue-max", "1"));
    int held = hold_executor(&live), waiting = live_slow_send(&live, 4096, "");
    live_wait_metric(&live, "ppm_queue_depth", 1);
    struct live_result result = live_post(&live, "/ppm?shape=1,4,10,10", RAW, "", &x, "", "small");
    live_check_result(&result, &y, "NCHW", "small");
    cr_assert(!live_is_answered(held), "it was no long computation");
    free(result.values);
    close(held);
    close(waiting);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_slow_stop(&live);
}

/* ---- a warm start ---- */

static void write_warm(const char *path, const char *shape)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], \"warm_up\": [[1, 4, "
             "9, 9], %s], \"weights\": {\"random\": 1}}",
             shape);
    live_write_file(path, text);
}

Test(live_executor, it_is_warm_before_it_is_ready_and_after_a_reload)
{
    /* AddressSanitizer ends a program that asks for too much */
    const char *const environment[] = {
        "ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:allocator_may_return_null=1", NULL};
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/warm.json", directory);
    write_warm(path, "[5, 5, 4]");
    struct live_output output = live_run(LIST("serve", "--model", path), NULL);
    cr_assert(output.status == 2 && strstr(output.err, "warm_up[1]: found [5,5,4]"), "%s",
              output.err);
    live_output_free(&output);
    write_warm(path, "[4, 1000000, 1000000]"); /* 16 TB */
    output = live_run(LIST("serve", "--model", path), environment);
    cr_assert(output.status == 2 && strstr(output.err, "warm_up: found a shape 1 x 4 x 1000000") &&
                  strstr(output.err, "expected at most 4096 MiB (memory_max_bytes)"),
              "%s", output.err);
    live_output_free(&output);
    output = live_run(LIST("serve", "--check-config", "--model", path), environment);
    cr_assert(output.status == 2 && strstr(output.err, "(memory_max_bytes)"), "%s", output.err);
    live_output_free(&output);

    write_warm(path, "[4, 7, 7]");
    live_start(&live, LIST("--model", path), environment);
    live_wait_log(&live, "2 shapes warm");
    write_warm(path, "[4, 1000000, 1000000]");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, "not reloaded");
    write_warm(path, "[4, 7, 7], [4, 8, 8]");
    kill(live.pid, SIGHUP);
    live_wait_log(&live, " reloaded: 1 model, 3 shapes warm");
    live_stop(&live);
    live_directory_remove(directory);
}
