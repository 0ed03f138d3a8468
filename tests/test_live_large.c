/* test_live_large.c - bodies and responses of tens of megabytes, in every format. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first half of the response is x, the second its means. */
enum {
    SIDE = 1500,
    COUNT_IN = 4 * SIDE * SIDE,
    BYTES_IN = COUNT_IN * sizeof(float), /* 36 MB */
    BYTES_OUT = 2 * BYTES_IN,
    NPY_HEAD = 128,
    CHUNK = 1000003,
};

#define RAW_TARGET "/ppm?shape=1,4,1500,1500"

static char directory[LIVE_PATH_BYTES];

static void start(struct live *ret, bool is_local)
{
    char path[64], host[64];
    live_directory_make(directory);
    snprintf(path, sizeof path, "%s/large.json", directory);
    snprintf(host, sizeof host, "unix:%s/socket", directory);
    live_write_file(path, "{\"input\": {\"channels\": 4}, \"bins\": [1], \"branch\": [], "
                          "\"weights\": {\"random\": 1}}");
    live_start(ret, LIST("--model", path, "--host", is_local ? host : "127.0.0.1"), NULL);
}

static void stop(struct live *live)
{
    live_wait_metric(live, "ppm_bytes_in_flight", 0);
    live_stop(live);
    live_directory_remove(directory);
}

/* A .npy: its data are a raw body. */
static char *make_x(void)
{
    char *npy = malloc(NPY_HEAD + BYTES_IN);
    memcpy(npy, "\x93NUMPY\1\0\x76\0", 10);
    memset(npy + 10, ' ', NPY_HEAD - 10);
    const int length = sprintf(npy + 10,
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 4, "
                               "%d, %d), }",
                               SIDE, SIDE);
    npy[10 + length] = ' ';
    npy[NPY_HEAD - 1] = '\n';
    float *values = (float *)(void *)(npy + NPY_HEAD);
    for (int i = 0; i < COUNT_IN; i++)
        values[i] = (float)(i % 1021) - 500;
    return npy;
}

/* Reads the response, whose tensor follows `head` bytes. */
static void check_answer(int connection, const char *x, size_t head, const char *what)
{
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer), "%s: no whole answer", what);
    cr_assert(answer.status == 200, "%s: %d %.300s", what, answer.status, answer.body);
    cr_assert(answer.body_bytes == head + BYTES_OUT, "%s: %zu bytes", what, answer.body_bytes);
    cr_assert(memcmp(answer.body + head, x + NPY_HEAD, BYTES_IN) == 0, "%s: other values", what);
    const float *means = (const float *)(const void *)(answer.body + head + BYTES_IN);
    for (int i = 0; i < COUNT_IN; i++)
        cr_assert(means[i] == means[i / (SIDE * SIDE) * (SIDE * SIDE)], "%s: value %d", what, i);
    live_answer_free(&answer);
}

static void send_head(int connection, const char *target, const char *type, const char *headers)
{
    live_print(connection,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/%s\r\n%s\r\n",
               target, type, headers);
}

/* Raw and .npy, repeatedly on one connection. */
static void check_forms(const struct live *live)
{
    char *x = make_x(), headers[64];
    int connection = live_connect(live);
    for (int round = 0; round < 4; round++) {
        const bool is_npy = round % 2 == 1;
        const size_t bytes = BYTES_IN + (is_npy ? NPY_HEAD : 0);
        snprintf(headers, sizeof headers, "Content-Length: %zu\r\n", bytes);
        send_head(connection, is_npy ? "/ppm" : RAW_TARGET, is_npy ? "x-npy" : "octet-stream",
                  headers);
        cr_assert(live_send(connection, x + NPY_HEAD + BYTES_IN - bytes, bytes));
        check_answer(connection, x, is_npy ? NPY_HEAD : 0, is_npy ? "npy" : "raw");
    }
    close(connection);
    free(x);
}

Test(live_large, over_tcp)
{
    struct live live;
    start(&live, false);
    check_forms(&live);
    stop(&live);
}

Test(live_large, over_a_unix_socket)
{
    struct live live;
    start(&live, true);
    check_forms(&live);
    stop(&live);
}

Test(live_large, in_chunks_and_after_100_continue)
{
    struct live live;
    struct live_answer interim;
    char *x = make_x();
    start(&live, false);
    int connection = live_connect(&live);
    send_head(connection, "/ppm", "x-npy",
              "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n");
    cr_assert(live_receive(connection, false, &interim) && interim.status == 100);
    live_answer_free(&interim);
    for (size_t at = 0, step; at < NPY_HEAD + BYTES_IN; at += step) {
        step = NPY_HEAD + BYTES_IN - at < CHUNK ? NPY_HEAD + BYTES_IN - at : CHUNK;
        live_print(connection, "%zx\r\n", step);
        cr_assert(live_send(connection, x + at, step));
        live_print(connection, "\r\n");
    }
    live_print(connection, "0\r\n\r\n");
    check_answer(connection, x, NPY_HEAD, "chunked");
    live_print(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    cr_assert(live_receive(connection, false, &interim) && interim.status == 200, "kept alive");
    live_answer_free(&interim);
    close(connection);
    free(x);
    stop(&live);
}

/* Two requests are sent before their responses are read: sockets are full in both directions. */
Test(live_large, one_behind_the_other)
{
    struct live live;
    char *x = make_x(), headers[64];
    start(&live, false);
    int connection = live_connect(&live);
    snprintf(headers, sizeof headers, "Content-Length: %d\r\n", (int)BYTES_IN);
    send_head(connection, RAW_TARGET, "octet-stream", headers);
    cr_assert(live_send(connection, x + NPY_HEAD, BYTES_IN));
    live_print(connection, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    live_sleep_ms(200);
    check_answer(connection, x, 0, "first");
    struct live_answer answer;
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    cr_assert_str_eq(answer.body, "ok\n");
    live_answer_free(&answer);
    close(connection);
    free(x);
    stop(&live);
}
