/* test_live_limits.c - limits of bodies, memory and time; clients that disconnect or lie. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define POST_NPY  "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n"
#define POST_JSON "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

/* Nothing is left of refused or aborted requests. */
static void check_clean(const struct live *live)
{
    live_wait_metric(live, "ppm_requests_in_flight", 1); /* the request for the metrics */
    live_wait_metric(live, "ppm_bytes_in_flight", 0);
    live_wait_metric(live, "ppm_queue_depth", 0);
    live_check_serving(live, "all of it");
}

/* ---- limits ---- */

Test(live_limits, a_body_over_the_limit_is_refused_before_it_is_read)
{
    static const char *const lengths[] = {"5000", "99999999999", "18446744073709551615"};
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "4999"), NULL);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        int connection = live_connect(&live);
        live_print(connection, POST_NPY "Content-Length: %s\r\n\r\n", lengths[i]);
        cr_assert(live_receive(connection, false, &answer), "%s", lengths[i]);
        live_check_problem(&answer, 413, "4999", lengths[i]);
        live_answer_free(&answer);
        cr_assert(live_is_closed(connection), "%s", lengths[i]);
        close(connection);
    }
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, a_client_that_sends_all_of_it_still_reads_the_refusal)
{
    enum { BYTES = 8 << 20 };
    struct live live;
    char *body = calloc(1, BYTES);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "4999"), NULL);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm", "Content-Type: application/x-npy\r\n", body, BYTES);
    live_check_problem(&answer, 413, "4999", "8 MiB");
    live_answer_free(&answer);
    check_clean(&live);
    free(body);
    live_stop(&live);
}

Test(live_limits, a_chunked_body_over_the_limit_is_refused_at_its_end)
{
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "4999"), NULL);
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++)
        live_print(connection, "64\r\n%0100d\r\n", 0);
    live_print(connection, "0\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 413, "4999", "chunked");
    live_answer_free(&answer);
    close(connection);
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, a_chunked_body_without_end_is_cut_off)
{
    struct live live;
    live_start(
        &live,
        LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "4999", "--request-timeout-ms", "100"),
        NULL);
    int connection = live_connect(&live);
    bool is_open = live_print(connection, POST_NPY "Transfer-Encoding: chunked\r\n\r\n");
    for (int waited = 0; is_open; waited += 5) {
        cr_assert(waited < LIVE_WAIT_MS, "it may go on for ever");
        is_open = live_print(connection, "64\r\n%0100d\r\n", 0);
        live_sleep_ms(5);
    }
    close(connection);
    check_clean(&live);
    live_stop(&live);
}

/* A model that takes 16 bytes and returns 8 x side x side values. */
static void write_magnifier(char directory[LIVE_PATH_BYTES], char path[64], int side)
{
    char text[256];
    live_directory_make(directory);
    snprintf(path, 64, "%s/large.json", directory);
    snprintf(text, sizeof text,
             "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], \"output\": {\"size\": "
             "[%d, %d]}, \"weights\": {\"random\": 1}}",
             side, side);
    live_write_file(path, text);
}

/* Requests a result from that model, and does not read it. */
static int ask_magnifier(const struct live *live, const char *query, const char *accept)
{
    char logged[96];
    int connection = live_connect(live);
    live_print(connection,
               "POST /ppm/large?shape=1,4,1,1%s HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n"
               "Content-Type: application/octet-stream\r\nContent-Length: 16\r\n\r\n"
               "0123456789abcdef",
               query, accept);
    snprintf(logged, sizeof logged, "/ppm/large?shape=1,4,1,1%s 200", query);
    live_wait_log(live, logged);
    return connection;
}

