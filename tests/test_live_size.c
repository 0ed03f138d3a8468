/* test_live_size.c - ?size=, the size of the output that a request asks for. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TYPE "Content-Type: application/octet-stream\r\n"
#define MODEL(name, output)                                                                        \
    "{'name': '" name "', 'input': {'channels': 3}, 'bins': [1, 2], 'branch': ['conv'],"           \
    " 'head': [{'conv': {'channels': 5}}], 'output': {" output "}, 'weights': {'random': 3}}"
#define INPUT                                                                                      \
    "\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 3, 9, 11], "            \
    "\"parameters\": {\"binary_data_size\": 1188}}]"

enum { H = 9, W = 11, CHANNELS = 3 };

static char directory[LIVE_PATH_BYTES];
static struct live live;
static float x[CHANNELS * H * W];

static void start(void)
{
    live_directory_make(directory);
    support_random(x, COUNT(x), 1);
    live_start(
        &live,
        LIST("--model", live_write_quoted(directory, "a.json", MODEL("asked", "'scale': 2")),
             "--model", live_write_quoted(directory, "o.json", MODEL("own", "'size': [14, 30]")),
             "--model", live_write_quoted(directory, "m.json", MODEL("map", "'as': 'argmax'")),
             "--model",
             live_write_quoted(directory, "n.json",
                               MODEL("ownmap", "'as': 'argmax', 'size': [14, 30]")),
             "--memory-max-bytes", "50000000"),
        NULL);
}

static void stop(void)
{
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
    live_directory_remove(directory);
}

TestSuite(live_size, .init = start, .fini = stop, .timeout = 300);

static struct live_answer post(const char *target, const char *headers)
{
    return live_ask(&live, "POST", target, headers, x, sizeof x);
}

/* Both answer with the same bytes, of that shape. */
static void check_same(const char *target, const char *own, const char *headers, const char *shape)
{
    char found_shape[LIVE_HEADER_BYTES];
    struct live_answer found = post(target, headers), expected = post(own, headers);
    cr_assert(found.status == 200 && expected.status == 200, "%s: %s\n%s: %s", target, found.body,
              own, expected.body);
    cr_assert_str_eq(live_header(&found, "X-Tensor-Shape", found_shape), shape, "%s", target);
    cr_assert(found.body_bytes == expected.body_bytes &&
                  memcmp(found.body, expected.body, found.body_bytes) == 0,
              "%s", target);
    live_answer_free(&found);
    live_answer_free(&expected);
}

Test(live_size, is_as_if_the_model_had_it)
{
    check_same("/ppm/asked?shape=1,3,9,11&size=14,30", "/ppm/own?shape=1,3,9,11", TYPE,
               "1,5,14,30");
    check_same("/ppm/asked?shape=3,9,11&size=14,%2030", "/ppm/own?shape=3,9,11", TYPE, "5,14,30");
    check_same("/ppm/asked?shape=1,9,11,3&layout=NHWC&size=14,30",
               "/ppm/own?shape=1,9,11,3&layout=NHWC", TYPE, "1,14,30,5");
    check_same("/ppm/map?shape=1,3,9,11&size=14,30", "/ppm/ownmap?shape=1,3,9,11",
               TYPE "Accept: image/png\r\n", "1,1,14,30");
    check_same("/ppm/own?shape=1,3,9,11&size=18,22", "/ppm/asked?shape=1,3,9,11", TYPE,
               "1,5,18,22");
}

Test(live_size, is_that_of_intermediate_results)
{
    struct live_answer answer =
        post("/ppm?shape=1,3,9,11&size=14,30&stages=1", TYPE "Accept: application/json\r\n");
    cr_assert(answer.status == 200 && strstr(answer.body, "[1, 5, 14, 30]") &&
                  strstr(answer.body, "[1, 5, 9, 11]"),
              "%d %.300s", answer.status, answer.body);
    live_answer_free(&answer);
}

