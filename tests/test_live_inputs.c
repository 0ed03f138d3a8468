/* test_live_inputs.c - POST /ppm to a model of several inputs: one safetensors file; and what GET
 * says of it. The answers are those of a run in this process. */
#include "tests/compressed.h"
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "Content-Type: application/octet-stream\r\n"
#define NETWORK                                                                                    \
    "'network': [{'conv': {'channels': 4}, 'from': 'c2', 'name': 'a'}, {'conv': {'channels': 4}, " \
    "'from': 'c5'}, {'resize': {'like': 'a', 'mode': 'half_pixel'}, 'name': 'b'}, "                \
    "{'add': ['a', 'b']}, 'relu'], 'weights': {'random': 1}}"
#define TWO "{'name': 'two', 'inputs': {'c2': {'channels': 3}, 'c5': {'channels': 5}}, " NETWORK

enum { H = 8, W = 10, SMALL_H = 2, SMALL_W = 3, BODY_BYTES = 1 << 14 };

static struct live live;
static struct ppm_model *two;
static struct ppm_tensor inputs[2]; /* c2, c5 */

static void start(void)
{
    support_open_folder();
    two = support_load_ok(TWO);
    inputs[0] = support_tensor((struct ppm_shape){2, 3, H, W}, PPM_NCHW, NULL);
    inputs[1] = support_tensor((struct ppm_shape){2, 5, SMALL_H, SMALL_W}, PPM_NCHW, NULL);
    live_start(&live,
               LIST("--model", support_write_json("two.json", TWO), "--model", LISTING1_GOLDEN,
                    "--memory-max-bytes", "20000000"),
               NULL);
}

static void stop(void)
{
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
    ppm_tensor_free(&inputs[0]);
    ppm_tensor_free(&inputs[1]);
    ppm_model_free(two);
    support_close_folder();
}

TestSuite(live_inputs, .init = start, .fini = stop, .timeout = 300);

/* ---- files ---- */

struct body {
    char bytes[BODY_BYTES];
    size_t count;
};

/* A safetensors file of that JSON, with ' for ", and data after it. */
static void make_file(struct body *ret, const char *json, const void *data, size_t data_bytes)
{
    const size_t length = strlen(json);
    for (size_t i = 0; i < 8; i++)
        ret->bytes[i] = (char)(length >> (8 * i));
    for (size_t i = 0; i < length; i++)
        ret->bytes[8 + i] = json[i] == '\'' ? '"' : json[i];
    memcpy(ret->bytes + 8 + length, data, data_bytes);
    ret->count = 8 + length + data_bytes;
}

static size_t bytes_of(const struct ppm_tensor *tensor)
{
    return support_elements(tensor) * sizeof(float);
}

/* Appends a tensor's entry and data: its axes without N if that is 1 and is_batch is not set. */
static void append(char *header, char *data, size_t *at, const char *name,
                   const struct ppm_tensor *tensor)
{
    size_t axes[4];
    const size_t count = ppm_tensor_axes(tensor, axes), bytes = bytes_of(tensor);
    char *to = header + strlen(header);
    to += sprintf(to, "%s'%s': {'dtype': 'F32', 'shape': [", *at ? ", " : "", name);
    for (size_t i = 0; i < count; i++)
        to += sprintf(to, "%s%zu", i ? ", " : "", axes[i]);
    sprintf(to, "], 'data_offsets': [%zu, %zu]}", *at, *at + bytes);
    memcpy(data + *at, tensor->data, bytes);
    *at += bytes;
}

/* c5 first, and spaces: more of them than alignment asks for. */
static void make_body(struct body *ret, const struct ppm_tensor tensors[2], size_t spaces)
{
    char header[1024] = "{";
    static char data[BODY_BYTES];
    size_t bytes = 0;
    append(header, data, &bytes, "c5", &tensors[1]);
    append(header, data, &bytes, "c2", &tensors[0]);
    sprintf(header + strlen(header), ", '__metadata__': {'by': 'a test'}}%*s", (int)spaces, "");
    make_file(ret, header, data, bytes);
}

