/* test_live_http.c - ids, timing, transfer codings, connections and clients. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char npy_type[] = "Content-Type: application/x-npy\r\n";

/* ---- headers of every response ---- */

Test(live_http, a_request_id_is_echoed_when_it_is_a_token)
{
    char longest[129], too_long[130];
    memset(longest, 'a', 128);
    memset(too_long, 'a', 129);
    longest[128] = too_long[129] = '\0';
    const struct {
        const char *sent;
        bool is_echoed;
    } cases[] = {
        {"abc-123", true}, {"a", true},          {"00-4bf92f35/7.b3:4", true}, {longest, true},
        {too_long, false}, {"two words", false}, {"quote\"", false},           {"", false},
        {"a\tb", false},   {"<script>", false},  {"caf\xc3\xa9", false},       {"a,b", false},
    };
    struct live live;
    char headers[256], value[LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(headers, sizeof headers, "X-Request-Id: %s\r\n", cases[i].sent);
        struct live_answer answer = live_ask(&live, "GET", "/healthz", headers, NULL, 0);
        live_header(&answer, "X-Request-Id", value);
        cr_assert(answer.status == 200 && strlen(value) >= (cases[i].is_echoed ? 1 : 8));
        cr_assert((strcmp(value, cases[i].sent) == 0) == cases[i].is_echoed, "%s -> %s",
                  cases[i].sent, value);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

Test(live_http, generated_request_ids_differ)
{
    struct live live;
    char values[2][LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < 2; i++) {
        struct live_answer answer = live_ask(&live, "GET", "/healthz", "", NULL, 0);
        cr_assert(strlen(live_header(&answer, "X-Request-Id", values[i])) >= 8);
        live_answer_free(&answer);
    }
    cr_assert_str_neq(values[0], values[1]);
    live_stop(&live);
}

Test(live_http, every_answer_tells_its_times_and_its_id)
{
    static const struct {
        const char *method, *target;
        int status;
    } cases[] = {{"GET", "/healthz", 200},  {"GET", "/readyz", 200},   {"GET", "/metrics", 200},
                 {"GET", "/ppm", 200},      {"HEAD", "/ppm", 200},     {"POST", "/ppm", 200},
                 {"GET", "/nowhere", 404},  {"DELETE", "/ppm", 405},   {"POST", "/metrics", 405},
                 {"GET", "/ppm/none", 404}, {"POST", "/ppm/none", 404}};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char value[LIVE_HEADER_BYTES];
        double queue_ms = -1, compute_ms = -1, decode_ms = -1, encode_ms = -1;
        const bool is_post = strcmp(cases[i].method, "POST") == 0;
        struct live_answer answer = live_ask(&live, cases[i].method, cases[i].target, npy_type,
                                             is_post ? x.file : NULL, is_post ? x.file_bytes : 0);
        cr_assert(answer.status == cases[i].status, "%s: %d", cases[i].target, answer.status);
        live_header(&answer, "Server-Timing", value);
        cr_assert(sscanf(value, "queue;dur=%lf, compute;dur=%lf, decode;dur=%lf, encode;dur=%lf",
                         &queue_ms, &compute_ms, &decode_ms, &encode_ms) == 4,
                  "%s: %s", cases[i].target, answer.head);
        const bool is_computed = is_post && answer.status == 200;
        cr_assert((compute_ms > 0) == is_computed, "%s: %s", cases[i].target, value);
        cr_assert(is_computed ? queue_ms >= 0 && decode_ms >= 0 && encode_ms >= 0
                              : queue_ms + decode_ms + encode_ms == 0,
                  "%s: %s", cases[i].target, value);
        cr_assert(*live_header(&answer, "X-Request-Id", value), "%s", cases[i].target);
        live_answer_free(&answer);
    }
    live_tensor_free(&x);
    live_stop(&live);
}

/* ---- ways to send a body ---- */

static void check_golden_answer(int connection, const char *what)
{
    struct live_answer answer;
    struct live_tensor y = live_golden(LISTING1, "y.npy");
    cr_assert(live_receive(connection, false, &answer), "%s: no answer", what);
    struct live_result result = live_read_answer(&answer, what);
    live_check_result(&result, &y, "NCHW", what);
    free(result.values);
    live_answer_free(&answer);
    live_tensor_free(&y);
}

Test(live_http, a_body_may_come_in_chunks)
{
    static const size_t chunk_bytes[] = {1, 7, 1000, 1 << 20};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    for (size_t i = 0; i < COUNT(chunk_bytes) * FORM_COUNT; i++) {
        const enum live_form form = (enum live_form)(i % FORM_COUNT);
        struct live_body body = live_make_body(form, &x, x.shape, "");
        live_print(connection,
                   "POST /ppm?shape=1,4,10,10 HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n",
                   live_types[form]);
        for (size_t at = 0, step; at < body.count; at += step) {
            step = chunk_bytes[i / FORM_COUNT];
            step = step < body.count - at ? step : body.count - at;
            live_print(connection, "%zx\r\n", step);
            live_send(connection, body.bytes + at, step);
            live_print(connection, "\r\n");
        }
        live_print(connection, "0\r\n\r\n");
        check_golden_answer(connection, live_types[form]);
        free(body.bytes);
    }
    close(connection);
    live_tensor_free(&x);
    live_stop(&live);
}

Test(live_http, a_client_may_wait_for_100_continue)
{
    struct live live;
    struct live_answer interim;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sExpect: 100-continue\r\n"
               "Content-Length: %zu\r\n\r\n",
               npy_type, x.file_bytes);
    cr_assert(live_receive(connection, false, &interim));
    cr_assert(interim.status == 100, "%s", interim.head);
    live_answer_free(&interim);
    live_send(connection, x.file, x.file_bytes);
    check_golden_answer(connection, "after 100");
    close(connection);
    live_tensor_free(&x);
    live_stop(&live);
}

