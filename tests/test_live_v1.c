/* test_live_v1.c - /v1, as clients of TensorFlow Serving and KServe use it. */
#include "tests/live_image.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL   "/v1/models/" LISTING1
#define PREDICT MODEL ":predict"

static struct live live;

static void start(const char *model)
{
    live_start(&live, LIST("--model", LISTING1_GOLDEN, "--model", model), NULL);
}

static struct live_answer post(const char *target, const char *body)
{
    return live_ask(&live, "POST", target, "", body, strlen(body));
}

/* Fails unless it is {"error": "..."} with that status and text in it. */
static void check_error(struct live_answer *answer, int status, const char *text, const char *what)
{
    json_t *root = json_loadb(answer->body, answer->body_bytes, 0, NULL);
    const char *found = json_string_value(json_object_get(root, "error"));
    cr_expect(answer->status == status && json_object_size(root) == 1 && found &&
                  strstr(found, text),
              "%s: %d %s, expected %d \"%s\"", what, answer->status, answer->body, status, text);
    json_decref(root);
    live_answer_free(answer);
}

static json_t *read_json(struct live_answer *answer, const char *what)
{
    char type[LIVE_HEADER_BYTES];
    json_t *root = json_loadb(answer->body, answer->body_bytes, 0, NULL);
    cr_assert(answer->status == 200 && root, "%s: %d %s", what, answer->status, answer->body);
    cr_assert_str_eq(live_header(answer, "Content-Type", type), "application/json");
    live_answer_free(answer);
    return root;
}

/* ---- tensors ---- */

/* The values as JSON, nested as these extents. */
static json_t *nest(const float *values, const size_t *extents, size_t depth)
{
    json_t *list = json_array();
    size_t each = 1;
    for (size_t i = 1; i < depth; i++)
        each *= extents[i];
    for (size_t i = 0; i < extents[0]; i++)
        json_array_append_new(list, depth == 1 ? json_real((double)values[i])
                                               : nest(values + i * each, extents + 1, depth - 1));
    return list;
}

/* The numbers of nested arrays in their order; fails unless these have the extents. */
static void flatten(const json_t *list, const size_t *extents, size_t depth, float **values)
{
    cr_assert_eq(json_array_size(list), extents[0]);
    for (size_t i = 0; i < extents[0]; i++) {
        const json_t *item = json_array_get(list, i);
        if (depth > 1) {
            flatten(item, extents + 1, depth - 1, values);
            continue;
        }
        cr_assert(json_is_number(item));
        *(*values)++ = (float)json_number_value(item);
    }
}

/* Sends values of shape, and checks the predictions against those of POST /ppm. */
static void check_predictions(const char *model, const char *query, const float *values,
                              const size_t shape[4], const size_t *extents, size_t depth)
{
    char target[128], ppm_target[128];
    json_t *instances = nest(values, shape, 4), *body = json_pack("{s:o}", "instances", instances);
    json_t *ppm = json_pack("{s:O}", "data", instances);
    char *text = json_dumps(body, 0), *ppm_text = json_dumps(ppm, 0);
    snprintf(target, sizeof target, "/v1/models/%s:predict%s", model, query);
    snprintf(ppm_target, sizeof ppm_target, "/ppm/%s%s", model, query);
    struct live_answer answer = post(target, text);
    struct live_answer expected =
        live_ask(&live, "POST", ppm_target, "Content-Type: application/json\r\n", ppm_text,
                 strlen(ppm_text));
    json_t *root = read_json(&answer, target), *expected_root = read_json(&expected, ppm_target);
    const json_t *data = json_object_get(expected_root, "data");
    float *found = malloc(json_array_size(data) * sizeof *found), *end = found;
    cr_assert_eq(json_object_size(root), 1);
    flatten(json_object_get(root, "predictions"), extents, depth, &end);
    cr_assert_eq((size_t)(end - found), json_array_size(data));
    for (size_t i = 0; i < json_array_size(data); i++)
        cr_assert_eq(found[i], (float)json_number_value(json_array_get(data, i)), "%zu", i);
    free(found);
    free(text);
    free(ppm_text);
    json_decref(body);
    json_decref(ppm);
    json_decref(root);
    json_decref(expected_root);
}

Test(live_v1, instances_become_predictions)
{
    enum { N = 3, C = 4, H = 40, W = 30 };
    static float values[N * C * H * W];
    const size_t shape[] = {N, C, H, W}, nhwc[] = {N, H, W, C}, one_column[] = {N, C, H * W, 1};
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = (float)(i * 7 % 31) / 8 - 2;
    start(GOLDEN("output-argmax"));
    check_predictions(LISTING1, "", values, shape, (const size_t[]){N, 12, H, W}, 4);
    check_predictions(LISTING1, "?layout=NHWC", values, nhwc, (const size_t[]){N, H, W, 12}, 4);
    check_predictions(LISTING1, "?size=2,1", values, shape, (const size_t[]){N, 12, 2, 1}, 4);
    check_predictions(LISTING1, "", values, one_column, (const size_t[]){N, 12, H * W, 1}, 4);
    live_stop(&live);
}