/* ---- answers ---- */

/* 200 with the bytes of y = two(tensors). */
static void check_answer(const struct live_answer *answer, const struct ppm_tensor tensors[2],
                         const struct ppm_run_options *options, const char *what)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    size_t axes[4];
    char shape[LIVE_HEADER_BYTES], expected[LIVE_HEADER_BYTES] = "";
    cr_assert_eq(ppm_run(two, tensors, options, &y, &error), PPM_OK, "%s", error.text);
    cr_assert(answer->status == 200, "%s: %d %s", what, answer->status, answer->body);
    for (size_t i = 0, count = ppm_tensor_axes(&y, axes); i < count; i++)
        sprintf(expected + strlen(expected), "%s%zu", i ? "," : "", axes[i]);
    cr_assert_str_eq(live_header(answer, "X-Tensor-Shape", shape), expected, "%s", what);
    cr_assert(answer->body_bytes == bytes_of(&y) &&
                  memcmp(answer->body, y.data, answer->body_bytes) == 0,
              "%s: another answer", what);
    ppm_tensor_free(&y);
}

static void check_body(const char *target, const struct ppm_tensor tensors[2], size_t spaces,
                       const struct ppm_run_options *options)
{
    struct body body;
    make_body(&body, tensors, spaces);
    struct live_answer answer = live_ask(&live, "POST", target, TYPE, body.bytes, body.count);
    check_answer(&answer, tensors, options, target);
    live_answer_free(&answer);
}

Test(live_inputs, are_one_safetensors_file)
{
    const struct ppm_run_options size = {.output_h = 5, .output_w = 31};
    for (size_t spaces = 0; spaces < 9; spaces++) /* at every alignment */
        check_body("/ppm/two", inputs, spaces, NULL);
    check_body("/ppm", inputs, 0, NULL);
    check_body("/ppm/two?size=5,31", inputs, 0, &size);
}

/* A map of each, without N. */
Test(live_inputs, may_be_without_a_batch)
{
    struct ppm_tensor maps[] = {inputs[0], inputs[1]};
    for (size_t i = 0; i < COUNT(maps); i++) {
        maps[i].shape.n = 1;
        maps[i].is_batch = false;
    }
    check_body("/ppm/two", maps, 3, NULL);
}

Test(live_inputs, are_in_the_layout_of_the_request)
{
    struct ppm_tensor turned[] = {support_other_layout(&inputs[0]),
                                  support_other_layout(&inputs[1])};
    check_body("/ppm/two?layout=NHWC", turned, 2, NULL);
    ppm_tensor_free(&turned[0]);
    ppm_tensor_free(&turned[1]);
}

/* Each tensor has its own dtype. */
Test(live_inputs, may_be_halves)
{
    const size_t count = support_elements(&inputs[1]);
    struct body body;
    char header[512];
    static char data[BODY_BYTES];
    struct ppm_tensor rounded[] = {inputs[0], support_tensor(inputs[1].shape, PPM_NCHW, NULL)};
    uint16_t *halves = (uint16_t *)(void *)data;
    for (size_t i = 0; i < count; i++) {
        halves[i] = support_nearest_half(((float *)inputs[1].data)[i], 10);
        ((float *)rounded[1].data)[i] = support_half_value(halves[i], 10);
    }
    memcpy(data + 2 * count, inputs[0].data, bytes_of(&inputs[0]));
    snprintf(header, sizeof header,
             "{'c5': {'dtype': 'F16', 'shape': [2, 5, 2, 3], 'data_offsets': [0, %zu]}, 'c2': "
             "{'dtype': 'F32', 'shape': [2, 3, 8, 10], 'data_offsets': [%zu, %zu]}} ",
             2 * count, 2 * count, 2 * count + bytes_of(&inputs[0]));
    make_file(&body, header, data, 2 * count + bytes_of(&inputs[0]));
    struct live_answer answer = live_ask(&live, "POST", "/ppm/two", TYPE, body.bytes, body.count);
    check_answer(&answer, rounded, NULL, "F16 and F32");
    live_answer_free(&answer);
    ppm_tensor_free(&rounded[1]);
}

