/* test_live_v2_inputs.c - several inputs by the Open Inference Protocol v2: as numbers, as bytes,
 * in shared memory, and mixed. The answers are those of a run in this process. */
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TWO                                                                                        \
    "{'name': 'two', 'inputs': {'c2': {'channels': 3}, 'c5': {'channels': 5}}, 'network': ["       \
    "{'conv': {'channels': 4}, 'from': 'c2', 'name': 'a'}, {'conv': {'channels': 4}, 'from': "     \
    "'c5'}, {'resize': {'like': 'a', 'mode': 'half_pixel'}, 'name': 'b'}, {'add': ['a', 'b']}, "   \
    "'relu'], 'weights': {'random': 1}}"
#define INFER    "/v2/models/two/infer"
#define C2(more) "{'name': 'c2', 'datatype': 'FP32', 'shape': [1, 3, 2, 4], " more "}"
#define C5(more) "{'name': 'c5', 'datatype': 'FP32', 'shape': [1, 5, 1, 2], " more "}"
#define BYTES(n) "'parameters': {'binary_data_size': " #n "}"
#define REGION(n, at)                                                                              \
    "'parameters': {'shared_memory_region': 'r', 'shared_memory_byte_size': " #n                   \
    ", 'shared_memory_offset': " #at "}"
#define BINARY_Y "'parameters': {'binary_data_output': true}"

enum { C2_BYTES = 3 * 2 * 4 * 4, C5_BYTES = 5 * 2 * 4, Y_BYTES = 4 * 2 * 4 * 4 };

static struct live live;
static struct ppm_model *two;
static struct ppm_tensor inputs[2], y;
static char numbers[2][1024]; /* of c2 and c5, as "data": [..] */

/* Numbers that a decimal holds, and float16 too. */
static void fill(struct ppm_tensor *input, char *ret_numbers)
{
    float *values = input->data;
    char *to = ret_numbers + sprintf(ret_numbers, "'data': [");
    for (size_t i = 0; i < support_elements(input); i++) {
        values[i] = (float)((int)(i * 7 % 23) - 11) / 4;
        to += sprintf(to, "%s%g", i ? ", " : "", (double)values[i]);
    }
    sprintf(to, "]");
}

static void start(void)
{
    struct ppm_error error = {0};
    support_open_folder();
    two = support_load_ok(TWO);
    inputs[0] = support_tensor((struct ppm_shape){1, 3, 2, 4}, PPM_NCHW, NULL);
    inputs[1] = support_tensor((struct ppm_shape){1, 5, 1, 2}, PPM_NCHW, NULL);
    fill(&inputs[0], numbers[0]);
    fill(&inputs[1], numbers[1]);
    y = (struct ppm_tensor){0};
    cr_assert_eq(ppm_run(two, inputs, NULL, &y, &error), PPM_OK, "%s", error.text);
    live_start(&live,
               LIST("--model", support_write_json("two.json", TWO), "--model", LISTING1_GOLDEN,
                    "--allow-shared-memory"),
               NULL);
}

static void stop(void)
{
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
    ppm_tensor_free(&inputs[0]);
    ppm_tensor_free(&inputs[1]);
    ppm_tensor_free(&y);
    ppm_model_free(two);
    support_close_folder();
}

TestSuite(live_v2_inputs, .init = start, .fini = stop, .timeout = 300);

/* JSON with ' for ", then bytes. */
static struct live_answer ask(const char *target, const char *json, const void *bytes, size_t count)
{
    char body[8192], header[96];
    const size_t length = strlen(json);
    for (size_t i = 0; i < length; i++)
        body[i] = json[i] == '\'' ? '"' : json[i];
    memcpy(body + length, bytes, count);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu\r\n", length);
    return live_ask(&live, "POST", target, header, body, length + count);
}

