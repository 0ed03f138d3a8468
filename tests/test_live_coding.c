/* test_live_coding.c - compressed bodies of requests and responses, on every route. */
#include "tests/compressed.h"
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GZIPPED  "Content-Encoding: gzip\r\n"
#define DEFLATED "Content-Encoding: deflate\r\n"

static const struct {
    const char *header;
    enum compressed_format format;
} codings[] = {
    {GZIPPED, COMPRESSED_GZIP},
    {DEFLATED, COMPRESSED_ZLIB},
    {"content-encoding:\t X-GZip \r\n", COMPRESSED_GZIP},
};

static char *type_line(char ret[128], enum live_form form, const char *more)
{
    snprintf(ret, 128, "Content-Type: %s\r\n%s", live_types[form], more);
    return ret;
}

static struct live_body compress_body(enum compressed_format format, const struct live_body *body)
{
    struct live_body made = {0};
    made.bytes = compressed_make(format, body->bytes, body->count, &made.count);
    return made;
}

/* Checks that the response to the body is y. */
static void check_answer(const struct live_answer *answer, const struct live_tensor *y,
                         const char *what)
{
    struct live_result result = live_read_answer(answer, what);
    live_check_result(&result, y, "NCHW", what);
    free(result.values);
}

Test(live_coding, bodies_in_every_form_and_coding)
{
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    char headers[128], target[128];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (enum live_form form = JSON; form < FORM_COUNT; form++)
        for (size_t i = 0; i < COUNT(codings); i++) {
            struct live_body plain = live_make_body(form, &x, x.shape, "");
            struct live_body sent = compress_body(codings[i].format, &plain);
            snprintf(target, sizeof target, "/ppm%s%s", form == RAW ? "?shape=" : "",
                     form == RAW ? x.shape : "");
            struct live_answer answer =
                live_ask(&live, "POST", target, type_line(headers, form, codings[i].header),
                         sent.bytes, sent.count);
            check_answer(&answer, &y, headers);
            live_answer_free(&answer);
            free(plain.bytes);
            free(sent.bytes);
        }
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

/* In chunks of the given size, each sent separately. */
static struct live_answer ask_in_chunks(const struct live *live, const char *headers,
                                        const struct live_body *body, size_t chunk_bytes)
{
    struct live_answer answer;
    int connection = live_connect(live);
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n",
               headers);
    for (size_t at = 0, bytes; at < body->count; at += bytes) {
        bytes = body->count - at < chunk_bytes ? body->count - at : chunk_bytes;
        live_print(connection, "%zx\r\n", bytes);
        live_send(connection, body->bytes + at, bytes);
        live_print(connection, "\r\n");
    }
    live_print(connection, "0\r\n\r\n");
    cr_assert(live_receive(connection, false, &answer), "no answer");
    close(connection);
    return answer;
}

Test(live_coding, compressed_in_chunks)
{
    static const size_t chunks[] = {1, 7, 1000};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    struct live_body plain = live_make_body(NPY, &x, x.shape, "");
    char headers[128];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(chunks); i++) {
        struct live_body sent = compress_body(codings[i].format, &plain);
        struct live_answer answer =
            ask_in_chunks(&live, type_line(headers, NPY, codings[i].header), &sent, chunks[i]);
        check_answer(&answer, &y, "chunks");
        live_answer_free(&answer);
        free(sent.bytes);
    }
    free(plain.bytes);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