/* Labels are rows, without an axis for their only channel. */
Test(live_v1, labels_are_rows)
{
    enum { N = 2, C = 2, H = 5, W = 7 };
    static float values[N * C * H * W];
    const size_t shape[] = {N, C, H, W}, nhwc[] = {N, H, W, C};
    for (size_t i = 0; i < COUNT(values); i++)
        values[i] = (float)(i * 7 % 31) / 8 - 2;
    start(GOLDEN("output-argmax"));
    check_predictions("output-argmax", "?size=5,7", values, shape, (const size_t[]){N, H, W}, 3);
    check_predictions("output-argmax", "?size=5,7&layout=NHWC", values, nhwc,
                      (const size_t[]){N, H, W}, 3);
    live_stop(&live);
}

Test(live_v1, what_is_no_batch_is_refused_in_one_sentence)
{
#define X "[[[1]], [[2]], [[3]], [[4]]]"
    static const struct {
        const char *body, *text;
    } requests[] = {
        {"{\"instances\": " X "}", "instances: found arrays nested 3 deep, expected 4"},
        {"{\"instances\": [1, 2]}", "instances: found arrays nested 1 deep"},
        {"{\"instances\": [" X ", [[[1, 1]], [[2]], [[3]], [[4]]]]}",
         "instances[1][0][0] at byte 52: the array that ends here has length 2, expected 1"},
        {"{\"instances\": []}", "instances[0] at byte 15: found ]"},
        {"{\"instances\": [[[[1]], [[2]], [[3]]]]}", "the tensor has 3 channels"},
        {"{\"instances\": [[[[1]], [[2]], [[3]], [[\"4\"]]]]}", "found \"4\", expected a number"},
        {"{\"instances\": 7}", "instances at byte 14: found \"7\", expected an array"},
        {"{\"instances\": [" X "], \"instances\": [" X "]}", "the body has \"instances\" twice"},
        {"{\"inst\\u0061nces\": [" X "]}", "is written with escapes"},
        {"{}", "the body has no \"instances\""},
        {"{\"inputs\": [" X "]}", "columnar format"},
        {"{\"instances\": [" X "], \"data\": 1}", "unknown member \"data\""},
        {"{\"instances\": [" X "], \"signature_name\": \"other\"}",
         "signature_name: found \"other\", expected \"serving_default\""},
        {"{\"instances\": [" X "]", "the body is not JSON"},
        {"[" X "]", "expected a JSON object such as {\"instances\""},
        {"", "the body is empty"},
    };
    start(GOLDEN("output-argmax"));
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct live_answer answer = post(PREDICT, requests[i].body);
        check_error(&answer, 400, requests[i].text, requests[i].body);
    }
    struct live_answer answer = post(PREDICT, "{\"signature_name\": \"serving_default\", "
                                              "\"instances\": [" X "]}");
    json_decref(read_json(&answer, "a good one"));
    live_stop(&live);
}

/* ---- images ---- */

/* A body with the image in that text, where %s is its base64. */
static char *wrap(const char *format, const char *base64)
{
    const size_t bytes = strlen(format) + strlen(base64);
    char *body = malloc(bytes);
    const char *place = strstr(format, "%s");
    cr_assert(place);
    snprintf(body, bytes, "%.*s%s%s", (int)(place - format), format, base64, place + 2);
    return body;
}

Test(live_v1, an_image_becomes_rows_of_labels)
{
    static const char *const formats[] = {
        "{\"instances\": [{\"b64\": \"%s\"}]}",
        ("{\"instances\": [{\"image_bytes\": {\"b64\": \"%s\"}}], \"signature_name\": "
         "\"serving_default\"}"),
        "{\"instances\": [{\"data\": \"%s\"}]}",
        "{\"instances\": [\"%s\"]}",
    };
    struct live_image image = live_image_start(&live);
    for (size_t i = 0; i < COUNT(formats); i++) {
        char *body = wrap(formats[i], image.base64);
        struct live_answer answer = post("/v1/models/street:predict", body);
        json_t *root = read_json(&answer, formats[i]);
        const size_t extents[] = {1, LIVE_IMAGE_H, LIVE_IMAGE_W};
        float *found = malloc(image.label_count * sizeof *found), *end = found;
        flatten(json_object_get(root, "predictions"), extents, 3, &end);
        for (size_t k = 0; k < image.label_count; k++)
            cr_assert(found[k] == (float)image.labels[k], "%s: label %zu", formats[i], k);
        free(found);
        json_decref(root);
        free(body);
    }
    live_image_stop(&live, &image);
}