Test(live_inputs, may_be_compressed)
{
    struct body body;
    size_t count;
    make_body(&body, inputs, 1);
    char *bytes = compressed_make(COMPRESSED_GZIP, body.bytes, body.count, &count);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm/two", TYPE "Content-Encoding: gzip\r\n", bytes, count);
    check_answer(&answer, inputs, NULL, "gzip");
    live_answer_free(&answer);
    free(bytes);
}

Test(live_inputs, are_answered_in_any_form)
{
    struct body body;
    make_body(&body, inputs, 0);
    static const char *const types[] = {"application/json", "application/x-npy"};
    for (size_t i = 0; i < COUNT(types); i++) {
        char headers[128], type[LIVE_HEADER_BYTES];
        snprintf(headers, sizeof headers, TYPE "Accept: %s\r\n", types[i]);
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm/two", headers, body.bytes, body.count);
        cr_assert(answer.status == 200, "%s", answer.body);
        cr_assert_str_eq(live_header(&answer, "Content-Type", type), types[i]);
        live_answer_free(&answer);
    }
}

/* A network without a pyramid has no inner results but what the output stage reads. */
Test(live_inputs, have_inner_results)
{
    struct body body;
    make_body(&body, inputs, 0);
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm/two?stages=1", TYPE "Accept: application/json\r\n",
                 body.bytes, body.count);
    cr_assert(answer.status == 200 && strstr(answer.body, "\"y\"") &&
                  !strstr(answer.body, "\"name\": \"head\""),
              "%d %.300s", answer.status, answer.body);
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", "/ppm/two?stages=1&size=3,3",
                      TYPE "Accept: application/json\r\n", body.bytes, body.count);
    cr_assert(answer.status == 200 && strstr(answer.body, "[2, 4, 3, 3]") &&
                  strstr(answer.body, "[2, 4, 8, 10]"),
              "%d %.300s", answer.status, answer.body);
    live_answer_free(&answer);
}

/* ---- what is refused ---- */

#define C2          "'c2': {'dtype': 'F32', 'shape': [1, 3, 1, 1], 'data_offsets': [0, 12]}"
#define C5(offsets) "'c5': {'dtype': 'F32', 'shape': [1, 5, 1, 1], 'data_offsets': " offsets "}"

