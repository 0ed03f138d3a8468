/* test_live_v2_image.c - images by the Open Inference Protocol, as clients of OpenVINO Model Server
 * and Triton send them: an input of BYTES. */
#include "tests/live_image.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFER "/v2/models/street/infer"

static struct live live;
static struct live_image image;

static void start(void)
{
    image = live_image_start(&live);
}

static void stop(void)
{
    live_image_stop(&live, &image);
}

/* ---- requests ---- */

/* After JSON: count bytes, the first of which may be their number. size: binary_data_size. */
static struct live_answer ask_binary(const char *shape, const char *more, bool has_length,
                                     const void *bytes, size_t count, size_t size)
{
    char header[96], json[512];
    const int json_bytes = snprintf(
        json, sizeof json,
        "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"BYTES\", \"shape\": %s, \"parameters\": "
        "{\"binary_data_size\": %zu}}]%s}",
        shape, size, more);
    const size_t length_bytes = has_length ? 4 : 0, all = (size_t)json_bytes + length_bytes + count;
    char *body = malloc(all), *to = body;
    memcpy(to, json, (size_t)json_bytes);
    to += json_bytes;
    for (size_t i = 0; i < length_bytes; i++)
        *to++ = (char)(count >> 8 * i);
    memcpy(to, bytes, count);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %d\r\n", json_bytes);
    struct live_answer answer = live_ask(&live, "POST", INFER, header, body, all);
    free(body);
    return answer;
}

static struct live_answer ask_text(const char *target, const char *data)
{
    const size_t room = strlen(data) + 256;
    char *body = malloc(room);
    const int bytes =
        snprintf(body, room,
                 "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"BYTES\", \"shape\": "
                 "[1], \"data\": %s}]}",
                 data);
    struct live_answer answer = live_ask(&live, "POST", target, "", body, (size_t)bytes);
    free(body);
    return answer;
}

/* ["..."] */
static char *quote(const char *base64)
{
    char *data = malloc(strlen(base64) + 8);
    sprintf(data, "[\"%s\"]", base64);
    return data;
}

/* ---- answers ---- */

static void check_shape(const json_t *output, int h, int w)
{
    const char *type;
    int axes[4];
    cr_assert(json_unpack((json_t *)output, "{s:s, s:[i, i, i, i]}", "datatype", &type, "shape",
                          &axes[0], &axes[1], &axes[2], &axes[3]) == 0);
    cr_assert_str_eq(type, "INT32");
    cr_assert(axes[0] == 1 && axes[1] == 1 && axes[2] == h && axes[3] == w, "%d x %d", axes[2],
              axes[3]);
}

/* Fails unless it has the image's labels, as numbers. */
static void check_labels(struct live_answer *answer, const char *what)
{
    json_t *root = json_loadb(answer->body, answer->body_bytes, 0, NULL);
    cr_assert(answer->status == 200 && root, "%s: %d %s", what, answer->status, answer->body);
    const json_t *output = json_array_get(json_object_get(root, "outputs"), 0),
                 *data = json_object_get(output, "data");
    check_shape(output, LIVE_IMAGE_H, LIVE_IMAGE_W);
    cr_assert(json_array_size(data) == image.label_count);
    for (size_t i = 0; i < image.label_count; i++)
        cr_assert(json_integer_value(json_array_get(data, i)) == image.labels[i], "%s: label %zu",
                  what, i);
    json_decref(root);
    live_answer_free(answer);
}

static void check_error(struct live_answer *answer, const char *text, const char *what)
{
    cr_expect(answer->status == 400 && strncmp(answer->body, "{\"error\":", 9) == 0 &&
                  strstr(answer->body, text),
              "%s: %d %s, expected \"%s\"", what, answer->status, answer->body, text);
    live_answer_free(answer);
}

Test(live_v2_image, an_image_may_be_bytes_or_text, .init = start, .fini = stop)
{
    static const char *const shapes[] = {"[1]", "[1, 1]"};
    char *data = quote(image.base64);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct live_answer answer =
            ask_binary(shapes[i], "", true, image.jpeg, image.bytes, image.bytes + 4);
        check_labels(&answer, "bytes after their number");
        answer = ask_binary(shapes[i], "", false, image.jpeg, image.bytes, image.bytes);
        check_labels(&answer, "bytes alone");
    }
    struct live_answer answer = ask_text(INFER, data);
    check_labels(&answer, "text");
    free(data);
}