Test(live_limits, an_answer_beyond_the_memory_is_refused)
{
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    struct live_answer answer;
    write_magnifier(directory, path, 4096);
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--model", path, "--memory-max-bytes", "100000000"),
               NULL);
    int connection = live_connect(&live);
    live_print(connection, "POST /ppm/large?shape=1,4,2,2 HTTP/1.1\r\nHost: localhost\r\n"
                           "Content-Type: application/octet-stream\r\nContent-Length: 64\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer), "a raw body's shape is in the head");
    live_check_problem(&answer, 413, "memory_max_bytes", "raw");
    live_answer_free(&answer);
    close(connection);

    const char *json = "{\"shape\": [1,4,1,1], \"data\": [1,2,3,4]}";
    answer = live_ask(&live, "POST", "/ppm/large", "Content-Type: application/json\r\n", json,
                      strlen(json));
    live_check_problem(&answer, 413, "memory_max_bytes", "JSON");
    live_answer_free(&answer);
    check_clean(&live);
    live_stop(&live);
    live_directory_remove(directory);
}

Test(live_limits, a_body_beyond_the_memory_is_refused_from_its_head)
{
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--memory-max-bytes", "1000000"), NULL);
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "Content-Length: 1000001\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 413, "memory_max_bytes", "head");
    live_answer_free(&answer);
    close(connection);
    check_clean(&live);
    live_stop(&live);
}

/* Sends the first `bytes` of a body of zeros. */
static void send_zeros(int connection, size_t count)
{
    static const char zeros[1 << 16];
    for (size_t step; count > 0; count -= step) {
        step = count < sizeof zeros ? count : sizeof zeros;
        live_send(connection, zeros, step);
    }
}

enum { HELD_BYTES = 999000, KEPT_BACK_BYTES = 500000 };

/* Starts a server and fills its memory for bodies with one connection, which is returned. */
static int start_full(struct live *ret)
{
    live_start(ret, LIST("--model", LISTING1_GOLDEN, "--memory-max-bytes", "1000000"), NULL);
    int holder = live_connect(ret);
    live_print(holder, POST_NPY "Content-Length: %d\r\n\r\n", HELD_BYTES);
    send_zeros(holder, HELD_BYTES - KEPT_BACK_BYTES);
    live_wait_metric(ret, "ppm_bytes_in_flight", HELD_BYTES);
    return holder;
}

/* Sends more of that body. */
static void go_on(int holder)
{
    send_zeros(holder, 4096);
    live_sleep_ms(20);
}

Test(live_limits, memory_that_others_hold_is_503_until_they_are_gone)
{
    struct live live;
    struct live_answer answer;
    int holder = start_full(&live);
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    go_on(holder);
    answer = live_ask(&live, "POST", "/ppm", "Content-Type: application/x-npy\r\n", x.file,
                      x.file_bytes);
    live_check_problem(&answer, 503, "memory", "full");
    live_answer_free(&answer);
    live_tensor_free(&x);
    close(holder);
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, who_sends_little_at_a_bad_time_keeps_the_connection)
{
    struct live live;
    struct live_answer answer;
    int holder = start_full(&live);
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    int connection = live_connect(&live);
    for (int i = 0; i < 2; i++) {
        go_on(holder);
        live_print(connection, POST_NPY "Content-Length: %zu\r\n\r\n", x.file_bytes);
        live_send(connection, x.file, x.file_bytes);
        cr_assert(live_receive(connection, false, &answer));
        live_check_problem(&answer, 503, "memory", "small");
        cr_assert(!strstr(answer.head, "Connection: close"), "%s", answer.head);
        live_answer_free(&answer);
    }
    /* a client that asks first is told at once, and need not send */
    go_on(holder);
    live_print(connection, POST_NPY "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
               x.file_bytes);
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 503, "memory", "asked first");
    live_answer_free(&answer);
    live_tensor_free(&x);
    close(connection);
    close(holder);
    check_clean(&live);
    live_stop(&live);
}