/* The answer has y as bytes. */
static void check_y(const char *json, const void *bytes, size_t count)
{
    struct live_answer answer = ask(INFER, json, bytes, count);
    cr_assert(answer.status == 200, "%s: %d %.500s", json, answer.status, answer.body);
    cr_assert(answer.body_bytes > Y_BYTES &&
                  memcmp(answer.body + answer.body_bytes - Y_BYTES, y.data, Y_BYTES) == 0,
              "%s: another answer", json);
    live_answer_free(&answer);
}

/* In either order, of the list and of the bytes. */
Test(live_v2_inputs, as_bytes)
{
    char both[C2_BYTES + C5_BYTES];
    memcpy(both, inputs[0].data, C2_BYTES);
    memcpy(both + C2_BYTES, inputs[1].data, C5_BYTES);
    check_y("{'inputs': [" C2(BYTES(96)) ", " C5(BYTES(40)) "], " BINARY_Y "}", both, sizeof both);
    check_y("{'inputs': [" C2(BYTES(96)) ",  " C5(BYTES(40)) "], " BINARY_Y "}  ", both,
            sizeof both);
    memcpy(both, inputs[1].data, C5_BYTES);
    memcpy(both + C5_BYTES, inputs[0].data, C2_BYTES);
    check_y("{'inputs': [" C5(BYTES(40)) ", " C2(BYTES(96)) "], " BINARY_Y "}", both, sizeof both);
}

/* The second one is at an odd address. */
Test(live_v2_inputs, as_halves)
{
    char both[C2_BYTES + C5_BYTES];
    uint16_t halves[C5_BYTES / 4];
    for (size_t i = 0; i < COUNT(halves); i++)
        halves[i] = support_nearest_half(((float *)inputs[1].data)[i], 10);
    memcpy(both, halves, sizeof halves);
    memcpy(both + sizeof halves, inputs[0].data, C2_BYTES);
    check_y("{'inputs': [{'name': 'c5', 'datatype': 'FP16', 'shape': [1, 5, 1, 2], " BYTES(
                20) "}, " C2(BYTES(96)) "], " BINARY_Y "}",
            both, sizeof halves + C2_BYTES);
}

Test(live_v2_inputs, as_numbers)
{
    char json[4096];
    for (size_t first = 0; first < 2; first++) {
        const char *const named[] = {C2("%s"), C5("%s")};
        char list[3072], format[512];
        snprintf(format, sizeof format, "%s, %s", named[first], named[1 - first]);
        snprintf(list, sizeof list, format, numbers[first], numbers[1 - first]);
        snprintf(json, sizeof json, "{'inputs': [%s], " BINARY_Y "}", list);
        check_y(json, "", 0);
    }
}

Test(live_v2_inputs, as_numbers_and_bytes)
{
    char json[4096];
    snprintf(json, sizeof json, "{'inputs': [" C2("%s") ", " C5(BYTES(40)) "], " BINARY_Y "}",
             numbers[0]);
    check_y(json, inputs[1].data, C5_BYTES);
    snprintf(json, sizeof json, "{'inputs': [" C2(BYTES(96)) ", " C5("%s") "], " BINARY_Y "}",
             numbers[1]);
    check_y(json, inputs[0].data, C2_BYTES);
}

