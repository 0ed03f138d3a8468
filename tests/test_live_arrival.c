/* test_live_arrival.c - bodies that are pooled while they arrive: the bits of the answer do not
 * depend on the pieces, and bodies that end early leave nothing. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHANNELS = 13,
    SIDE = 37,
    MAPS = 3,
    COUNT_IN = MAPS * CHANNELS * SIDE * SIDE,
    BYTES_IN = COUNT_IN * sizeof(float), /* 213 KB */
    NPY_HEAD = 128,
    SENT_FIRST = BYTES_IN / 2,
    BODY_BYTES_MAX = 300000,
    CHUNKED_CAPACITY = BODY_BYTES_MAX / 2, /* memory for that, when the length is not announced */
};

#define RAW_TARGET "/ppm?shape=3,13,37,37"
#define IN_FLIGHT  "ppm_bytes_in_flight"

static char directory[LIVE_PATH_BYTES];

static void start(struct live *ret, const char *pool_on_arrival_bytes)
{
    live_start(ret,
               LIST("--model",
                    live_write_quoted(directory, "m.json",
                                      "{'input': {'channels': 13}, 'bins': [1, 2, 3, 6], 'branch': "
                                      "[{'conv': {'channels': 8}}, 'relu'], 'head': [{'conv': "
                                      "{'channels': 15}}], 'weights': {'random': 1}}"),
                    "--body-max-bytes", "300000", "--pool-on-arrival-bytes", pool_on_arrival_bytes),
               NULL);
}

static void open_directory(void)
{
    live_directory_make(directory);
}

static void remove_directory(void)
{
    live_directory_remove(directory);
}

TestSuite(live_arrival, .init = open_directory, .fini = remove_directory, .timeout = 300);