/* A body that stopped arriving is dropped for a complete one; a body that keeps arriving is not. */
Test(live_limits, an_idle_body_gives_way)
{
    enum { BODY_BYTES = 4 * 50 * 50 * 4 };
    struct live live;
    struct live_answer answer;
    int idle = start_full(&live);
    for (int i = 0; i < 2; i++) { /* one for each HTTP thread */
        live_sleep_ms(1100);
        int steady = live_connect(&live);
        live_print(steady,
                   "POST /ppm?shape=1,4,50,50 HTTP/1.1\r\nHost: localhost\r\n"
                   "Content-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n",
                   BODY_BYTES);
        send_zeros(steady, BODY_BYTES / 2);
        cr_assert(live_receive(idle, false, &answer));
        live_check_problem(&answer, 408, "stopped arriving", "idle");
        live_answer_free(&answer);
        cr_assert(live_is_closed(idle));
        close(idle);
        live_wait_metric(&live, "ppm_cancelled_total{reason=\"idle\",stage=\"body\"}", i + 1);
        for (int k = 0; k < 8; k++) {
            live_sleep_ms(150);
            send_zeros(steady, BODY_BYTES / 2 / 8);
        }
        cr_assert(live_receive(steady, false, &answer) && answer.status == 200, "%d %s",
                  answer.status, answer.body);
        live_answer_free(&answer);
        close(steady);
        live_wait_metric(&live, "ppm_bytes_in_flight", 0);
        idle = live_connect(&live);
        live_print(idle, POST_NPY "Content-Length: %d\r\n\r\n", HELD_BYTES);
        send_zeros(idle, HELD_BYTES - KEPT_BACK_BYTES);
        live_wait_metric(&live, "ppm_bytes_in_flight", HELD_BYTES);
    }
    close(idle);
    check_clean(&live);
    live_stop(&live);
}

/* The sizes that heads and shapes claim take no memory. */
Test(live_limits, claims_take_no_memory)
{
    static const char *const claims[] = {
        POST_NPY "Content-Length: 90000000\r\n\r\n",
        POST_NPY "Content-Length: 90000000\r\n\r\nx",
        POST_NPY "Content-Length: 90000000\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b",
        POST_JSON "Content-Length: 90000000\r\n\r\n{\"data\":[1,",
        (POST_JSON "Transfer-Encoding: chunked\r\n\r\n"
                   "24\r\n{\"shape\":[1,4,1000,9000],\"data\":[1,2\r\n"),
        (POST_JSON "Transfer-Encoding: chunked\r\n\r\n"
                   "13\r\n{\"data\":[[[[1,2,3,4\r\n"),
        ("POST /v2/models/" LISTING1 "/infer HTTP/1.1\r\nHost: localhost\r\n"
         "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
         "31\r\n{\"inputs\":[{\"shape\":[1,4,1000,9000],\"data\":[1,2,3\r\n"),
        ("POST /ppm?shape=1,4,500,500 HTTP/1.1\r\nHost: localhost\r\n"
         "Content-Type: application/octet-stream\r\nContent-Length: 4000000\r\n\r\nxxxx"),
    };
    enum { CLAIMS = 8 * COUNT(claims), BYTES_EACH = 1 << 18 };
    int connections[CLAIMS];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--memory-max-bytes", "100000000"), NULL);
    for (size_t i = 0; i < CLAIMS; i++) {
        connections[i] = live_connect(&live);
        live_print(connections[i], "%s", claims[i % COUNT(claims)]);
    }
    live_wait_metric(&live, "ppm_requests_in_flight", CLAIMS + 1);
    live_check_serving(&live, "claims");
    const double bytes = live_metric(&live, "ppm_bytes_in_flight");
    cr_assert(bytes <= CLAIMS * BYTES_EACH, "%g bytes are taken", bytes);
    for (size_t i = 0; i < CLAIMS; i++)
        close(connections[i]);
    check_clean(&live);
    live_stop(&live);
}