/* One axis fewer: y has none of N either. */
Test(live_v2_inputs, without_a_batch)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{'inputs': [{'name': 'c2', 'datatype': 'FP32', 'shape': [3, 2, 4], %s}, {'name': "
             "'c5', 'datatype': 'FP32', 'shape': [5, 1, 2], %s}]}",
             numbers[0], numbers[1]);
    struct live_answer answer = ask(INFER, json, "", 0);
    cr_assert(answer.status == 200 && strstr(answer.body, "\"shape\":[4,2,4]"), "%.300s",
              answer.body);
    live_answer_free(&answer);
}

/* ---- in shared memory ---- */

enum { REGION_BYTES = 4096, C5_AT = 512, Y_AT = 1024 };

static char *open_region(char key[64])
{
    snprintf(key, 64, "/ppm_v2_inputs_%ld", (long)getpid());
    const int object = shm_open(key, O_RDWR | O_CREAT | O_TRUNC, 0600);
    cr_assert(object >= 0 && ftruncate(object, REGION_BYTES) == 0);
    char *at = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
    cr_assert(at != MAP_FAILED);
    close(object);
    return at;
}

Test(live_v2_inputs, in_shared_memory)
{
    char key[64], json[512];
    char *region = open_region(key);
    memcpy(region, inputs[0].data, C2_BYTES);
    memcpy(region + C5_AT, inputs[1].data, C5_BYTES);
    snprintf(json, sizeof json, "{'key': '%s', 'byte_size': %d}", key, REGION_BYTES);
    for (char *quote = json; (quote = strchr(quote, '\''));)
        *quote = '"';
    struct live_answer answer =
        live_ask(&live, "POST", "/v2/systemsharedmemory/region/r/register", "", json, strlen(json));
    cr_assert(answer.status == 200, "%s", answer.body);
    live_answer_free(&answer);

    /* all of them */
    answer = ask(
        INFER,
        "{'inputs': [" C2(REGION(96, 0)) ", " C5(REGION(40, 512)) "], 'outputs': [{'name': "
                                                                  "'y', " REGION(128, 1024) "}]}",
        "", 0);
    cr_assert(answer.status == 200, "%.300s", answer.body);
    cr_assert(memcmp(region + Y_AT, y.data, Y_BYTES) == 0);
    live_answer_free(&answer);
    /* one of them */
    check_y("{'inputs': [" C2(REGION(96, 0)) ", " C5(BYTES(40)) "], " BINARY_Y "}", inputs[1].data,
            C5_BYTES);
    /* y over an input, which is copied before */
    answer = ask(
        INFER,
        "{'inputs': [" C5(REGION(40, 512)) ", " C2(REGION(96, 0)) "], 'outputs': [{'name': "
                                                                  "'y', " REGION(128, 448) "}]}",
        "", 0);
    cr_assert(answer.status == 200 && memcmp(region + 448, y.data, Y_BYTES) == 0, "%.300s",
              answer.body);
    live_answer_free(&answer);
    answer = ask(INFER, "{'inputs': [" C2(REGION(96, 0)) ", " C5(REGION(44, 512)) "]}", "", 0);
    cr_assert(
        answer.status == 400 &&
            strstr(answer.body, "inputs[1], shared_memory_byte_size: found 44 bytes, expected 40"),
        "%s", answer.body);
    live_answer_free(&answer);
    munmap(region, REGION_BYTES);
    shm_unlink(key);
}

/* ---- what is refused ---- */

Test(live_v2_inputs, are_refused)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{'inputs': [" C2(BYTES(96)) "]}", "expected an array of 2 objects, the inputs c2 and c5"},
        {"{'inputs': [" C2(BYTES(96)) ", 5]}", "expected an array of 2 objects"},
        {"{'inputs': [" C2(BYTES(96)) ", " C2(BYTES(40)) "]}",
         "inputs[1].name: found \\\"c2\\\", expected each input once"},
        {"{'inputs': [" C2(BYTES(96)) ", {'name': 'x', " BYTES(40) "}]}",
         "inputs[1].name: found \\\"x\\\", expected \\\"c2\\\" or \\\"c5\\\""},
        {"{'inputs': [" C2(BYTES(96)) ", {" BYTES(40) "}]}", "inputs[1].name: found nothing"},
        {"{'inputs': [" C2(BYTES(96)) ", {'name': 'c5', 'datatype': 'INT8'}]}",
         "inputs[1].datatype: found \\\"INT8\\\""},
        {"{'inputs': [" C2(
             BYTES(96)) ", {'name': 'c5', 'datatype': 'FP32', 'shape': [1, 5, 0, 2]}]}",
         "inputs[1].shape: found [1,5,0,2]"},
        {"{'inputs': [" C2(BYTES(96)) ", " C5("'a': 1") "]}", "inputs[1]: found no values of c5"},
        {"{'inputs': [" C2(BYTES(96)) ", " C5("'data': [1], " BYTES(40)) "]}",
         "inputs[1]: found values of c5 in several places"},
        {"{'inputs': [" C2(BYTES(96)) ", " C5("'parameters': 7") "]}",
         "inputs[1].parameters: found 7"},
        {"{'inputs': [" C2(BYTES(96)) ", " C5(BYTES(44)) "]}",
         "found 136 bytes after the JSON, expected 140 (binary_data_size)"},
        {"{'inputs': [" C2(BYTES(92)) ", " C5(BYTES(44)) "]}",
         "inputs[0], binary_data_size: found 92 bytes, expected 96"},
        {"{'inputs': [" C5(BYTES(44)) ", " C2(BYTES(92)) "]}",
         "inputs[1], binary_data_size: found 92 bytes, expected 96"},
        {"{'inputs': [" C2(
             BYTES(136)) ", {'name': 'c5', 'datatype': 'FP16', 'shape': [1, 5, 1, 2], "
                         "'data': [1]}]}",
         "inputs[1].data: found numbers of a datatype"},
        {"{'inputs': [" C2(BYTES(136)) ", " C5("'data': [1]") "]}",
         "inputs[0], binary_data_size: found 136"},
        {"{'inputs': [" C2(
             BYTES(96)) ", {'name': 'c5', 'datatype': 'FP32', 'shape': [5, 1, 2], " BYTES(40) "}]}",
         "shape: found 4 axes of c2 and 3 of c5, expected as many"},
        {"{'inputs': [" C2(BYTES(
             96)) ", {'name': 'c5', 'datatype': 'FP16', 'shape': [2, 5, 1, 2], " BYTES(40) "}]}",
         "input \\\"c5\\\": found a batch of 2 maps, expected 1"},
        {"{'inputs': [" C2(BYTES(
             96)) ", {'name': 'c5', 'datatype': 'FP32', 'shape': [1, 4, 1, 2], " BYTES(40) "}]}",
         "the tensor c5 has 4 channels"},
        {"{'inputs': [" C2(BYTES(96)) ", " C5(REGION(40, 0)) "]}", "after the JSON"},
    };
    static const char bytes[C2_BYTES + C5_BYTES];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = ask(INFER, cases[i].json, bytes, sizeof bytes);
        cr_assert(answer.status == 400 && strstr(answer.body, cases[i].text),
                  "%s: %d %s, expected %s", cases[i].json, answer.status, answer.body,
                  cases[i].text);
        live_answer_free(&answer);
    }
}

