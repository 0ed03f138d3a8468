/* test_live_refusals.c - requests that must be refused with the right reason, and leave the server
 * as it was. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JSON_TYPE "Content-Type: application/json\r\n"
#define NPY_TYPE  "Content-Type: application/x-npy\r\n"
#define RAW_TYPE  "Content-Type: application/octet-stream\r\n"
#define NPY_4D    "'shape': (1, 4, 2, 2), "
#define NPY_C     "'fortran_order': False, "

/* A request with exactly one of the bodies; the model takes 4 channels. */
struct refusal {
    const char *target, *headers;
    const char *text;  /* as it is */
    const char *npy;   /* the dictionary of a version 1 header, then zeros */
    size_t zero_bytes; /* of a raw body, or after npy */
    int status;
    const char *detail; /* what the detail must contain */
};

static const struct refusal json_refusals[] = {
    {"/ppm", JSON_TYPE, "", NULL, 0, 400, "empty"},
    {"/ppm", JSON_TYPE, "{", NULL, 0, 400, "JSON"},
    {"/ppm", JSON_TYPE, "[1, 2", NULL, 0, 400, "object"},
    {"/ppm", JSON_TYPE, "null", NULL, 0, 400, "object"},
    {"/ppm", JSON_TYPE, "{}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4", NULL, 0, 400, "end"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4]", NULL, 0, 400, "JSON"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4]} x", NULL, 0, 400, "JSON"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3]}", NULL, 0, 400, "3"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4,5]}", NULL, 0, 400, "5"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,0,1],\"data\":[]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,-1,1],\"data\":[1]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1.5,1],\"data\":[1]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":[4,1],\"data\":[1,2,3,4]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":\"1,4,1,1\",\"data\":[1,2,3,4]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":[4294967296,4,4294967296,1],\"data\":[1]}", NULL, 0, 400,
     "4294967296"},
    {"/ppm", JSON_TYPE, "{\"shape\":[99999999999999999999,4,1,1],\"data\":[1]}", NULL, 0, 400, ""},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,3,1,1],\"data\":[1,2,3]}", NULL, 0, 422, "takes 4"},
    {"/ppm", JSON_TYPE, "{\"data\":[1,2,3,4]}", NULL, 0, 400, "shape"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,NaN,3,4]}", NULL, 0, 400, "NaN"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,-Infinity,3,4]}", NULL, 0, 400, "Inf"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,1e39,3,4]}", NULL, 0, 400, "float32"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,-3.5e38,3,4]}", NULL, 0, 400, "float32"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,01,3,4]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,0x1,3,4]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,\"2\",3,4]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,true,3,4]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1,2,3,4,]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"data\":[[[[1,2],[3]],[[4,5],[6,7]]]]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"data\":[[[1],[2],3,[4]]]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"data\":[[[[[1]]]]]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"data\":{},\"shape\":[1,4,1,1]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"shape\":[1,4,1,1],\"data\":[1],\"data\":[1]}", NULL, 0, 400, "data"},
    {"/ppm", JSON_TYPE, "{\"layout\":\"CHWN\",\"shape\":[1,4,1,1],\"data\":[1,2,3,4]}", NULL, 0,
     400, "NHWC"},
    {"/ppm?layout=NCHW", JSON_TYPE, "{\"layout\":\"NHWC\",\"shape\":[1,1,1,4],\"data\":[1,2,3,4]}",
     NULL, 0, 400, "NHWC"},
    {"/ppm", JSON_TYPE, "{\"dtype\":\"float\xff\",\"shape\":[1,4,1,1],\"data\":[1,2,3,4]}", NULL, 0,
     400, ""},
};