/* A route accepts only bodies of the length it can use. */
Test(live_limits, a_route_knows_how_long_its_bodies_may_be)
{
    static const struct {
        const char *head, *text;
    } heads[] = {
        {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 268435456\r\n\r\n",
         "expected none"},
        {"HEAD /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n", NULL},
        {"POST /v2/repository/index HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4097\r\n\r\n",
         "4096"},
        {"GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
         "1\r\nx\r\n0\r\n\r\n",
         "expected none"},
    };
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(heads); i++) {
        int connection = live_connect(&live);
        live_print(connection, "%s", heads[i].head);
        cr_assert(live_receive(connection, heads[i].text == NULL, &answer), "%s", heads[i].head);
        cr_assert(answer.status == 413, "%s: %d", heads[i].head, answer.status);
        cr_assert(!heads[i].text || strstr(answer.body, heads[i].text), "%s", answer.body);
        live_answer_free(&answer);
        close(connection);
    }
    /* in chunks, it is refused as soon as it is too long: the rest takes no memory */
    int connection = live_connect(&live);
    live_print(connection, "POST /v2/repository/index HTTP/1.1\r\nHost: localhost\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n1000\r\n");
    send_zeros(connection, 4096);
    live_wait_metric(&live, "ppm_bytes_in_flight", 4096);
    live_print(connection, "\r\n100000\r\n");
    send_zeros(connection, 1 << 20);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_print(connection, "\r\n0\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer));
    cr_assert(answer.status == 413 && strstr(answer.body, "more than 4096 bytes"), "%d %s",
              answer.status, answer.body);
    live_answer_free(&answer);
    close(connection);
    check_clean(&live);
    live_stop(&live);
}

/* A chunked body counts as well, whatever its Content-Length. */
Test(live_limits, chunks_count_as_memory)
{
    static const char *const heads[] = {"", "Content-Length: 1\r\n"};
    struct live live;
    struct live_answer answer;
    char *chunk = calloc(1, 1 << 20);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--memory-max-bytes", "1000000"), NULL);
    for (size_t i = 0; i < COUNT(heads); i++) {
        int connection = live_connect(&live);
        live_print(connection, POST_NPY "%sTransfer-Encoding: chunked\r\n\r\n100000\r\n", heads[i]);
        live_send(connection, chunk, 1 << 20);
        live_print(connection, "\r\n0\r\n\r\n");
        cr_assert(live_receive(connection, false, &answer));
        cr_assert(answer.status == 413 || (i == 1 && answer.status == 400), "%s%d %s", heads[i],
                  answer.status, answer.body);
        live_answer_free(&answer);
        close(connection);
    }
    check_clean(&live);
    free(chunk);
    live_stop(&live);
}

Test(live_limits, an_answer_counts_as_memory_until_it_is_read)
{
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    struct live_answer answer;
    write_magnifier(directory, path, 500);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--model", path), NULL);
    int connection = ask_magnifier(&live, "", "application/json");
    const double held_bytes = live_metric(&live, "ppm_bytes_in_flight");
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    cr_assert(held_bytes >= (double)answer.body_bytes, "%.0f of %zu bytes are counted", held_bytes,
              answer.body_bytes);
    live_answer_free(&answer);
    close(connection);
    check_clean(&live);
    live_stop(&live);
    live_directory_remove(directory);
}

/* The float16 result replaces the floats in place. */
Test(live_limits, an_answer_of_halves_counts_as_what_holds_it)
{
    char directory[LIVE_PATH_BYTES], path[64];
    struct live live;
    struct live_answer answer;
    write_magnifier(directory, path, 1000);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--model", path), NULL);
    int connection = ask_magnifier(&live, "&out_dtype=float16", "application/octet-stream");
    const double held_bytes = live_metric(&live, "ppm_bytes_in_flight");
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    cr_expect(answer.body_bytes == 2 * 8 * 1000 * 1000);
    cr_expect(held_bytes >= 2 * (double)answer.body_bytes, "%.0f for %zu bytes are counted",
              held_bytes, answer.body_bytes);
    live_answer_free(&answer);
    close(connection);
    check_clean(&live);
    live_stop(&live);
    live_directory_remove(directory);
}

/* ---- timeouts ---- */