Test(live_inputs, files_are_refused)
{
    static const struct {
        const char *json, *text;
        int status;
        size_t more; /* bytes of data than 32 */
    } cases[] = {
        {"{" C2 "}", "the body has no tensor c5, expected one for each input: c2 and c5", 400, 0},
        {"{}", "the body has no tensor c2", 400, 0},
        {"{" C2 ", " C5("[12, 32]") ", 'c9': {}}",
         "the body has a tensor \"c9\", expected one for each input: c2 and c5", 400, 0},
        {"{" C2 ", " C2 ", " C5("[12, 32]") "}", "duplicate", 400, 0},
        {"[1]", "no safetensors file: found a header that is no JSON object (it is an array)", 400,
         0},
        {"{'c2'}", "no safetensors file: found a header that is no JSON object", 400, 0},
        {"{" C2 ", " C5("[8, 28]") "}", "found no tensor that begins at byte 12 of the data", 400,
         0},
        {"{" C2 ", " C5("[0, 20]") "}", "expected tensors without gaps", 400, 0},
        {"{" C2 ", " C5("[12, 32]") "}", "found 33 bytes after the header, expected the 32 of", 400,
         1},
        {"{" C2 ", " C5("[12, 36]") "}", "tensor c5, data_offsets: found [12,36], expected two",
         400, 0},
        {"{" C2 ", " C5("[32, 12]") "}", "tensor c5, data_offsets: found [32,12]", 400, 0},
        {"{" C2 ", " C5("[12, 28]") "}",
         "tensor c5: found 16 bytes, expected the 20 of its dtype and shape", 400, 0},
        {"{" C2 ", " C5("12") "}", "tensor c5, data_offsets: found 12", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'I32', 'shape': [1, 5, 1, 1], 'data_offsets': [12, 32]}}",
         "tensor c5, dtype: found \"I32\", expected F32, F16 or BF16", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'F32', 'shape': [5, 1], 'data_offsets': [12, 32]}}",
         "tensor c5, shape: found [5,1], expected 3 or 4 positive integers", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'F32', 'shape': [1, 5, 1, 0], 'data_offsets': [12, 12]}}",
         "tensor c5: found a dimension of 0", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'F32', 'shape': [4611686018427387904, 5, 1, 1], "
         "'data_offsets': [12, 32]}}",
         "overflows", 400, 0},
        {"{" C2 ", 'c5': null}", "tensor c5, dtype: found nothing", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'F32', 'shape': [5, 1, 1], 'data_offsets': [12, 32]}}",
         "shape: found 4 axes of c2 and 3 of c5, expected as many", 400, 0},
        {"{" C2 ", 'c5': {'dtype': 'F16', 'shape': [2, 5, 1, 1], 'data_offsets': [12, 32]}}",
         "input \"c5\": found a batch of 2 maps, expected 1", 422, 0},
        {"{" C2 ", 'c5': {'dtype': 'F16', 'shape': [1, 10, 1, 1], 'data_offsets': [12, 32]}}",
         "the tensor c5 has 10 channels ([1, 10, 1, 1] as NCHW), model \"two\" takes 5", 422, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct body body;
        make_file(&body, cases[i].json, (char[64]){0}, 32 + cases[i].more);
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm/two", TYPE, body.bytes, body.count);
        live_check_problem(&answer, cases[i].status, cases[i].text, cases[i].json);
        live_answer_free(&answer);
    }
}

Test(live_inputs, bytes_that_are_no_file_are_refused)
{
    static const char long_header[8 + 65537] = "\x01\0\x01"; /* 65537 in little-endian */
    static const struct {
        const char *bytes, *text;
        size_t count;
    } cases[] = {
        {long_header, "header has 65537 bytes, expected at most 65536", sizeof long_header},
        {"", "the body is no safetensors file: found 0 bytes, expected one with a tensor for each",
         0},
        {"\x02", "found 1 byte, expected", 1},
        {"\xff\xff\xff\xff\xff\xff\xff\xff{}",
         "found a header of 18446744073709551615 bytes in a body of 10", 10},
        {"\x03\0\0\0\0\0\0\0{}", "found a header of 3 bytes in a body of 10", 10},
        {"\x02\0\0\0\0\0\0\0{\0", "found a header that is no JSON object (it has a zero", 10},
        {"\0\0\0\0\0\0\0\0", "found a header that is no JSON object", 8},
        {"\x93NUMPY\x01", "found a NumPy .npy file", 8},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm/two", TYPE, cases[i].bytes, cases[i].count);
        live_check_problem(&answer, 400, cases[i].text, cases[i].text);
        live_answer_free(&answer);
    }
}

/* Cut anywhere, a file is refused, and nothing of it is kept. */
Test(live_inputs, cut_files_are_refused)
{
    struct body body;
    make_body(&body, inputs, 0);
    for (size_t count = 0; count < body.count; count += count < 400 ? 1 : 97) {
        struct live_answer answer = live_ask(&live, "POST", "/ppm/two", TYPE, body.bytes, count);
        live_check_problem(&answer, 400, "", "a cut file");
        live_answer_free(&answer);
    }
}