Test(live_v2_image, labels_may_be_bytes_or_of_another_size, .init = start, .fini = stop)
{
    char length[LIVE_HEADER_BYTES];
    struct live_answer answer =
        ask_binary("[1]", ", \"parameters\": {\"binary_data_output\": true}", true, image.jpeg,
                   image.bytes, image.bytes + 4);
    cr_assert(answer.status == 200, "%s", answer.body);
    const size_t head =
        strtoul(live_header(&answer, "Inference-Header-Content-Length", length), NULL, 10);
    cr_assert(answer.body_bytes == head + 4 * image.label_count &&
              memcmp(answer.body + head, image.labels, 4 * image.label_count) == 0);
    live_answer_free(&answer);
    answer = ask_binary("[1]", ", \"parameters\": {\"size\": \"10,20\"}", true, image.jpeg,
                        image.bytes, image.bytes + 4);
    json_t *root = json_loadb(answer.body, answer.body_bytes, 0, NULL);
    check_shape(json_array_get(json_object_get(root, "outputs"), 0), 10, 20);
    json_decref(root);
    live_answer_free(&answer);
}

Test(live_v2_image, what_is_no_image_is_refused, .init = start, .fini = stop)
{
    static const struct {
        const char *shape, *bytes;
        size_t count, size;
        bool has_length;
        const char *text;
    } binaries[] = {
        {"[2]", "abcd", 4, 8, true, "inputs[0].shape: found [2], expected [1] for BYTES"},
        {"[1, 3, 2, 2]", "abcd", 4, 8, true, "expected [1] for BYTES"},
        {"[]", "abcd", 4, 8, true, "expected [1] for BYTES"},
        {"[1]", "abcd", 4, 8, true, "found neither a JPEG nor a PNG"},
        {"[1]", "", 0, 4, true, "found neither a JPEG nor a PNG"},
        {"[1]", "abc", 3, 3, false, "inputs[0], binary_data_size: found 3, expected an image"},
        {"[1]", "\5\0\0\0abcd", 8, 8, false, "found an element of 5 bytes, expected one of 4"},
        {"[1]", "\377\377\377\377abcd", 8, 8, false, "found an element of 4294967295 bytes"},
        {"[1]", "abcd", 4, 9, true, "found 8 bytes after the JSON, expected 9"},
    };
    static const struct {
        const char *data, *text;
    } texts[] = {
        {"[1, 2]", "inputs[0].data: found numbers of the datatype BYTES"},
        {"[\"AAAA\"]", "found neither a JPEG nor a PNG"},
        {"[\"AAAA\", \"AAAA\"]", "as a request has one image"},
        {"[\"A\"]", "inputs[0].data: found base64 that ends within a group"},
        {"\"AAAA\"", "expected an array"},
        {"[]", "BYTES"},
    };
    struct live_answer answer;
    for (size_t i = 0; i < COUNT(binaries); i++) {
        answer = ask_binary(binaries[i].shape, "", binaries[i].has_length, binaries[i].bytes,
                            binaries[i].count, binaries[i].size);
        check_error(&answer, binaries[i].text, binaries[i].text);
    }
    for (size_t i = 0; i < COUNT(texts); i++) {
        answer = ask_text(INFER, texts[i].data);
        check_error(&answer, texts[i].text, texts[i].data);
    }
    answer = ask_binary("[1]", "", true, image.jpeg, 1000, 1004);
    check_error(&answer, "JPEG: the data end after 1000 bytes", "1000 bytes");
}

Test(live_v2_image, tensors_and_images_keep_apart, .init = start, .fini = stop)
{
    char *data = quote(image.base64);
    struct live_answer answer = ask_text(INFER "?layout=NHWC", data);
    check_error(&answer, "layout: found NHWC with an image", "layout");
    answer = ask_text("/v2/models/" LISTING1 "/infer", data);
    check_error(&answer, "expected a number", "a model of tensors");
    free(data);
    static const char strings[] = "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", "
                                  "\"shape\": [3, 1, 1], \"data\": [\"AAAA\"]}]}",
                      numbers[] = "{\"inputs\": [{\"name\": \"x\", \"datatype\": \"FP32\", "
                                  "\"shape\": [3, 1, 1], \"data\": [1, 2, 3]}]}";
    answer = live_ask(&live, "POST", INFER, "", strings, sizeof strings - 1);
    check_error(&answer, "data: found a string, expected numbers", "strings");
    answer = live_ask(&live, "POST", INFER, "", numbers, sizeof numbers - 1);
    cr_assert(answer.status == 200 && strstr(answer.body, "\"shape\":[1,1,1]"), "%s", answer.body);
    live_answer_free(&answer);
}