Test(live_v2_inputs, faults_of_numbers_are_refused)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{'inputs': [" C2("'data': [1, 2]") ", " C5("'data': [1]") "]}",
         "inputs[0]: data holds 2 numbers, expected 24 for shape [1, 3, 2, 4]"},
        {"{'inputs': [" C5("'data': [1,2,3,4,5,6,7,8,9,0]") ", " C2("'data': [1, tru]") "]}",
         "inputs[1]: data[1] at byte 172: found"},
        {"{'inputs': [" C2("'data': [1]") ", " C5("'data': [1]") ", {'data': [2]}]}",
         "expected at most 2 objects with data"},
        {"{'inputs': [" C2("'data': [1]") ", " C5("'d\\u0061ta': [1]") "]}",
         "inputs[1]: the key \\\"inputs\\\" or \\\"data\\\" is written with escapes"},
        {"{'inputs': [" C2("'data': [1]") ", " C5("'d\\u0061ta': null") "]}",
         "inputs: the key \\\"inputs\\\" or \\\"data\\\" is written with escapes"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = ask(INFER, cases[i].json, "", 0);
        cr_assert(answer.status == 400 && strstr(answer.body, cases[i].text), "%s: %d %s",
                  cases[i].json, answer.status, answer.body);
        live_answer_free(&answer);
    }
    struct live_answer answer =
        live_ask(&live, "POST", INFER "?shape=1,3,2,4", "Inference-Header-Content-Length: 0\r\n",
                 inputs[0].data, C2_BYTES);
    cr_assert(answer.status == 400 && strstr(answer.body, "expected JSON that says which bytes"),
              "%s", answer.body);
    live_answer_free(&answer);
}