Test(live_inputs, heads_are_refused)
{
    static const struct {
        const char *target, *headers, *text;
        int status;
    } cases[] = {
        {"/ppm/two", "Content-Type: application/json\r\n",
         "Content-Type: found application/json, but model \"two\" takes 2 inputs, expected "
         "application/octet-stream, one safetensors file with a tensor for each, or POST "
         "/v2/models/two/infer",
         415},
        {"/ppm/two", "Content-Type: application/x-npy\r\n", "takes 2 inputs", 415},
        {"/ppm/two?shape=1,3,1,1", TYPE, "shape: found 1,3,1,1, but model \"two\" takes 2", 400},
        {"/ppm/two", TYPE "X-Tensor-Shape: 1,3,1,1\r\n", "expected neither shape nor dtype", 400},
        {"/ppm/two?dtype=float16", TYPE, "dtype: found float16, but model", 400},
        {"/ppm?layout=NHCW", TYPE, "layout", 400},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", cases[i].target, cases[i].headers, "{}", 2);
        live_check_problem(&answer, cases[i].status, cases[i].text, cases[i].target);
        live_answer_free(&answer);
    }
    /* the body of JSON may name another model than the first */
    static const char named[] =
        "{\"model\": \"" LISTING1 "\", \"data\": [[[1]], [[1]], [[1]], [[1]]]}";
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm", "Content-Type: application/json\r\n", named, strlen(named));
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    live_answer_free(&answer);
    answer = live_ask(&live, "POST", "/ppm", "Content-Type: application/json\r\n",
                      "{\"data\": [1]}", 13);
    live_check_problem(&answer, 415, "takes 2 inputs", "JSON to the first model");
    live_answer_free(&answer);
}

/* ---- what GET says ---- */

static void check_get(const char *target, int status, const char *text)
{
    struct live_answer answer = live_ask(&live, "GET", target, "", NULL, 0);
    cr_assert(answer.status == status && strstr(answer.body, text), "%s: %d %s", target,
              answer.status, answer.body);
    live_answer_free(&answer);
}

Test(live_inputs, are_described)
{
    check_get("/ppm/two", 200,
              "\"inputs\":[{\"name\":\"c2\",\"channels\":3},{\"name\":\"c5\",\"channels\":5}]");
    check_get("/ppm/" LISTING1, 200, "\"inputs\":[{\"name\":\"x\",\"channels\":4}]");
    check_get("/ppm/two?shape=c5=2,5,2,3;c2=2,3,8,10", 200,
              "\"input_shapes\":{\"c2\":[2,3,8,10],\"c5\":[2,5,2,3]}");
    check_get("/ppm/two?shape=c5=2,5,2,3;c2=2,3,8,10&size=7,9", 200, "\"output_shape\":[2,4,7,9]");
    check_get("/ppm/two?layout=NHWC&shape=c5=2,3,5;c2=8,10,3", 200,
              "\"input_shapes\":{\"c2\":[1,8,10,3],\"c5\":[1,2,3,5]}");
    check_get("/ppm/" LISTING1 "?shape=x=1,4,2,3", 200, "\"input_shape\":[1,4,2,3]");
    check_get("/ppm/two?shape=2,3,8,10", 400,
              "found \\\"2,3,8,10\\\", expected NAME=N,C,H,W for each of c2 and c5");
    check_get("/ppm/two?shape=c5=2,5,2,3", 400, "found none of c2");
    check_get("/ppm/two?shape=c5=2,5,2,3;c5=2,5,2,3", 400, "found c5 twice");
    check_get("/ppm/two?shape=c5=2,5,2,3;c2=x", 400, "axis 0 is \\\"x\\\"");
    check_get("/ppm/two?shape=c5=2,5,2,3;c2=2,4,8,10", 422, "found 4 channels");
    check_get("/v2/models/two", 200,
              "\"inputs\":[{\"name\":\"c2\",\"datatype\":\"FP32\",\"shape\":[-1,3,-1,-1]},"
              "{\"name\":\"c5\",\"datatype\":\"FP32\",\"shape\":[-1,5,-1,-1]}]");
    check_get("/v2/models/two/config", 200,
              "\"input\":[{\"name\":\"c2\",\"data_type\":\"TYPE_FP32\",\"dims\":[-1,3,-1,-1]},"
              "{\"name\":\"c5\",");
}
