/* test_live_v2.c - POST .../infer of the Open Inference Protocol v2, as clients send it. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFER  "/v2/models/listing1-pytorch-ppm/infer"
#define INPUT  "\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 10, 10], "
#define BINARY INPUT "\"parameters\": {\"binary_data_size\": 1600}}]"

static struct live live;
static struct live_tensor x, y;

static void start(void)
{
    x = live_golden(LISTING1, "x.npy");
    y = live_golden(LISTING1, "y.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
}

static void stop(void)
{
    live_check_serving(&live, "afterwards");
    live_stop(&live);
    live_tensor_free(&x);
    live_tensor_free(&y);
}

/* A body: JSON, spaces, then x as bytes. */
static char *binary_body(const char *json, size_t spaces, const void *values, size_t values_bytes,
                         size_t *ret_json_bytes)
{
    const size_t bytes = strlen(json);
    char *body = malloc(bytes + spaces + values_bytes);
    memcpy(body, json, bytes);
    memset(body + bytes, ' ', spaces);
    memcpy(body + bytes + spaces, values, values_bytes);
    *ret_json_bytes = bytes + spaces;
    return body;
}

static struct live_answer ask_binary(const char *target, const char *json, size_t spaces,
                                     const void *values, size_t values_bytes)
{
    char header[96];
    size_t json_bytes;
    char *body = binary_body(json, spaces, values, values_bytes, &json_bytes);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", json_bytes);
    struct live_answer answer =
        live_ask(&live, "POST", target, header, body, json_bytes + values_bytes);
    free(body);
    return answer;
}

/* The JSON of an answer. */
static json_t *parse(const struct live_answer *answer, const char *what)
{
    char length[LIVE_HEADER_BYTES];
    json_error_t cause;
    const char *text = live_header(answer, "Inference-Header-Content-Length", length);
    const size_t bytes = *text ? strtoull(text, NULL, 10) : answer->body_bytes;
    cr_assert(answer->status == 200 && bytes <= answer->body_bytes, "%s: %d: %s", what,
              answer->status, answer->body);
    json_t *root = json_loadb(answer->body, bytes, 0, &cause);
    cr_assert(root != NULL, "%s: %s", what, cause.text);
    return root;
}

static const char *text_at(const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    return text ? text : "(none)";
}

/* Checks what an answer says of its output y; returns the values. */
static float *check_answer(const struct live_answer *answer, bool is_binary, const char *what)
{
    char header[LIVE_HEADER_BYTES];
    json_t *root = parse(answer, what), *outputs = json_object_get(root, "outputs"),
           *output = json_array_get(outputs, 0), *data = json_object_get(output, "data"),
           *parameters = json_object_get(output, "parameters");
    float *values = malloc(y.count * sizeof *values);
    char *shape = json_dumps(json_object_get(output, "shape"), JSON_COMPACT);
    cr_assert_str_eq(text_at(root, "model_name"), LISTING1, "%s", what);
    cr_assert_str_eq(text_at(root, "model_version"), "1", "%s", what);
    cr_assert(json_array_size(outputs) == 1, "%s", what);
    cr_assert_str_eq(text_at(output, "name"), "y", "%s", what);
    cr_assert_str_eq(text_at(output, "datatype"), "FP32", "%s", what);
    cr_assert(strlen(shape) == strlen(y.shape) + 2 &&
                  strncmp(shape + 1, y.shape, strlen(y.shape)) == 0,
              "%s: %s", what, shape);
    cr_assert((parameters != NULL) == is_binary, "%s", what);
    cr_assert_str_eq(live_header(answer, "Content-Type", header),
                     is_binary ? "application/octet-stream" : "application/json", "%s", what);
    if (is_binary) {
        const size_t bytes = y.count * sizeof *values;
        cr_assert(json_integer_value(json_object_get(parameters, "binary_data_size")) ==
                      (json_int_t)bytes,
                  "%s", what);
        memcpy(values, answer->body + answer->body_bytes - bytes, bytes);
        cr_assert(json_dumpb(root, NULL, 0, JSON_COMPACT) + bytes == answer->body_bytes, "%s",
                  what);
    } else {
        cr_assert(json_array_size(data) == y.count, "%s", what);
        for (size_t i = 0; i < y.count; i++)
            values[i] = (float)json_number_value(json_array_get(data, i));
    }
    live_check_values(values, y.count, &y, what);
    free(shape);
    json_decref(root);
    return values;
}

/* x as flat JSON numbers. */
static char *numbers_of_x(void)
{
    char *text = malloc(x.count * 20), *at = text;
    for (size_t i = 0; i < x.count; i++)
        at += sprintf(at, "%s%.9g", i ? "," : "", (double)x.values[i]);
    return text;
}