Test(live_v1, images_that_cannot_be_read_are_refused)
{
    static const struct {
        const char *format, *text;
    } requests[] = {
        {"{\"instances\": [{\"b64\": \"%s=\"}]}", "instances: found no base64 in"},
        {"{\"instances\": [{\"b64\": \"%s\"}, {\"b64\": \"AAAA\"}]}", "a request has one image"},
        {"{\"instances\": [{\"b64\": \"%s\", \"key\": 1}]}", "as an image has one member"},
        {"{\"instances\": [{\"b64\": \"AAAA%s\"}]}", "found neither a JPEG nor a PNG"},
        {"{\"instances\": [{\"b64\": \"%s\"}], \"more\": 1}", "unknown member \"more\""},
        {"{\"instances\": [{\"b64\": \"%s]}", "the string does not end"},
    };
    struct live_image image = live_image_start(&live);
    struct live_answer answer;
    for (size_t i = 0; i < COUNT(requests); i++) {
        char *body = wrap(requests[i].format, image.base64);
        answer = post("/v1/models/street:predict", body);
        check_error(&answer, 400, requests[i].text, requests[i].format);
        free(body);
    }
    char *body = wrap("{\"instances\": [{\"b64\": \"%s\"}]}", image.base64);
    answer = post(PREDICT, body);
    check_error(&answer, 400, "found an image, but model \"" LISTING1 "\" takes a tensor", "model");
    answer = post("/v1/models/street:predict?layout=NCHW", body);
    check_error(&answer, 400, "layout: found NCHW with an image", "layout");
    free(body);
    image.base64[400] = '\0';
    body = wrap("{\"instances\": [{\"b64\": \"%s\"}]}", image.base64);
    answer = post("/v1/models/street:predict", body);
    check_error(&answer, 400, "JPEG: the data end after 300 bytes", "300 bytes");
    free(body);
    live_image_stop(&live, &image);
}

/* ---- models ---- */

Test(live_v1, models_tell_that_they_are_there)
{
    struct live_answer answer;
    start("configs/models/two-levels.json");
    answer = live_ask(&live, "GET", "/v1/models", "", NULL, 0);
    json_t *root = read_json(&answer, "models"), *names = json_object_get(root, "models");
    cr_assert(json_array_size(names) == 2);
    cr_assert_str_eq(json_string_value(json_array_get(names, 1)), "two-levels");
    json_decref(root);
    static const char *const paths[] = {MODEL, MODEL "/versions/1"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        const char *name, *version, *state;
        int ready;
        answer = live_ask(&live, "GET", paths[i], "", NULL, 0);
        root = read_json(&answer, paths[i]);
        cr_assert(json_unpack(root, "{s:s, s:b, s:[{s:s, s:s}]}", "name", &name, "ready", &ready,
                              "model_version_status", "version", &version, "state", &state) == 0);
        cr_assert(ready && strcmp(name, LISTING1) == 0 && strcmp(version, "1") == 0 &&
                  strcmp(state, "AVAILABLE") == 0);
        json_decref(root);
    }
    answer = post("/v1/models/two-levels:predict", "{\"instances\": [" X "]}");
    check_error(&answer, 400, "takes 2 inputs and an instance holds one", "two inputs");
    live_stop(&live);
}

Test(live_v1, errors_are_those_of_the_protocol)
{
    static const struct {
        const char *method, *target, *headers;
        int status;
        const char *text;
    } requests[] = {
        {"GET", "/v1/models/none", "", 404, "found no model \"none\", expected one of"},
        {"GET", MODEL "/versions/2", "", 404, "found no version \"2\""},
        {"POST", "/v1/models/none:predict", "", 404, "found no model \"none\", expected one of"},
        {"POST", MODEL "/versions/2:predict", "", 404, "found no version \"2\""},
        {"GET", PREDICT, "", 405, "GET is not served here, expected POST"},
        {"PUT", PREDICT, "", 405, "PUT is not served here, expected POST"},
        {"POST", MODEL ":classify", "", 405, "POST is not served here, expected GET"},
        {"POST", PREDICT, "Content-Type: text/html\r\n", 415, "Content-Type: found text/html"},
        {"POST", PREDICT "?shape=1", "", 400, "shape"},
        {"POST", PREDICT "?priority=1", "", 400, "priority: found \"1\""},
        {"POST", PREDICT "?layout=CHW", "", 400, "layout: found \"CHW\""},
        {"GET", "/v1", "", 404, "nothing is served at this path; POST /ppm, /v2/models/"},
        {"GET", "/v1/none", "", 404, "/v1/models/{model}:predict (KServe v1, TensorFlow Serving)"},
    };
    start(GOLDEN("output-argmax"));
    for (size_t i = 0; i < COUNT(requests); i++) {
        const bool has_body = strcmp(requests[i].method, "GET") != 0;
        struct live_answer answer =
            live_ask(&live, requests[i].method, requests[i].target, requests[i].headers,
                     has_body ? "{}" : NULL, has_body ? 2 : 0);
        check_error(&answer, requests[i].status, requests[i].text, requests[i].target);
    }
    struct live_answer answer = live_ask(&live, "GET", "/none", "", NULL, 0);
    live_check_problem(&answer, 404, "or /v1/models/{model}:predict", "elsewhere");
    live_answer_free(&answer);
    live_stop(&live);
}