Test(live_coding, other_codings_are_refused_before_the_body)
{
    static const struct {
        const char *headers, *text;
    } cases[] = {
        {"Content-Encoding: br\r\n", "found br,"},
        {"Content-Encoding: zstd\r\n", "found zstd,"},
        {"Content-Encoding: gzip, deflate\r\n", "found gzip, deflate,"},
        {"Content-Encoding: gzip, gzip\r\n", "expected gzip or deflate"},
        {GZIPPED GZIPPED, "several"},
        {"Content-Encoding: identity\r\n" GZIPPED, "several"},
        {"Content-Encoding: gzip;q=1\r\n", "gzip;q=1"},
        {"Content-Encoding: *\r\n", "found *,"},
    };
    struct live live;
    char value[LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer;
        int connection = live_connect(&live);
        live_print(connection,
                   "POST /ppm HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 99\r\n\r\n",
                   cases[i].headers);
        cr_assert(live_receive(connection, false, &answer));
        live_check_problem(&answer, 415, cases[i].text, cases[i].headers);
        cr_assert_str_eq(live_header(&answer, "Accept-Encoding", value), "gzip, deflate");
        live_answer_free(&answer);
        close(connection);
    }
    live_stop(&live);
}

Test(live_coding, identity_and_nothing_are_no_coding)
{
    static const char *const plain[] = {"Content-Encoding: identity\r\n", "Content-Encoding:\r\n"};
    struct live live;
    struct live_tensor x = live_golden(LISTING1, "x.npy"), y = live_golden(LISTING1, "y.npy");
    struct live_body body = live_make_body(NPY, &x, x.shape, "");
    char headers[128];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(plain); i++) {
        struct live_answer answer = live_ask(
            &live, "POST", "/ppm", type_line(headers, NPY, plain[i]), body.bytes, body.count);
        check_answer(&answer, &y, plain[i]);
        live_answer_free(&answer);
    }
    struct live_answer answer = live_ask(&live, "GET", "/healthz", GZIPPED, NULL, 0);
    cr_assert(answer.status == 200, "a coding of no body: %d", answer.status);
    live_answer_free(&answer);
    free(body.bytes);
    live_tensor_free(&x);
    live_tensor_free(&y);
    live_stop(&live);
}

/* On one connection, which stays open. */
static void check_refused_data(int connection, const char *bytes, size_t count, const char *text)
{
    struct live_answer answer;
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" GZIPPED
               "Content-Length: %zu\r\n\r\n",
               count);
    live_send(connection, bytes, count);
    cr_assert(live_receive(connection, false, &answer), "%s: no answer", text);
    live_check_problem(&answer, 400, text, text);
    live_answer_free(&answer);
}

Test(live_coding, a_body_that_is_cut_off_or_goes_on_is_malformed)
{
    static const char json[] = "{\"shape\": [1, 4, 1, 1], \"data\": [1, 2, 3, 4]}";
    struct live live;
    struct live_answer answer;
    size_t count;
    char *sent = compressed_make(COMPRESSED_GZIP, json, strlen(json), &count);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    int connection = live_connect(&live);
    for (size_t cut = 1; cut < count; cut++)
        check_refused_data(connection, sent, cut, "ends after");
    check_refused_data(connection, json, strlen(json), "corrupt");
    sent = realloc(sent, count + 1);
    sent[count] = '\n';
    check_refused_data(connection, sent, count + 1, "after the end");
    live_print(connection,
               "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" GZIPPED
               "Content-Length: %zu\r\n\r\n",
               count);
    live_send(connection, sent, count);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    live_answer_free(&answer);
    close(connection);
    free(sent);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
}

Test(live_coding, limits_hold_for_both_lengths)
{
    enum { BOMB_BYTES = 16 << 20 };
    struct live live;
    size_t count;
    char *zeros = calloc(1, BOMB_BYTES);
    char *bomb = compressed_make(COMPRESSED_GZIP, zeros, BOMB_BYTES, &count);
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--body-max-bytes", "20000"), NULL);
    cr_assert(count < 20000);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm", "Content-Type: application/x-npy\r\n" GZIPPED, bomb, count);
    live_check_problem(&answer, 413, "more than 20000 bytes (body_max_bytes)", "a bomb");
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", "/ppm", "Content-Type: application/x-npy\r\n" GZIPPED, zeros,
                      20001);
    live_check_problem(&answer, 413, "20001", "compressed, and over the limit all the same");
    live_answer_free(&answer);
    cr_assert(live_metric(&live, "ppm_rejected_total{reason=\"too_large\"}") == 2);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_check_serving(&live, "refusals");
    free(bomb);
    free(zeros);
    live_stop(&live);
}