Test(live_v2, tensors_go_in_and_out_as_bytes_and_as_numbers, .init = start, .fini = stop,
     .timeout = 300)
{
    static const char *const outputs[] = {
        "",
        ", \"outputs\": []",
        ", \"outputs\": [{\"name\": \"y\"}]",
        ", \"outputs\": [{\"name\": \"y\", \"parameters\": {\"binary_data\": false}}]",
        ", \"outputs\": [{\"name\": \"y\"}], \"parameters\": {\"binary_data_output\": true}",
        ", \"parameters\": {\"binary_data_output\": true}",
        ", \"outputs\": [{\"name\": \"y\", \"parameters\": {\"binary_data\": true}}]",
    };
    char *numbers = numbers_of_x(), *json = malloc(strlen(numbers) + 1024);
    float *first = NULL;
    for (size_t i = 0; i < 2 * COUNT(outputs); i++) {
        const bool is_in_body = i % 2 == 1, is_binary = i / 2 >= 4;
        struct live_answer answer;
        if (is_in_body) {
            sprintf(json, "{" BINARY "%s}", outputs[i / 2]);
            answer = ask_binary(INFER, json, 0, x.values, 1600);
        } else {
            sprintf(json, "{" INPUT "\"data\": [%s]}]%s}", numbers, outputs[i / 2]);
            answer = live_ask(&live, "POST", INFER, "", json, strlen(json));
        }
        float *values = check_answer(&answer, is_binary, json);
        if (first)
            cr_assert_arr_eq(values, first, y.count * sizeof *values, "%s", json);
        if (first)
            free(values);
        else
            first = values;
        live_answer_free(&answer);
    }
    free(first);
    free(json);
    free(numbers);
}

Test(live_v2, bytes_may_begin_anywhere, .init = start, .fini = stop, .timeout = 300)
{
    for (size_t spaces = 0; spaces < 66; spaces++) {
        struct live_answer answer =
            ask_binary(INFER, "{" BINARY ", \"parameters\": {\"binary_data_output\": true}}",
                       spaces, x.values, 1600);
        free(check_answer(&answer, true, "spaces"));
        live_answer_free(&answer);
    }
}

Test(live_v2, json_with_a_header_is_json, .init = start, .fini = stop)
{
    char *numbers = numbers_of_x(), *json = malloc(strlen(numbers) + 1024);
    sprintf(json, "{" INPUT "\"data\": [%s]}]}", numbers);
    struct live_answer answer = ask_binary(INFER, json, 0, "", 0);
    free(check_answer(&answer, false, "header"));
    live_answer_free(&answer);
    free(json);
    free(numbers);
}

Test(live_v2, a_body_may_be_the_tensor_alone, .init = start, .fini = stop)
{
    static const char none[] = "Inference-Header-Content-Length: 0\r\n";
    struct live_answer answer = live_ask(
        &live, "POST", INFER, "Inference-Header-Content-Length: 0\r\nX-Tensor-Shape: 1,4,10,10\r\n",
        x.values, 1600);
    free(check_answer(&answer, true, "raw"));
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", INFER "?shape=1,4,10,10", none, x.values, 1600);
    free(check_answer(&answer, true, "raw"));
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", INFER, none, x.values, 1600);
    cr_assert(answer.status == 400 && strstr(answer.body, "shape"), "%s", answer.body);
    live_answer_free(&answer);
}

Test(live_v2, an_id_comes_back, .init = start, .fini = stop)
{
    static const char *const ids[] = {"7", "", "a \\\"b\\\\ \\u00e9\\n", "\xc3\xa4"};
    for (size_t i = 0; i < COUNT(ids); i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"id\": \"%s\", " BINARY "}", ids[i]);
        struct live_answer answer = ask_binary(INFER, json, 0, x.values, 1600);
        json_t *root = parse(&answer, ids[i]), *sent = json_loads(json, 0, NULL);
        cr_assert_str_eq(text_at(root, "id"), text_at(sent, "id"), "%s", ids[i]);
        json_decref(root);
        json_decref(sent);
        live_answer_free(&answer);
    }
    struct live_answer answer = ask_binary(INFER, "{" BINARY "}", 0, x.values, 1600);
    json_t *root = parse(&answer, "none");
    cr_assert(json_object_get(root, "id") == NULL);
    json_decref(root);
    live_answer_free(&answer);
}

/* An error of this protocol; the connection stays open. */
static void check_error(const struct live_answer *answer, int status, const char *text,
                        const char *what)
{
    char header[LIVE_HEADER_BYTES];
    json_t *root = json_loads(answer->body, 0, NULL);
    cr_assert(answer->status == status, "%s: %d: %s", what, answer->status, answer->body);
    cr_assert_str_eq(live_header(answer, "Content-Type", header), "application/json", "%s", what);
    cr_assert(json_object_size(root) == 1 && strstr(text_at(root, "error"), text),
              "%s: %s, expected %s", what, answer->body, text);
    json_decref(root);
}