static const struct refusal binary_refusals[] = {
    {"/ppm", RAW_TYPE, NULL, NULL, 64, 400, "shape"},
    {"/ppm?shape=", RAW_TYPE, NULL, NULL, 64, 400, "shape"},
    {"/ppm?shape=abc", RAW_TYPE, NULL, NULL, 64, 400, "abc"},
    {"/ppm?shape=1,4,2,2,", RAW_TYPE, NULL, NULL, 64, 400, "1,4,2,2,"},
    {"/ppm?shape=1,4,2,2.0", RAW_TYPE, NULL, NULL, 64, 400, "2.0"},
    {"/ppm?shape=2,2", RAW_TYPE, NULL, NULL, 16, 400, "3 or 4"},
    {"/ppm?shape=1,4,0,2", RAW_TYPE, NULL, NULL, 64, 400, "positive"},
    {"/ppm?shape=1,4,-2,2", RAW_TYPE, NULL, NULL, 64, 400, "positive"},
    {"/ppm", RAW_TYPE "X-Tensor-Shape: nonsense\r\n", NULL, NULL, 64, 400, "nonsense"},
    {"/ppm?shape=1,4,2,2", RAW_TYPE, NULL, NULL, 60, 400, "60"},
    {"/ppm?shape=1,4,2,2", RAW_TYPE, NULL, NULL, 63, 400, "64"},
    {"/ppm?shape=1,4,2,2", RAW_TYPE, NULL, NULL, 68, 400, "68"},
    {"/ppm?shape=1,3,2,2", RAW_TYPE, NULL, NULL, 48, 422, "4"},
    {"/ppm?shape=1,2,2,4", RAW_TYPE, NULL, NULL, 64, 422, "4"},
    {"/ppm?shape=4294967296,4,4294967296,4", RAW_TYPE, NULL, NULL, 64, 400, "4294967296"},
    {"/ppm?shape=18446744073709551617,4,1,1", RAW_TYPE, NULL, NULL, 16, 400,
     "18446744073709551617"},
    {"/ppm?shape=1,4,5000000000,1", RAW_TYPE, NULL, NULL, 16, 413, "5000000000"},
    {"/ppm?shape=1,4,2,2&layout=nhwc", RAW_TYPE, NULL, NULL, 64, 400, "nhwc"},
    {"/ppm", NPY_TYPE, "no magic here", NULL, 0, 400, "npy"},
    {"/ppm", NPY_TYPE, "\x93NUMPY\x09\x09vvvvvvvv", NULL, 0, 400, "version"},
    {"/ppm", NPY_TYPE, "\x93NUMPY\x01\x01\xff\xff{'descr'", NULL, 0, 400, ""},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '|O', " NPY_C NPY_4D "}", 64, 400, "|O"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '>f4', " NPY_C NPY_4D "}", 64, 400, ">f4"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<i8', " NPY_C NPY_4D "}", 128, 400, "<i8"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<c8', " NPY_C NPY_4D "}", 128, 400, "<c8"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': [('a', '<f4')], " NPY_C NPY_4D "}", 64, 400, "structured"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': __import__('os'), " NPY_C NPY_4D "}", 64, 400, "<f4"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_4D "}", 64, 400, "fortran_order"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C "}", 64, 400, "shape"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C NPY_4D "}", 60, 400, "60"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C NPY_4D "}", 68, 400, "68"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C NPY_4D "}", 0, 400, "64"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C "'shape': (4, 4), }", 64, 400, "3 or 4"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C "'shape': (1, 3, 2, 2), }", 48, 422, "4"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C "'shape': (1, 4, 0, 2), }", 0, 400, "0"},
    {"/ppm", NPY_TYPE, NULL, "{'descr': '<f4', " NPY_C "'shape': (4294967296, 4, 4294967296, 4), }",
     64, 400, "4294967296"},
};

static const struct refusal routing_refusals[] = {
    {"/ppm", "", "{}", NULL, 0, 415, "application/json"},
    {"/ppm", "Content-Type:\r\n", "{}", NULL, 0, 415, "application/x-npy"},
    {"/ppm", "Content-Type: text/plain\r\n", "{}", NULL, 0, 415, "text/plain"},
    {"/ppm", "Content-Type: image/png\r\n", "{}", NULL, 0, 422, "takes a tensor of 4 channels"},
    {"/ppm", "Content-Type: image/gif\r\n", "{}", NULL, 0, 415, "expected image/jpeg, image/png, "},
    {"/ppm", "Content-Type: application/x-www-form-urlencoded\r\n", "a=b", NULL, 0, 415, "found"},
    {"/ppm", JSON_TYPE "Accept: text/html\r\n", "{}", NULL, 0, 406, "text/html"},
    {"/ppm", JSON_TYPE "Accept: */*;q=0\r\n", "{}", NULL, 0, 406, "application/octet-stream"},
    {"/ppm/none", JSON_TYPE, "{}", NULL, 0, 404, LISTING1},
    {"/ppm/none?shape=1,4,2,2", RAW_TYPE, NULL, NULL, 64, 404, "none"},
    {"/ppm/" LISTING1 "%00", JSON_TYPE, "{}", NULL, 0, 404, "%00"},
    {"/ppm/" LISTING1 "/", JSON_TYPE, "{}", NULL, 0, 404, ""},
    {"/ppm/..%2f", JSON_TYPE, "{}", NULL, 0, 404, ""},
    {"/ppm/", JSON_TYPE, "{}", NULL, 0, 404, ""},
    {"/PPM", JSON_TYPE, "{}", NULL, 0, 404, ""},
    {"/other", JSON_TYPE, "{}", NULL, 0, 404, "/ppm"},
    {"/healthz", JSON_TYPE, "{}", NULL, 0, 405, "GET"},
    {"/metrics", JSON_TYPE, "{}", NULL, 0, 405, "GET"},
    {"*", JSON_TYPE, "{}", NULL, 0, 404, ""},
};

static char *make_npy(const struct refusal *refusal, size_t *ret_bytes)
{
    const size_t head = strlen(refusal->npy);
    char *body = calloc(1, 10 + head + refusal->zero_bytes + 1);
    memcpy(body, "\x93NUMPY\x01\0", 8);
    body[8] = (char)head;
    memcpy(body + 10, refusal->npy, head);
    *ret_bytes = 10 + head + refusal->zero_bytes;
    return body;
}