/* The error must come instead of 100, or the client sends for nothing. */
Test(live_http, a_refusal_comes_in_place_of_100_continue)
{
    struct live live;
    struct live_answer answer;
    live_start(&live, LIST("--model", LISTING1_MODEL, "--body-max-bytes", "1000"), NULL);
    int connection = live_connect(&live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sExpect: 100-continue\r\n"
               "Content-Length: 1001\r\n\r\n",
               npy_type);
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 413, "1001", "Expect");
    live_answer_free(&answer);
    close(connection);
    live_stop(&live);
}

Test(live_http, a_body_may_come_byte_by_byte)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    live_print(connection, "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
               npy_type, x.file_bytes);
    for (size_t i = 0; i < x.file_bytes; i++)
        live_send(connection, x.file + i, 1);
    check_golden_answer(connection, "byte by byte");
    close(connection);
    live_tensor_free(&x);
    live_stop(&live);
}

/* ---- connections ---- */

Test(live_http, a_connection_serves_many_requests_good_and_bad)
{
    struct live live;
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    for (int i = 0; i < 100; i++) {
        live_print(connection,
                   "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n",
                   npy_type, x.file_bytes);
        live_send(connection, x.file, x.file_bytes);
        check_golden_answer(connection, "keep-alive");
        live_print(connection,
                   "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 3\r\n\r\nabc",
                   npy_type);
        cr_assert(live_receive(connection, false, &answer), "round %d", i);
        live_check_problem(&answer, 400, "", "keep-alive");
        live_answer_free(&answer);
        live_print(connection, "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n");
        cr_assert(live_receive(connection, false, &answer), "round %d", i);
        live_check_problem(&answer, 404, "", "keep-alive");
        live_answer_free(&answer);
    }
    close(connection);
    live_tensor_free(&x);
    live_stop(&live);
}