Test(live_size, is_described)
{
    struct live_answer answer =
        live_ask(&live, "GET", "/ppm?shape=1,3,9,11&size=14,30", "", NULL, 0);
    cr_assert(answer.status == 200 && strstr(answer.body, "\"output_shape\":[1,5,14,30]"), "%d %s",
              answer.status, answer.body);
    live_answer_free(&answer);
    answer = live_ask(&live, "GET", "/ppm?size=14,30", "", NULL, 0);
    live_check_problem(&answer, 400, "size: found 14,30 without a shape", "size alone");
    live_answer_free(&answer);
    answer = live_ask(&live, "GET", "/ppm?shape=1,3,9,11&size=14", "", NULL, 0);
    live_check_problem(&answer, 400, "size: found \"14\", expected H,W in pixels", "GET");
    live_answer_free(&answer);
}

Test(live_size, is_refused)
{
    static const struct {
        const char *query, *text;
        int status;
    } cases[] = {
        {"size=14", "size: found \"14\", expected H,W in pixels, such as 480,640", 400},
        {"size=", "size: found \"\", expected H,W", 400},
        {"size=0,30", "size: found \"0,30\"", 400},
        {"size=14,30,1", "size: found \"14,30,1\"", 400},
        {"size=14,30&size=14,30", "size", 400},
        {"Size=14,30", "Size", 400},
        {"size=65537,1", "found an output size of 65537 x 1 pixels (H x W), expected at most 65536",
         413},
        {"size=65536,65536", "this input takes", 413},
        {"size=3000,3000", "expected at most 47 MiB in all (memory_max_bytes)", 413},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char target[128];
        snprintf(target, sizeof target, "/ppm?shape=1,3,9,11&%s", cases[i].query);
        struct live_answer answer = post(target, TYPE);
        live_check_problem(&answer, cases[i].status, cases[i].text, cases[i].query);
        live_answer_free(&answer);
    }
}

/* ---- by the Open Inference Protocol ---- */

static struct live_answer infer(const char *target, const char *json)
{
    char body[2048], header[96];
    const size_t bytes = strlen(json);
    memcpy(body, json, bytes);
    memcpy(body + bytes, x, sizeof x);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", bytes);
    return live_ask(&live, "POST", target, header, body, bytes + sizeof x);
}

static void check_infer(const char *target, const char *parameters, int status, const char *text)
{
    char json[512];
    snprintf(json, sizeof json, "{" INPUT ", \"parameters\": {%s}}", parameters);
    struct live_answer answer = infer(target, json);
    cr_assert(answer.status == status && strstr(answer.body, text), "%s, %s: %d %.400s", target,
              parameters, answer.status, answer.body);
    live_answer_free(&answer);
}

#define INFER "/v2/models/asked/infer"

Test(live_size, is_a_parameter_of_an_inference)
{
    check_infer(INFER, "\"size\": \"14,30\"", 200, "\"shape\":[1,5,14,30]");
    check_infer(INFER "?size=14,30", "", 200, "\"shape\":[1,5,14,30]");
    check_infer(INFER "?size=14,30", "\"size\": \"14,30\"", 200, "\"shape\":[1,5,14,30]");
    check_infer(INFER, "\"size\": \"14,30\", \"binary_data_output\": true", 200,
                "\"binary_data_size\":8400");
    check_infer(INFER "?size=14,31", "\"size\": \"14,30\"", 400,
                "size: found 14,30 in parameters and 14,31 in the query, expected them to agree");
    check_infer(INFER, "\"size\": [14, 30]", 400,
                "parameters.size: found [14,30], expected H,W in pixels as a string");
    check_infer(INFER, "\"size\": \"14x30\"", 400, "size: found \\\"14x30\\\", expected H,W");
    check_infer(INFER, "\"size\": \"65537,30\"", 413, "expected at most 65536 each");
    check_infer(INFER "?size=x", "", 400, "size: found \\\"x\\\"");
}

/* A body that is only x has the size in the query. */
Test(live_size, is_that_of_bytes_alone)
{
    struct live_answer found = live_ask(&live, "POST", INFER "?shape=1,3,9,11&size=14,30",
                                        "Inference-Header-Content-Length: 0\r\n", x, sizeof x);
    struct live_answer expected = post("/ppm/own?shape=1,3,9,11", TYPE);
    cr_assert(found.status == 200 && expected.status == 200, "%.300s", found.body);
    cr_assert(memcmp(found.body + found.body_bytes - expected.body_bytes, expected.body,
                     expected.body_bytes) == 0);
    live_answer_free(&found);
    live_answer_free(&expected);
}