static void check_refusals(const struct refusal *refusals, size_t count)
{
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < count; i++) {
        const struct refusal *refusal = &refusals[i];
        char what[160];
        size_t bytes = refusal->text ? strlen(refusal->text) : refusal->zero_bytes;
        char *zeros = refusal->npy ? make_npy(refusal, &bytes) : calloc(1, bytes + 1);
        snprintf(what, sizeof what, "case %zu: %s %s", i, refusal->target,
                 refusal->text  ? refusal->text
                 : refusal->npy ? refusal->npy
                                : "");
        struct live_answer answer = live_ask(&live, "POST", refusal->target, refusal->headers,
                                             refusal->text ? refusal->text : zeros, bytes);
        live_check_problem(&answer, refusal->status, refusal->detail, what);
        live_check_serving(&live, what);
        live_answer_free(&answer);
        free(zeros);
    }
    live_stop(&live);
}

Test(live_refusals, of_json)
{
    check_refusals(json_refusals, COUNT(json_refusals));
}

Test(live_refusals, of_raw_and_npy)
{
    check_refusals(binary_refusals, COUNT(binary_refusals));
}

Test(live_refusals, of_paths_and_media_types)
{
    check_refusals(routing_refusals, COUNT(routing_refusals));
}

Test(live_refusals, of_methods_say_what_is_allowed)
{
    static const struct {
        const char *method, *target, *allow;
    } cases[] = {{"DELETE", "/ppm", "POST, PUT, GET, HEAD"},
                 {"PATCH", "/ppm/" LISTING1, "POST, PUT, GET, HEAD"},
                 {"POST", "/", "GET, HEAD"},
                 {"POST", "/healthz", "GET, HEAD"},
                 {"PATCH", "/metrics", "GET, HEAD"}};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char allow[LIVE_HEADER_BYTES];
        struct live_answer answer = live_ask(&live, cases[i].method, cases[i].target, "", NULL, 0);
        live_check_problem(&answer, 405, cases[i].method, cases[i].target);
        cr_assert_str_eq(live_header(&answer, "Allow", allow), cases[i].allow);
        live_check_serving(&live, cases[i].target);
        live_answer_free(&answer);
    }
    live_stop(&live);
}

/* A body made of one piece, repeated; the parsers must neither recurse nor slow down. */
Test(live_refusals, of_deep_and_long_bodies)
{
    static const char *const pieces[] = {"[", "{\"a\":",       "{\"data\":[", "[[1],",
                                         " ", "{\"data\":[1,", "\"",          "\\"};
    struct live live;
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        const size_t piece_bytes = strlen(pieces[i]), count = 200000;
        char *body = malloc(piece_bytes * count);
        for (size_t k = 0; k < count; k++)
            memcpy(body + k * piece_bytes, pieces[i], piece_bytes);
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm", JSON_TYPE, body, piece_bytes * count);
        live_check_problem(&answer, 400, "", pieces[i]);
        live_check_serving(&live, pieces[i]);
        live_answer_free(&answer);
        free(body);
    }
    live_stop(&live);
}

/* The branches of listing 4 have different sizes unless the strides divide the input. */
Test(live_refusals, of_sizes_that_do_not_fit_the_model)
{
    struct live live;
    char *zeros = calloc(31 * 31 * 3, sizeof(float));
    live_start(&live, LIST("--model", "configs/models/listing4-tf1-pool-block.json"), NULL);
    struct live_answer answer = live_ask(&live, "POST", "/ppm?shape=1,31,31,3", RAW_TYPE, zeros,
                                         31 * 31 * 3 * sizeof(float));
    live_check_problem(&answer, 422, "concatenated", "31 x 31");
    live_answer_free(&answer);
    free(zeros);
    live_stop(&live);
}

/* A client that sends its whole body before it reads, as most do. */
Test(live_refusals, reach_who_is_still_sending)
{
    enum { BODY_BYTES = 8 << 20, PIECE_BYTES = 1 << 16, CONNECTIONS = 4 };
    static const char piece[PIECE_BYTES];
    struct live live;
    live_start(&live, LIST("--model", LISTING1_MODEL), NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct live_answer answer;
        char more;
        int connection = live_connect(&live);
        cr_assert(live_print(connection,
                             "POST /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
                             "Content-Length: %d\r\n\r\n",
                             BODY_BYTES));
        live_sleep_ms(100);
        for (size_t sent = 0; sent < BODY_BYTES; sent += PIECE_BYTES)
            cr_assert(live_send(connection, piece, PIECE_BYTES), "after %zu bytes", sent);
        cr_assert(live_receive(connection, false, &answer));
        live_check_problem(&answer, 415, "text/plain", "a body that was not waited for");
        cr_assert(read(connection, &more, 1) == 0, "and no more");
        live_answer_free(&answer);
        close(connection);
    }
    live_stop(&live);
}