Test(live_http, requests_may_be_sent_ahead_of_their_answers)
{
    struct live live;
    struct live_answer answer;
    struct live_tensor x = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    for (int i = 0; i < 5; i++) {
        live_print(connection,
                   "POST /ppm HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n%d\r\n%s"
                   "Content-Length: %zu\r\n\r\n",
                   i, npy_type, x.file_bytes);
        live_send(connection, x.file, x.file_bytes);
    }
    for (int i = 0; i < 5; i++) {
        char id[LIVE_HEADER_BYTES], expected[16];
        cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
        snprintf(expected, sizeof expected, "n%d", i);
        cr_assert_str_eq(live_header(&answer, "X-Request-Id", id), expected);
        live_answer_free(&answer);
    }
    close(connection);
    live_tensor_free(&x);
    live_stop(&live);
}

Test(live_http, head_is_get_without_a_body)
{
    static const char *const targets[] = {"/healthz", "/readyz", "/ppm", ("/ppm/" LISTING1)};
    struct live live;
    struct live_answer got, head;
    char length[2][LIVE_HEADER_BYTES], type[2][LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    int connection = live_connect(&live);
    for (size_t i = 0; i < COUNT(targets); i++) {
        live_print(connection, "HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\n", targets[i]);
        cr_assert(live_receive(connection, true, &head));
        live_print(connection, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", targets[i]);
        cr_assert(live_receive(connection, false, &got));
        cr_assert(head.status == 200 && got.status == 200, "%s", targets[i]);
        cr_assert_str_eq(live_header(&head, "Content-Length", length[0]),
                         live_header(&got, "Content-Length", length[1]));
        cr_assert_str_eq(live_header(&head, "Content-Type", type[0]),
                         live_header(&got, "Content-Type", type[1]));
        live_answer_free(&head);
        live_answer_free(&got);
    }
    close(connection);
    live_stop(&live);
}

/* ---- many at a time ---- */

enum { CLIENTS = 8, ROUNDS = 12 };

struct client {
    const struct live *live;
    const char *name;
    enum live_form form;
    size_t wrong;
};

/* Compares without an assertion, which only the test's own thread may use. */
static void *be_client(void *context)
{
    struct client *client = context;
    char target[128], headers[128];
    struct live_tensor x = live_golden(client->name, "x.npy"),
                       y = live_golden(client->name, "y.npy");
    struct live_body body = live_make_body(client->form, &x, x.shape, "");
    snprintf(target, sizeof target, "/ppm/%s?shape=%s", client->name, x.shape);
    snprintf(headers, sizeof headers, "Content-Type: %s\r\nAccept: %s\r\n",
             live_types[client->form], live_types[RAW]);
    for (int round = 0; round < ROUNDS; round++) {
        struct live_answer answer =
            live_ask(client->live, "POST", target, headers, body.bytes, body.count);
        const float *values = (const float *)(const void *)answer.body;
        bool is_right = answer.status == 200 && answer.body_bytes == y.count * sizeof(float);
        for (size_t i = 0; is_right && i < y.count; i++)
            is_right = fabsf(values[i] - y.values[i]) <= 1e-5f + 1e-4f * fabsf(y.values[i]);
        client->wrong += is_right ? 0 : 1;
        live_answer_free(&answer);
    }
    free(body.bytes);
    live_tensor_free(&x);
    live_tensor_free(&y);
    return NULL;
}

Test(live_http, each_of_many_clients_gets_its_own_answer)
{
    static const char *const names[] = {LISTING1, "listing2-pytorch-psp", "output-softmax",
                                        "nhwc-adaptive"};
    struct live live;
    struct client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    live_start(&live,
               LIST("--model", LISTING1_GOLDEN, "--model", GOLDEN("listing2-pytorch-psp"),
                    "--model", GOLDEN("output-softmax"), "--model", GOLDEN("nhwc-adaptive")),
               NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){
            .live = &live, .name = names[i % 4], .form = (enum live_form)(i % FORM_COUNT)};
        cr_assert(pthread_create(&threads[i], NULL, be_client, &clients[i]) == 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert(clients[i].wrong == 0, "%s as %s: %zu answers of %d are wrong", clients[i].name,
                  live_types[clients[i].form], clients[i].wrong, ROUNDS);
    }
    live_stop(&live);
}