Test(live_limits, a_body_that_takes_too_long_is_408)
{
    struct live live;
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--request-timeout-ms", "300"), NULL);
    int connection = live_connect(&live);
    live_print(connection, POST_NPY "Content-Length: %zu\r\n\r\n", x.file_bytes);
    live_send(connection, x.file, x.file_bytes / 2);
    live_sleep_ms(400);
    live_send(connection, x.file + x.file_bytes / 2, x.file_bytes - x.file_bytes / 2);
    cr_assert(live_receive(connection, false, &answer), "no answer to a slow body");
    live_check_problem(&answer, 408, "300", "slow body");
    live_answer_free(&answer);
    live_tensor_free(&x);
    close(connection);
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, a_silent_client_is_let_go)
{
    static const char *const beginnings[] = {"", "GET /heal",
                                             "GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
                                             POST_NPY "Content-Length: 1728\r\n\r\n\x93NUMPY"};
    int connections[COUNT(beginnings)];
    struct live live;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--idle-timeout-s", "1", "--head-timeout-ms",
                    "1000", "--body-timeout-ms", "1000"),
               NULL);
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        connections[i] = live_connect(&live);
        live_send(connections[i], beginnings[i], strlen(beginnings[i]));
    }
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        struct live_answer answer;
        if (i >= 2) { /* a request that has begun gets a response */
            cr_assert(live_receive(connections[i], false, &answer), "%s", beginnings[i]);
            live_check_problem(&answer, 408, i == 2 ? "head_timeout_ms" : "body_timeout_ms",
                               beginnings[i]);
            live_answer_free(&answer);
        }
        cr_assert(live_is_closed(connections[i]), "%s", beginnings[i]);
        close(connections[i]);
    }
    check_clean(&live);
    live_stop(&live);
}

/* A byte now and then resets an idle timeout; the deadlines are absolute. */
Test(live_limits, a_client_that_trickles_its_request_is_cut_off)
{
    static const char *const beginnings[] = {"GET /healthz",
                                             "GET /healthz HTTP/1.1\r\nHost: localhost",
                                             POST_NPY "Content-Length: 1728\r\n\r\n\x93NUMPY"};
    struct live live;
    live_start(
        &live,
        LIST("--model", LISTING1_GOLDEN, "--idle-timeout-s", "1", "--request-timeout-ms", "500"),
        NULL);
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        int connection = live_connect(&live), waited = 0;
        for (bool is_open = live_print(connection, "%s", beginnings[i]); is_open; waited += 100) {
            cr_assert(waited < LIVE_WAIT_MS / 3, "%s: it may go on for ever", beginnings[i]);
            live_sleep_ms(100);
            is_open = live_print(connection, "a");
        }
        close(connection);
    }
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, a_client_that_trickles_its_answer_is_cut_off)
{
    char directory[LIVE_PATH_BYTES], path[64], some[1 << 16];
    struct live live;
    write_magnifier(directory, path, 1200);
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--model", path, "--request-timeout-ms", "2000"),
               NULL);
    int connection = ask_magnifier(&live, "", "*/*");
    for (int waited = 0; live_metric(&live, "ppm_bytes_in_flight") > 0; waited += 100) {
        cr_assert(waited < LIVE_WAIT_MS / 2, "it may go on for ever");
        recv(connection, some, sizeof some, MSG_DONTWAIT);
        live_sleep_ms(100);
    }
    close(connection);
    check_clean(&live);
    live_stop(&live);
    live_directory_remove(directory);
}

Test(live_limits, clients_that_break_off_leave_nothing_behind)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t sent = 0; sent <= x.file_bytes; sent += x.file_bytes / 24) {
        int connection = live_connect(&live);
        live_print(connection, POST_NPY "Content-Length: %zu\r\n\r\n", x.file_bytes);
        live_send(connection, x.file, sent);
        close(connection);
    }
    live_tensor_free(&x);
    check_clean(&live);
    live_stop(&live);
}

Test(live_limits, more_connections_than_may_be_open_wait_their_turn)
{
    enum { CLIENTS = 12 };
    int connections[CLIENTS];
    struct live live;
    struct live_answer answer;
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--connections-max", "4", "--idle-timeout-s", "1"),
               NULL);
    for (int i = 0; i < CLIENTS; i++) {
        connections[i] = live_connect(&live);
        live_print(connections[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (int i = 0; i < CLIENTS; i++) {
        cr_assert(live_receive(connections[i], false, &answer) && answer.status == 200, "%d", i);
        live_answer_free(&answer);
        close(connections[i]);
    }
    live_stop(&live);
}