Test(live_v2, what_is_wrong_is_said, .init = start, .fini = stop, .timeout = 300)
{
#define X       "\"name\": \"x\""
#define FP32    "\"datatype\": \"FP32\""
#define SHAPE   "\"shape\": [1, 4, 10, 10]"
#define SIZE    "\"parameters\": {\"binary_data_size\": 1600}"
#define IN(...) "{\"inputs\": [{" __VA_ARGS__ "}]}"
    static const struct {
        const char *json, *text;
    } cases[] = {
        {" ", "the body is empty, expected JSON such as {\"inputs\": [{\"name\": \"x\""},
        {"[]", "JSON"},
        {"{}", "inputs: found nothing"},
        {"garbage",
         "the body begins with \"garbage\", expected a JSON object such as {\"inputs\":"},
        {"\xef\xbb\xbf{}",
         "the body begins with a UTF-8 byte order mark, expected {, as in {\"inputs\":"},
        {"{\"inputs\": [{\"data\": [1]}, {\"data\": [2]}]}",
         "inputs: found \"data\" at bytes 21 and 36, expected one object with data"},
        {"{\"inputs\": {}}", "inputs: found {}"},
        {"{\"inputs\": []}", "inputs: found []"},
        {"{\"inputs\": [1]}", "inputs: found [1]"},
        {"{\"inputs\": [{}, {}]}", "inputs: found [{},{}]"},
        {IN(FP32 ", " SHAPE ", " SIZE), "inputs[0].name: found nothing"},
        {IN("\"name\": \"input\", " FP32 ", " SHAPE ", " SIZE), "inputs[0].name: found"},
        {IN(X ", " SHAPE ", " SIZE), "inputs[0].datatype: found nothing"},
        {"{\"model_name\": \"zzz\", \"inputs\": [{" X ", \"data\": [1]}]}",
         "model_name: found \"zzz\" in the body"},
        {IN(X ", \"datatype\": \"FP64\", " SHAPE ", " SIZE), "found \"FP64\", expected"},
        {IN(X ", " FP32 ", " SIZE), "inputs[0].shape: found nothing"},
        {IN(X ", " FP32 ", \"shape\": [1, 4], " SIZE), "inputs[0].shape: found [1,4]"},
        {IN(X ", " FP32 ", \"shape\": [1, 4, 10, 0], " SIZE), "positive integers"},
        {IN(X ", " FP32 ", \"shape\": [1, 4, 10, -1], " SIZE), "positive integers"},
        {IN(X ", " FP32 ", \"shape\": [1, 4, 10, 10.0], " SIZE), "positive integers"},
        {IN(X ", " FP32 ", \"shape\": [1, 4, 10, 11], " SIZE), "expected 1760"},
        {IN(X ", " FP32 ", \"shape\": [1, 5, 10, 8], " SIZE), "5 channels"},
        {IN(X ", " FP32 ", \"shape\": [1, 4, 9223372036854775807, 9223372036854775807], " SIZE),
         "overflow"},
        {IN(X ", " FP32 ", " SHAPE), "no values of x"},
        {IN(X ", " FP32 ", " SHAPE ", \"data\": [1], " SIZE), "values of x in several places"},
        {IN(X ", " FP32 ", " SHAPE ", \"data\": [1, 2]"), "after the JSON"},
        {IN(X ", " FP32 ", " SHAPE ", \"d\\u0061ta\": [1, 2]"),
         "inputs[0]: the key \"inputs\" or \"data\" is written with escapes"},
        {IN(X ", " FP32 ", " SHAPE ", \"parameters\": []"), "inputs[0].parameters: found []"},
        {IN(X ", " FP32 ", " SHAPE ", \"parameters\": {\"binary_data_size\": -1}"), "found -1"},
        {IN(X ", " FP32 ", " SHAPE ", \"parameters\": {\"binary_data_size\": \"1600\"}"),
         "expected an integer of at least 0"},
        {IN(X ", " FP32 ", " SHAPE ", \"parameters\": {\"binary_data_size\": 1599}"),
         "found 1600 bytes after the JSON, expected 1599"},
        {"{\"id\": 7, " BINARY "}", "id: found 7, expected a string"},
        {"{\"parameters\": 1, " BINARY "}", "parameters: found 1"},
        {"{\"parameters\": {\"timeout\": \"1\"}, " BINARY "}", "parameters.timeout"},
        {"{\"parameters\": {\"binary_data_output\": 1}, " BINARY "}", "binary_data_output"},
        {"{\"outputs\": {}, " BINARY "}", "outputs: found {}"},
        {"{\"outputs\": [{\"name\": \"z\"}], " BINARY "}", "outputs[0].name: found"},
        {"{\"outputs\": [{\"name\": \"y\"}, {\"name\": \"y\"}], " BINARY "}", "outputs: found"},
        {"{\"outputs\": [{\"name\": \"y\", \"parameters\": {\"binary_data\": 1}}], " BINARY "}",
         "binary_data: found 1"},
        {"{\"outputs\": [{\"name\": \"y\", \"parameters\": {\"classification\": 3}}], " BINARY "}",
         "classification"},
        {"{" BINARY ", " BINARY "}", "duplicate"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = ask_binary(INFER, cases[i].json, 0, x.values, 1600);
        check_error(&answer, 400, cases[i].text, cases[i].json);
        live_answer_free(&answer);
    }
}

/* Numbers are looked for under keys as they are, and jansson reads the others. */
Test(live_v2, numbers_under_escaped_keys_are_refused, .init = start, .fini = stop, .timeout = 300)
{
    static const char *const bodies[] = {
        "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 1, 1], "
        "\"d\\u0061ta\": [1, 2, 3, 4]}]}",
        "{\"\\u0069nputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 1, 1], "
        "\"data\": [1, 2, 3, 4]}]}",
        "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 1, 1], "
        "\"d\\u0061ta\": null}]}",
        "{\"\\u0069nputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [1, 4, 1, 1], "
        "\"data\": null}]}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", INFER, "", bodies[i], strlen(bodies[i]));
        check_error(&answer, 400, "is written with escapes, expected them without", bodies[i]);
        live_answer_free(&answer);
    }
}