/* Large bodies are not inflated by the threads that answer health checks, but queued.
 */
Test(live_coding, a_large_body_waits_for_a_thread_that_computes)
{
    enum { LARGE_BYTES = 16 << 20, CONNECTIONS = 4 };
    struct live live;
    struct live_answer answer;
    size_t count;
    int connections[CONNECTIONS];
    char *zeros = calloc(1, LARGE_BYTES);
    char *bomb = compressed_make(COMPRESSED_GZIP, zeros, LARGE_BYTES, &count);
    live_slow_start(&live, LIST("--threads", "1", "--http-threads", "1"));
    const double runs = live_metric(&live, "ppm_batch_size_count{model=\"slow\"}");
    int held = live_slow_send(&live, 4096, "");
    live_wait_metric(&live, "ppm_batch_size_count{model=\"slow\"}", runs + 1);
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i] = live_connect(&live);
        live_print(
            connections[i],
            "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-npy\r\n" GZIPPED
            "Content-Length: %zu\r\n\r\n",
            count);
        live_send(connections[i], bomb, count);
    }
    live_wait_metric(&live, "ppm_queue_depth", CONNECTIONS);
    cr_assert(!live_is_answered(held), "something else waits");
    close(held);
    for (int i = 0; i < CONNECTIONS; i++) {
        cr_assert(live_receive(connections[i], false, &answer));
        live_check_problem(&answer, 400, "npy", "zeros");
        live_answer_free(&answer);
        close(connections[i]);
    }
    live_slow_stop(&live);
    free(bomb);
    free(zeros);
}

Test(live_coding, a_raw_body_is_as_long_as_its_shape_says)
{
    struct live live;
    size_t count;
    char zeros[68] = "";
    char *sent = compressed_make(COMPRESSED_ZLIB, zeros, sizeof zeros, &count);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm?shape=1,4,2,2",
                 "Content-Type: application/octet-stream\r\n" DEFLATED, sent, count);
    live_check_problem(&answer, 400, "68", "four bytes too many");
    live_answer_free(&answer);
    free(sent);
    live_stop(&live);
}

/* ---- answers ---- */

/* A map whose response is longer than a KiB. */
static const char *const map_target = "/ppm?shape=1,4,30,30";
static const float map[4 * 30 * 30] = {1, 2, 3};

static struct live_answer ask_for(const struct live *live, const char *method, const char *target,
                                  const char *accept, const char *accept_encoding)
{
    char headers[256];
    const bool is_post = strcmp(method, "POST") == 0;
    snprintf(headers, sizeof headers, "%sAccept: %s\r\n%s%s%s",
             is_post ? "Content-Type: application/octet-stream\r\n" : "", accept,
             accept_encoding ? "Accept-Encoding: " : "", accept_encoding ? accept_encoding : "",
             accept_encoding ? "\r\n" : "");
    return live_ask(live, method, target, headers, is_post ? map : NULL, is_post ? sizeof map : 0);
}