/* A .npy of that shape; its data are a raw body as well. */
static char *make_x(const char *shape)
{
    char *npy = malloc(NPY_HEAD + BYTES_IN);
    memcpy(npy, "\x93NUMPY\1\0\x76\0", 10);
    memset(npy + 10, ' ', NPY_HEAD - 10);
    const int length =
        sprintf(npy + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    npy[10 + length] = ' ';
    npy[NPY_HEAD - 1] = '\n';
    float *values = (float *)(void *)(npy + NPY_HEAD);
    for (int i = 0; i < COUNT_IN; i++)
        values[i] = (float)(i % 1021) / 7 - 70;
    return npy;
}

struct upload {
    const char *what, *target, *headers; /* whole lines */
    const char *bytes;
    size_t count;
    bool is_npy, is_chunked;
};

static int begin(const struct live *live, const struct upload *upload)
{
    char length[64] = "Transfer-Encoding: chunked\r\n";
    int connection = live_connect(live);
    cr_assert(connection >= 0);
    if (!upload->is_chunked)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", upload->count);
    live_print(connection, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s%s\r\n",
               upload->target, live_types[upload->is_npy ? NPY : RAW], upload->headers, length);
    return connection;
}

static void send_piece(int connection, const struct upload *upload, size_t at, size_t bytes)
{
    if (upload->is_chunked)
        live_print(connection, "%zx\r\n", bytes);
    live_send(connection, upload->bytes + at, bytes);
    if (upload->is_chunked)
        live_print(connection, "\r\n");
}

/* Sends bytes [from, to) in odd pieces, with pauses. */
static void send_oddly(int connection, const struct upload *upload, size_t from, size_t to)
{
    static const size_t sizes[] = {1, 11, 4093, 16381, 5477, 3, 32771, 9001};
    for (size_t i = 0, step; from < to; i++, from += step) {
        step = sizes[i % COUNT(sizes)];
        step = to - from < step ? to - from : step;
        send_piece(connection, upload, from, step);
        if (i % 3 == 0)
            live_sleep_ms(3);
    }
}

static struct live_answer end(int connection, const struct upload *upload)
{
    struct live_answer answer;
    if (upload->is_chunked)
        live_print(connection, "0\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer), "%s: no answer", upload->what);
    close(connection);
    return answer;
}

/* The bytes reserved by all requests in flight, once this much of a body has been read. */
static void wait_for_reserve(const struct live *live, size_t at_least)
{
    double bytes = 0;
    for (int waited = 0; waited < LIVE_WAIT_MS && bytes < (double)at_least; waited++) {
        live_sleep_ms(1);
        bytes = live_metric(live, IN_FLIGHT);
    }
    cr_assert(bytes >= (double)at_least, "%g bytes are reserved, expected %zu", bytes, at_least);
}

/* The answer equals that of a server that does not pool ahead, for the same body sent at once. */
static void check_upload(const struct live *ahead, const struct live *plain,
                         const struct upload *upload)
{
    int connection = begin(plain, upload);
    send_piece(connection, upload, 0, upload->count);
    struct live_answer expected = end(connection, upload);
    cr_assert(expected.status == 200, "%s: %d %s", upload->what, expected.status, expected.body);
    connection = begin(ahead, upload);
    send_oddly(connection, upload, 0, upload->count);
    struct live_answer answer = end(connection, upload);
    cr_assert(answer.status == 200, "%s: %d %s", upload->what, answer.status, answer.body);
    cr_expect(answer.body_bytes == expected.body_bytes &&
                  memcmp(answer.body, expected.body, answer.body_bytes) == 0,
              "%s: other bits", upload->what);
    live_answer_free(&answer);
    live_answer_free(&expected);
}

Test(live_arrival, same_bits_in_odd_pieces)
{
    struct live ahead, plain;
    char *x = make_x("3, 13, 37, 37"), *special = make_x("3, 13, 37, 37");
    memset(special + NPY_HEAD + 77777 / 4 * 4, 0xff, 4); /* a NaN */
    const struct upload uploads[] = {
        {"raw", RAW_TARGET, "", x + NPY_HEAD, BYTES_IN, false, false},
        {"raw in chunks", RAW_TARGET, "", x + NPY_HEAD, BYTES_IN, false, true},
        {"npy", "/ppm", "", x, NPY_HEAD + BYTES_IN, true, false},
        {"npy in chunks", "/ppm", "", x, NPY_HEAD + BYTES_IN, true, true},
        {"one with a NaN", "/ppm", "", special, NPY_HEAD + BYTES_IN, true, false},
        {"NHWC", "/ppm?layout=NHWC&shape=3,37,37,13", "", x + NPY_HEAD, BYTES_IN, false, false},
    };
    start(&ahead, "1");
    start(&plain, "0");
    for (size_t i = 0; i < COUNT(uploads); i++)
        check_upload(&ahead, &plain, &uploads[i]);
    live_wait_metric(&ahead, IN_FLIGHT, 0);
    live_stop(&ahead);
    live_stop(&plain);
    free(x);
    free(special);
}

/* Memory for pooling is reserved only for bodies that are pooled ahead. */
Test(live_arrival, is_counted)
{
    struct live live;
    char *x = make_x("3, 13, 37, 37"), *false_x = make_x("9, 13, 37, 37");
    const struct {
        struct upload upload;
        bool is_pooled;
    } cases[] = {
        {{"raw", RAW_TARGET, "", x + NPY_HEAD, BYTES_IN, false, false}, true},
        {{"npy", "/ppm", "", x, NPY_HEAD + BYTES_IN, true, false}, true},
        {{"npy in chunks", "/ppm", "", x, NPY_HEAD + BYTES_IN, true, true}, true},
        {{"chunks above the limit", "/ppm", "", false_x, NPY_HEAD + BYTES_IN, true, true}, false},
        {{"NHWC", "/ppm?layout=NHWC&shape=3,37,37,13", "", x + NPY_HEAD, BYTES_IN, false, false},
         false},
        {{"a shape of more", "/ppm", "", false_x, NPY_HEAD + BYTES_IN, true, false}, false},
    };
    start(&live, "1");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct upload *upload = &cases[i].upload;
        int connection = begin(&live, upload);
        send_oddly(connection, upload, 0, SENT_FIRST);
        const size_t body = upload->is_chunked ? CHUNKED_CAPACITY : upload->count;
        wait_for_reserve(&live, body + cases[i].is_pooled);
        live_sleep_ms(20);
        const double bytes = live_metric(&live, IN_FLIGHT);
        cr_expect((bytes > (double)body) == cases[i].is_pooled, "%s: %g and %zu", upload->what,
                  bytes, body);
        close(connection);
        live_wait_metric(&live, IN_FLIGHT, 0);
    }
    live_stop(&live);
    free(x);
    free(false_x);
}

Test(live_arrival, clients_that_leave)
{
    enum { CLIENTS = 20 };
    struct live live;
    char *x = make_x("3, 13, 37, 37");
    start(&live, "1");
    for (size_t i = 0; i < CLIENTS; i++) {
        const struct upload upload = {"left", "/ppm", "", x, NPY_HEAD + BYTES_IN, true, i % 2 == 1};
        int connection = begin(&live, &upload);
        send_piece(connection, &upload, 0, 20000 + i * 9001);
        wait_for_reserve(&live, 20001);
        close(connection);
        live_wait_metric(&live, GONE("body"), (double)(i + 1));
    }
    live_wait_metric(&live, IN_FLIGHT, 0);
    live_stop(&live);
    free(x);
}

Test(live_arrival, bodies_that_are_refused)
{
    struct live live;
    struct live_answer answer;
    char *x = make_x("3, 13, 37, 37"), *more = calloc(1, 2 * BYTES_IN);
    char *channels = make_x("3, 37, 13, 37");
    const struct {
        struct upload upload;
        int status;
        const char *text;
    } cases[] = {
        {{"too short", "/ppm", "", x, BYTES_IN, true, true}, 400, "bytes of data"},
        {{"other channels", "/ppm", "", channels, NPY_HEAD + BYTES_IN, true, false}, 422, "37"},
        {{"too long", RAW_TARGET, "", more, BYTES_IN + 4, false, true}, 400, "expected 213564"},
        {{"above the limit", RAW_TARGET, "", more, 2 * BYTES_IN, false, true}, 413, "300000"},
    };
    start(&live, "1");
    for (size_t i = 0; i < COUNT(cases); i++) {
        int connection = begin(&live, &cases[i].upload);
        send_oddly(connection, &cases[i].upload, 0, cases[i].upload.count);
        answer = end(connection, &cases[i].upload);
        live_check_problem(&answer, cases[i].status, cases[i].text, cases[i].upload.what);
        live_answer_free(&answer);
    }
    live_wait_metric(&live, IN_FLIGHT, 0);
    live_stop(&live);
    free(x);
    free(more);
    free(channels);
}