Test(live_v2, header_lengths_that_are_none_are_refused, .init = start, .fini = stop, .timeout = 300)
{
    static const char *const lengths[] = {
        "-1",     "1x",  "x", "+1", "1 2", "99999999999999999999999", "18446744073709551615",
        "100000", "0x10"};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char header[128];
        snprintf(header, sizeof header, "Inference-Header-Content-Length: %s\r\n", lengths[i]);
        struct live_answer answer = live_ask(&live, "POST", INFER, header, "{}", 2);
        check_error(&answer, 400, "Inference-Header-Content-Length", lengths[i]);
        live_answer_free(&answer);
    }
    for (size_t cut = 1; cut < sizeof "{" BINARY "}"; cut++) { /* within the JSON */
        char header[128], body[2048];
        const size_t bytes = (size_t)sprintf(body, "{" BINARY "}");
        memcpy(body + bytes, x.values, 1600);
        snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", cut);
        struct live_answer answer = live_ask(&live, "POST", INFER, header, body, bytes + 1600);
        cr_assert(answer.status == (cut == bytes ? 200 : 400), "%zu: %s", cut, answer.body);
        live_answer_free(&answer);
    }
}

Test(live_v2, unknown_models_and_versions_are_404, .init = start, .fini = stop)
{
    static const char *const targets[] = {"/v2/models/none/infer",
                                          "/v2/models/listing1-pytorch-ppm/versions/2/infer"};
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct live_answer answer = live_ask(&live, "POST", targets[i], "", "{}", 2);
        check_error(&answer, 404, i ? "version" : "none", targets[i]);
        live_answer_free(&answer);
    }
    struct live_answer answer = ask_binary("/v2/models/listing1-pytorch-ppm/versions/1/infer",
                                           "{" BINARY "}", 0, x.values, 1600);
    free(check_answer(&answer, false, "version 1"));
    live_answer_free(&answer);
    answer = live_ask(&live, "GET", "/v2/nothing", "", NULL, 0);
    check_error(&answer, 404, "nothing is served", "unknown path");
    live_answer_free(&answer);
    answer = live_ask(&live, "GET", INFER, "", NULL, 0);
    check_error(&answer, 405, "POST", "method");
    live_answer_free(&answer);
}

Test(live_v2, a_timeout_of_the_request_is_a_deadline, .timeout = 300)
{
    struct live slow;
    char json[512], header[96];
    live_slow_start(&slow, LIST("--threads", "1"));
    const size_t images = live_slow_images(&slow, 2000), bytes = images * 4 * 8 * 8 * sizeof(float);
    snprintf(
        json, sizeof json,
        "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", \"shape\": [%zu, 4, 8, 8], "
        "\"parameters\": {\"binary_data_size\": %zu}}], \"parameters\": {\"timeout\": 100000}}",
        images, bytes);
    size_t json_bytes;
    float *zeros = calloc(1, bytes);
    char *body = binary_body(json, 0, zeros, bytes, &json_bytes);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", json_bytes);
    struct live_answer answer =
        live_ask(&slow, "POST", "/v2/models/slow/infer", header, body, json_bytes + bytes);
    check_error(&answer, 504, "100 ms (parameters.timeout)", "late");
    live_answer_free(&answer);
    free(body);
    free(zeros);
    live_slow_stop(&slow);
}