Test(live_coding, json_is_compressed_for_who_asks)
{
    static const struct {
        const char *accept_encoding, *expected;
        enum compressed_format format;
    } cases[] = {
        {"gzip", "gzip", COMPRESSED_GZIP},
        {"gzip, deflate, br", "gzip", COMPRESSED_GZIP},
        {"deflate", "deflate", COMPRESSED_ZLIB},
        {"gzip;q=0.1\r\nAccept-Encoding: deflate;q=0.2", "deflate", COMPRESSED_ZLIB},
        {"identity", "", 0},
        {"br", "", 0},
        {"*;q=0", "", 0},
    };
    struct live live;
    char value[LIVE_HEADER_BYTES];
    size_t bytes;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer plain = ask_for(&live, "POST", map_target, "application/json", NULL);
    cr_assert(plain.status == 200 && *plain.body == '{');
    cr_assert_str_empty(live_header(&plain, "Vary", value));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            ask_for(&live, "POST", map_target, "application/json", cases[i].accept_encoding);
        cr_assert_str_eq(live_header(&answer, "Content-Encoding", value), cases[i].expected, "%s",
                         cases[i].accept_encoding);
        cr_assert_str_eq(live_header(&answer, "Content-Type", value), "application/json");
        if (*cases[i].expected) {
            cr_assert_str_eq(live_header(&answer, "Vary", value), "Accept-Encoding");
            char *body = compressed_read(cases[i].format, answer.body, answer.body_bytes,
                                         plain.body_bytes, &bytes);
            cr_assert(body && answer.body_bytes < plain.body_bytes && bytes == plain.body_bytes);
            free(answer.body);
            answer.body = body;
            answer.body_bytes = bytes;
        }
        cr_assert(answer.status == 200 && answer.body_bytes == plain.body_bytes &&
                      memcmp(answer.body, plain.body, plain.body_bytes) == 0,
                  "%s", cases[i].accept_encoding);
        live_answer_free(&answer);
    }
    live_answer_free(&plain);
    live_stop(&live);
}

/* Descriptions and errors are JSON too, and the page compresses as well. */
Test(live_coding, what_is_only_read_is_compressed_as_well)
{
    static const struct {
        const char *method, *target;
        int status;
    } cases[] = {
        {"GET", "/openapi.json", 200},
        {"GET", "/ppm", 200},
        {"GET", "/ppm/" LISTING1 "?shape=1,4,30,30", 200},
        {"GET", "/", 200},
        {"GET", "/page/page.js", 200},
        {"GET", "/page/page.css", 200},
        {"GET", NULL, 404}, /* a long target, which the error repeats */
    };
    struct live live;
    char value[LIVE_HEADER_BYTES], long_target[1400] = "/nowhere/";
    size_t bytes;
    memset(long_target + strlen(long_target), 'x', sizeof long_target - strlen(long_target) - 1);
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *target = cases[i].target ? cases[i].target : long_target;
        struct live_answer plain = ask_for(&live, cases[i].method, target, "*/*", NULL);
        struct live_answer answer = ask_for(&live, cases[i].method, target, "*/*", "gzip");
        cr_assert(plain.status == cases[i].status && answer.status == plain.status, "%s", target);
        cr_assert(plain.body_bytes >= 1024, "%s: %zu", target, plain.body_bytes);
        cr_assert_str_eq(live_header(&answer, "Content-Encoding", value), "gzip", "%s", target);
        cr_assert_str_eq(live_header(&answer, "Vary", value), "Accept-Encoding", "%s", target);
        char *body = compressed_read(COMPRESSED_GZIP, answer.body, answer.body_bytes,
                                     plain.body_bytes, &bytes);
        cr_assert(body && bytes == plain.body_bytes && memcmp(body, plain.body, bytes) == 0, "%s",
                  target);
        cr_assert(answer.body_bytes < plain.body_bytes / 2, "%s: %zu of %zu", target,
                  answer.body_bytes, plain.body_bytes);
        free(body);
        live_answer_free(&plain);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

Test(live_coding, nothing_else_is_compressed)
{
    static const struct {
        const char *method, *target, *accept;
    } cases[] = {
        {"POST", "/ppm?shape=1,4,30,30", "application/octet-stream"},
        {"POST", "/ppm?shape=1,4,30,30", "application/x-npy"},
        {"POST", "/ppm?shape=1,4,30,31", "application/json"},
        {"GET", "/metrics", "*/*"},
        {"HEAD", "/metrics", "*/*"},
        {"HEAD", "/ppm", "*/*"},
    };
    struct live live;
    char value[LIVE_HEADER_BYTES];
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            ask_for(&live, cases[i].method, cases[i].target, cases[i].accept, "gzip");
        cr_assert(answer.status == (i == 2 ? 400 : 200), "%s: %d", cases[i].target, answer.status);
        cr_assert_str_empty(live_header(&answer, "Content-Encoding", value), "%s", cases[i].target);
        live_answer_free(&answer);
    }
    live_stop(&live);
}
