/* test_live_image.c - images as bodies: each form of the answer compared with that to the tensor by
 * hand; how a body is known; what is refused, and when. */
#include "server/image/image.h"
#include "tests/compressed.h"
#include "tests/images.h"
#include "tests/live_support.h"
#include "tests/png_reader.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { H = 37, W = 53, PIXELS = H * W, CLASSES = 5 };

#define NETWORK                                                                                    \
    "'input': {'channels': 3, 'image': {'mean': [123.675, 116.28, 103.53], 'std': [58.395, "       \
    "57.12, 57.375]}}, 'network': [{'conv': {'channels': 8, 'kernel': 3, 'stride': 2, "            \
    "'padding': 1}}, {'pyramid': {'bins': [1, 2], 'branch': [{'conv': {'channels': 2}}], "         \
    "'upsample': 'align_corners', 'concat': 'input_first'}, 'name': 'ppm'}, {'conv': "             \
    "{'channels': 5}}], 'weights': {'random': 1}"
#define NAMES                                                                                      \
    "'classes': [{'name': 'a', 'color': [250, 0, 3]}, {'name': 'b', 'color': [0, 200, 7]}, "       \
    "{'name': 'c', 'color': [9, 9, 90]}, {'name': 'd', 'color': [80, 8, 8]}, {'name': 'e', "       \
    "'color': [1, 2, 3]}]"

static const uint8_t colors[CLASSES][3] = {
    {250, 0, 3}, {0, 200, 7}, {9, 9, 90}, {80, 8, 8}, {1, 2, 3}};

/* An image, its files, and its x. */
static struct ppm_image image;
static struct file {
    char *bytes;
    size_t count;
} png, jpeg;
static float x[3 * PIXELS];
static struct live live;

static struct file encode(const struct image_format *format, const struct ppm_image *of)
{
    struct ppm_error error = {0};
    struct file file = {.bytes = malloc(image_encoded_bytes_max(format, of->width, of->height))};
    cr_assert(image_encode(format, of, NULL, file.bytes, &file.count, &error) == PPM_OK, "%s",
              error.text);
    return file;
}

static const struct image_format *format_of(const char *type)
{
    return image_format_of_type(type);
}

static void normalize(void)
{
    static const float mean[] = {123.675f, 116.28f, 103.53f}, std[] = {58.395f, 57.12f, 57.375f};
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < PIXELS; i++)
            x[c * PIXELS + i] = ((float)image.pixels[3 * i + c] - mean[c]) / std[c];
}

/* The model "labels" is the first; "soft" answers probabilities, "map" takes no images. */
static void start_with(const char *const *more)
{
    const char *list[24] = {
        "--model",
        support_write_json("labels.json", "{'name': 'labels', " NETWORK ", " NAMES
                                          ", 'output': {'as': 'argmax', 'size': 'input'}}"),
        "--model",
        support_write_json("soft.json", "{'name': 'soft', " NETWORK
                                        ", 'output': {'as': 'softmax', 'size': 'input'}}"),
        "--model",
        "configs/models/voc-map.json"};
    for (size_t i = 6; *more; i++)
        list[i] = *more++;
    live_start(&live, list, NULL);
    image = images_random(W, H);
    png = encode(format_of("image/png"), &image);
    jpeg = encode(format_of("image/jpeg"), &image);
    normalize();
}

static void start(void)
{
    start_with(LIST(NULL));
}

/* All that requests took is given back. */
static void stop(void)
{
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_stop(&live);
    free(image.pixels);
    free(png.bytes);
    free(jpeg.bytes);
}

TestSuite(live_image, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static struct live_answer put(const char *target, const char *headers, struct file body)
{
    return live_ask(&live, "PUT", target, headers, body.bytes, body.count);
}

static struct live_answer put_ok(const char *target, const char *headers, struct file body)
{
    struct live_answer answer = put(target, headers, body);
    cr_assert(answer.status == 200, "%s %s: %d %s", target, headers, answer.status, answer.body);
    return answer;
}

/* y of the tensor by hand, as raw bytes. */
static struct live_answer post_x(const char *target)
{
    char with_shape[200];
    snprintf(with_shape, sizeof with_shape, "%s%cshape=3,%d,%d", target,
             strchr(target, '?') ? '&' : '?', H, W);
    struct live_answer answer = live_ask(&live, "POST", with_shape,
                                         "Content-Type: application/octet-stream\r\n", x, sizeof x);
    cr_assert(answer.status == 200, "%s: %s", with_shape, answer.body);
    return answer;
}

static void check_header(const struct live_answer *answer, const char *name, const char *expected)
{
    char value[LIVE_HEADER_BYTES];
    cr_assert_str_eq(live_header(answer, name, value), expected, "%s", name);
}

static void check_same(const struct live_answer *answer, const void *bytes, size_t count)
{
    cr_assert(answer->body_bytes == count && memcmp(answer->body, bytes, count) == 0,
              "%zu bytes, expected %zu", answer->body_bytes, count);
}

/* ---- tensors ---- */

Test(live_image, values_are_those_of_the_tensor_by_hand)
{
    static const char *const targets[] = {"/ppm/soft", "/ppm/labels", "/ppm/soft?size=20,90",
                                          "/ppm/labels?size=20,90", "/ppm/soft?out_dtype=float16"};
    start();
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct live_answer expected = post_x(targets[i]), found;
        char shape[LIVE_HEADER_BYTES];
        found = put_ok(targets[i], "Accept: application/octet-stream\r\n", png);
        check_same(&found, expected.body, expected.body_bytes);
        check_header(&found, "X-Image-Size", "37,53");
        check_header(&found, "X-Tensor-Shape", live_header(&expected, "X-Tensor-Shape", shape));
        check_header(&expected, "X-Image-Size", "");
        live_answer_free(&found);
        found = put_ok(targets[i], "Accept: application/x-npy\r\n", png);
        cr_assert(memcmp(found.body, "\x93NUMPY", 6) == 0);
        cr_assert(memcmp(found.body + found.body_bytes - expected.body_bytes, expected.body,
                         expected.body_bytes) == 0);
        live_answer_free(&found);
        live_answer_free(&expected);
    }
    stop();
}

Test(live_image, a_model_without_labels_answers_a_tensor)
{
    start();
    struct live_answer npy = put_ok("/ppm/soft", "Accept: */*\r\n", png);
    check_header(&npy, "Content-Type", "application/x-npy");
    live_answer_free(&npy);
    struct live_answer json = put_ok("/ppm/soft", "Accept: application/json\r\n", png);
    struct live_result result = live_read_answer(&json, "JSON");
    cr_assert_str_eq(result.shape, "5,37,53");
    free(result.values);
    live_answer_free(&json);
    struct live_answer refused = put("/ppm/soft", "Accept: image/png\r\n", png);
    live_check_problem(&refused, 406, "model \"soft\" answers float32 in 5 channels", "PNG");
    live_answer_free(&refused);
    stop();
}

/* The data of a safetensors file. */
static const char *data_of(const struct live_answer *file, size_t *ret_bytes)
{
    uint64_t head;
    memcpy(&head, file->body, sizeof head);
    cr_assert(head < file->body_bytes - 8);
    *ret_bytes = file->body_bytes - 8 - head;
    return file->body + 8 + head;
}

Test(live_image, stages_are_those_of_the_tensor_by_hand)
{
    start();
    struct live_answer expected = post_x("/ppm/labels?stages=1");
    struct live_answer found = put_ok("/ppm/labels?stages=1", "", png);
    size_t expected_bytes, bytes;
    const char *values = data_of(&expected, &expected_bytes), *own = data_of(&found, &bytes);
    cr_assert(strstr(found.body + 8, "ppm.branch.1.upsampled"), "%.400s", found.body + 8);
    cr_assert(bytes == expected_bytes && memcmp(own, values, bytes) == 0);
    live_answer_free(&expected);
    live_answer_free(&found);
    stop();
}

Test(live_image, any_entry_of_the_network_may_be_asked_for)
{
    start();
    struct live_answer expected = post_x("/ppm/labels?stages=ppm,network.0");
    struct live_answer found = put_ok("/ppm/labels?stages=ppm,network.0", "", png);
    size_t expected_bytes, bytes;
    const char *values = data_of(&expected, &expected_bytes), *own = data_of(&found, &bytes);
    const char *ppm = strstr(found.body + 8, "\"ppm\""),
               *first = strstr(found.body + 8, "\"network.0\"");
    cr_assert(ppm && first && ppm < first, "%.400s", found.body + 8);
    cr_assert(bytes == expected_bytes && memcmp(own, values, bytes) == 0);
    live_answer_free(&expected);
    live_answer_free(&found);
    found = put("/ppm/labels?stages=ppm,none", "", png);
    live_check_problem(&found, 422, "found \"none\", expected 0, 1, or entries", "none");
    live_answer_free(&found);
    found = live_ask(&live, "POST", "/ppm/labels?stages=none&shape=3,37,53",
                     "Content-Type: application/octet-stream\r\n", x, sizeof x);
    live_check_problem(&found, 422, "found \"none\"", "none of a tensor");
    live_answer_free(&found);
    stop();
}

/* ---- labels ---- */

/* Those of the tensor by hand. */
static int32_t *labels_by_hand(const char *target)
{
    struct live_answer answer = post_x(target);
    int32_t *labels = malloc(answer.body_bytes);
    memcpy(labels, answer.body, answer.body_bytes);
    live_answer_free(&answer);
    return labels;
}

static void check_map(const struct live_answer *answer, const int32_t *labels)
{
    struct png_map map = png_map_read(answer->body, answer->body_bytes);
    cr_assert(map.h == H && map.w == W && map.palette_count == CLASSES);
    cr_assert(memcmp(map.palette, colors, sizeof colors) == 0);
    for (size_t i = 0; i < PIXELS; i++)
        cr_assert(map.labels[i] == labels[i], "pixel %zu: %d, expected %d", i, map.labels[i],
                  labels[i]);
    png_map_free(&map);
}

Test(live_image, a_png_of_labels_is_the_default)
{
    static const char *const accepts[] = {"", "Accept: */*\r\n", "Accept: image/*\r\n",
                                          "Accept: image/png\r\n",
                                          "Accept: image/avif, image/jpeg, */*;q=0.8\r\n"};
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    for (size_t i = 0; i < COUNT(accepts); i++) {
        struct live_answer answer = put_ok("/ppm/labels", accepts[i], png);
        check_header(&answer, "Content-Type", "image/png");
        check_map(&answer, labels);
        live_answer_free(&answer);
    }
    free(labels);
    stop();
}

static json_t *json_of(const char *target, const char *headers)
{
    struct live_answer answer = put_ok(target, headers, png);
    check_header(&answer, "Content-Type", "application/json");
    json_t *json = json_loads(answer.body, 0, NULL);
    cr_assert(json, "%s", answer.body);
    live_answer_free(&answer);
    return json;
}

static size_t pixels_of(const int32_t *labels, int32_t label)
{
    size_t pixels = 0;
    for (size_t i = 0; i < PIXELS; i++)
        pixels += labels[i] == label;
    return pixels;
}

Test(live_image, classes_are_those_of_the_labels)
{
    static const char *const targets[] = {"/ppm/labels", "/ppm/labels?labels=false"};
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    for (size_t k = 0; k < COUNT(targets); k++) {
        double shares = 0;
        json_t *json = json_of(targets[k], "Accept: application/json\r\n"), *found;
        size_t i;
        json_array_foreach(json_object_get(json, "classes"), i, found)
        {
            const int32_t id = (int32_t)json_integer_value(json_object_get(found, "id"));
            const char name[] = {(char)('a' + id), '\0'};
            cr_assert_str_eq(json_string_value(json_object_get(found, "name")), name);
            cr_assert(json_integer_value(json_object_get(found, "pixels")) ==
                      (json_int_t)pixels_of(labels, id));
            shares += json_number_value(json_object_get(found, "share"));
        }
        cr_assert(i > 1, "one class is no test");
        cr_assert_float_eq(shares, 1, 1e-6);
        cr_assert(!json_object_get(json, "labels"));
        json_decref(json);
    }
    free(labels);
    stop();
}

Test(live_image, labels_come_row_by_row)
{
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    json_t *json = json_of("/ppm/labels?labels=true", ""), *row, *label;
    size_t y, at = 0, column;
    json_array_foreach(json_object_get(json, "labels"), y, row)
    {
        cr_assert(json_array_size(row) == W);
        json_array_foreach(row, column, label) cr_assert(json_integer_value(label) == labels[at++]);
    }
    cr_assert(at == PIXELS);
    json_decref(json);
    free(labels);
    stop();
}

/* As pycocotools reads them: column by column, first what is not of the class. */
Test(live_image, run_lengths_are_the_labels)
{
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    json_t *json = json_of("/ppm/labels?labels=rle", ""), *found, *count;
    size_t i, k, pixels = 0;
    json_array_foreach(json_object_get(json, "classes"), i, found)
    {
        const json_t *mask = json_object_get(found, "segmentation");
        const json_int_t id = json_integer_value(json_object_get(found, "id"));
        size_t at = 0;
        cr_assert(json_integer_value(json_array_get(json_object_get(mask, "size"), 0)) == H);
        json_array_foreach(json_object_get(mask, "counts"), k, count)
        {
            for (json_int_t n = json_integer_value(count); n > 0; n--, at++) {
                cr_assert((labels[at % H * W + at / H] == id) == (k % 2 == 1), "at %zu", at);
                pixels += k % 2;
            }
        }
        cr_assert(at == PIXELS);
    }
    cr_assert(pixels == PIXELS);
    json_decref(json);
    free(labels);
    stop();
}

/* ---- overlays ---- */

static struct ppm_image decode(const struct live_answer *answer)
{
    const struct image_limits limits = {.pixels_max = PIXELS};
    struct image_head head;
    struct ppm_error error = {0};
    struct ppm_image found = {.pixels = malloc(3 * PIXELS), .width = W, .height = H};
    cr_assert(image_look(answer->body, answer->body_bytes, &limits, &head, &error) == PPM_OK &&
                  head.width == W && head.height == H &&
                  image_decode(answer->body, answer->body_bytes, &head, NULL, &found, &error) ==
                      PPM_OK,
              "%s", error.text);
    return found;
}

Test(live_image, an_overlay_is_the_image_under_its_labels)
{
    static const struct {
        const char *target;
        double opacity;
    } cases[] = {{"/ppm?overlay=0.5", 0.5},
                 {"/ppm?overlay=2.5e-1", 0.25},
                 {"/ppm?overlay=1e-05", 1e-5},
                 {"/ppm/labels?overlay=0", 0},
                 {"/ppm?overlay=1", 1}};
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    for (size_t k = 0; k < COUNT(cases); k++) {
        struct live_answer answer = put_ok(cases[k].target, "", png);
        check_header(&answer, "Content-Type", "image/png");
        check_header(&answer, "X-Image-Size", "37,53");
        struct ppm_image found = decode(&answer);
        for (size_t i = 0; i < 3 * PIXELS; i++) {
            const double expected = (1 - cases[k].opacity) * image.pixels[i] +
                                    cases[k].opacity * colors[labels[i / 3]][i % 3];
            cr_assert(fabs(found.pixels[i] - expected) <= 0.5, "%s: byte %zu: %d, expected %g",
                      cases[k].target, i, found.pixels[i], expected);
        }
        free(found.pixels);
        live_answer_free(&answer);
    }
    free(labels);
    stop();
}

Test(live_image, an_overlay_has_the_type_that_is_accepted)
{
    static const struct {
        const char *accept, *type;
    } cases[] = {{"Accept: image/jpeg\r\n", "image/jpeg"},
                 {"Accept: image/jpeg, image/png;q=0.9\r\n", "image/jpeg"},
                 {"Accept: image/jpeg, image/png\r\n", "image/png"},
                 {"Accept: image/*\r\n", "image/png"},
                 {"Accept: nonsense\r\n", "image/png"},
                 {"Accept: image/png;q=0, */*\r\n", "image/jpeg"}};
    start();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = put_ok("/ppm?overlay=0.5", cases[i].accept, jpeg);
        check_header(&answer, "Content-Type", cases[i].type);
        struct ppm_image found = decode(&answer);
        free(found.pixels);
        live_answer_free(&answer);
    }
    struct live_answer answer = put("/ppm?overlay=0.5", "Accept: application/json\r\n", png);
    live_check_problem(&answer, 406, "expected image/png or image/jpeg", "JSON");
    live_answer_free(&answer);
    stop();
}

/* ---- how a body is known ---- */

static void check_png_answer(const char *method, const char *headers, struct file body)
{
    struct live_answer answer = live_ask(&live, method, "/ppm", headers, body.bytes, body.count);
    cr_assert(answer.status == 200, "%s %s: %s", method, headers, answer.body);
    check_header(&answer, "Content-Type", "image/png");
    live_answer_free(&answer);
}

Test(live_image, a_body_is_known_by_its_type_or_its_first_bytes)
{
    static const char *const untold[] = {"", "Content-Type:\r\n",
                                         "Content-Type: application/octet-stream\r\n"};
    struct file gzip;
    start();
    gzip.bytes = compressed_make(COMPRESSED_GZIP, jpeg.bytes, jpeg.count, &gzip.count);
    for (size_t i = 0; i < COUNT(untold); i++)
        for (int is_put = 0; is_put < 2; is_put++) {
            char headers[120];
            check_png_answer(is_put ? "PUT" : "POST", untold[i], png);
            check_png_answer(is_put ? "PUT" : "POST", untold[i], jpeg);
            snprintf(headers, sizeof headers, "%sContent-Encoding: gzip\r\n", untold[i]);
            check_png_answer(is_put ? "PUT" : "POST", headers, gzip);
        }
    check_png_answer("POST", "Content-Type: image/png\r\n", png);
    check_png_answer("POST", "Content-Type: image/JPEG; q=1\r\n", jpeg);
    free(gzip.bytes);
    stop();
}

Test(live_image, a_npy_file_is_known_by_its_first_bytes)
{
    struct live_tensor npy = live_golden(LISTING1, "x.npy");
    live_start(&live, LIST("--model", LISTING1_GOLDEN), NULL);
    struct live_answer expected = live_ask(
        &live, "POST", "/ppm", "Content-Type: application/x-npy\r\n", npy.file, npy.file_bytes);
    struct live_answer found = live_ask(&live, "PUT", "/ppm", "", npy.file, npy.file_bytes);
    cr_assert(found.status == 200, "%s", found.body);
    check_same(&found, expected.body, expected.body_bytes);
    live_answer_free(&found);
    live_answer_free(&expected);
    live_tensor_free(&npy);
    live_stop(&live);
}

/* Neither a signature nor a head comes at once. */
Test(live_image, a_body_may_come_in_any_pieces)
{
    static const size_t pieces[] = {1, 7, 100};
    start();
    int32_t *labels = labels_by_hand("/ppm/labels");
    for (size_t k = 0; k < COUNT(pieces); k++) {
        struct live_answer answer;
        const int connection = live_connect(&live);
        live_print(
            connection,
            "PUT /ppm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: "
            "chunked\r\n\r\n");
        for (size_t at = 0, piece; at < png.count; at += piece) {
            piece = size_min(at < 200 ? pieces[k] : png.count, png.count - at);
            live_print(connection, "%zx\r\n", piece);
            live_send(connection, png.bytes + at, piece);
            live_print(connection, "\r\n");
            live_sleep_ms(at < 20);
        }
        live_print(connection, "0\r\n\r\n");
        cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
        check_map(&answer, labels);
        live_answer_free(&answer);
        close(connection);
    }
    free(labels);
    stop();
}

Test(live_image, a_client_may_wait_before_it_sends_the_body)
{
    struct live_answer answer;
    start();
    const int connection = live_connect(&live);
    live_print(connection,
               "PUT /ppm/labels HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
               "Content-Length: %zu\r\n\r\n",
               png.count);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 100);
    live_answer_free(&answer);
    live_send(connection, png.bytes, png.count);
    cr_assert(live_receive(connection, false, &answer) && answer.status == 200);
    live_answer_free(&answer);
    close(connection);
    stop();
}

/* ---- refusals ---- */

Test(live_image, requests_that_make_no_sense_are_refused)
{
    static const struct {
        const char *target, *headers;
        int status;
        const char *detail;
    } cases[] = {
        {"/ppm?overlay=", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=1.1", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=-0.5", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=nan", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=0x1p-1", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=.", "", 400, "a number from 0 to 1"},
        {"/ppm?overlay=0.5&size=9,9", "", 400, "the image's own size"},
        {"/ppm?overlay=0.5&labels=rle", "", 400, "labels: found \"rle\" with overlay"},
        {"/ppm?overlay=0.5&stages=1", "", 400, "stages: found \"1\" with overlay"},
        {"/ppm/soft?overlay=0.5", "", 422, "model \"soft\" answers no labels"},
        {"/ppm/soft?labels=true", "", 422, "model \"soft\" answers no labels"},
        {"/ppm?labels=true&stages=1", "", 400, "stages: found \"1\" with labels"},
        {"/ppm?labels=rle&out_dtype=float16", "", 400, "out_dtype: found \"float16\" with labels"},
        {"/ppm?labels=yes", "", 400, "expected false, true (row by row) or rle"},
        {"/ppm?labels=rle", "Accept: image/png\r\n", 406, "expected application/json"},
        {"/ppm?size=0,5", "", 400, "size"},
        {"/ppm?size=5,70000", "", 413, "expected at most 65536"},
        {"/ppm?out_dtype=float16", "", 422, "answers int32"},
        {"/ppm", "Content-Type: image/png\r\nX-Tensor-Shape: 3,37,53\r\n", 400, "with an image"},
        {"/ppm?shape=3,37,53", "Content-Type: image/png\r\n", 400, "shape: found \"3,37,53\""},
        {"/ppm?layout=NHWC", "", 400, "layout: found \"NHWC\" with an image"},
        {"/ppm?dtype=float16", "", 400, "dtype: found \"float16\" with an image"},
        {"/ppm", "Content-Type: image/jpeg\r\n", 400, "but the body is a PNG"},
        {"/ppm", "Accept: image/jpeg\r\n", 406, "image/jpeg with ?overlay=0.5"},
        {"/ppm/voc-map", "", 422, "model \"voc-map\" takes a tensor of 4 channels"},
        {"/ppm/none", "", 404, "none"},
        {"/ppm", "X-Image-Size: 37,53\r\n", 400, "X-Image-Size: unknown header"},
    };
    start();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = put(cases[i].target, cases[i].headers, png);
        live_check_problem(&answer, cases[i].status, cases[i].detail, cases[i].target);
        live_answer_free(&answer);
    }
    struct live_answer answer = live_ask(&live, "POST", "/ppm?shape=3,37,53&overlay=0.5",
                                         "Content-Type: application/octet-stream\r\n", x, sizeof x);
    live_check_problem(&answer, 400, "overlay: found \"0.5\" with a tensor", "a tensor");
    live_answer_free(&answer);
    stop();
}

Test(live_image, bodies_that_are_no_images_are_refused)
{
    static const struct {
        const char *headers, *body;
        int status;
        const char *detail;
    } cases[] = {
        {"", "GIF89a", 415,
         "begins with \"GIF89a\": no JPEG, PNG or .npy file, expected image/jpeg"},
        {"", "", 415, "found none and an empty body"},
        {"Content-Type: image/png\r\n", "GIF89a", 400, "neither a JPEG nor a PNG"},
        {"Content-Type: image/png\r\n", "", 400, "neither a JPEG nor a PNG"},
        {"Content-Type: image/webp\r\n", "RIFF", 415, "expected image/jpeg, image/png"},
        {"Content-Type: application/octet-stream\r\n", "GIF89a", 400, "a raw body needs a shape"},
        {"Content-Type: application/x-www-form-urlencoded\r\n", "\xff\xd8", 415, "-T FILE"},
    };
    start();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer =
            live_ask(&live, "POST", "/ppm", cases[i].headers, cases[i].body, strlen(cases[i].body));
        live_check_problem(&answer, cases[i].status, cases[i].detail, cases[i].body);
        live_answer_free(&answer);
    }
    stop();
}

Test(live_image, a_truncated_image_is_malformed_at_any_byte)
{
    start();
    const struct file files[] = {png, jpeg};
    for (size_t k = 0; k < COUNT(files); k++)
        for (size_t count = 16; count < files[k].count; count += 1 + files[k].count / 60) {
            struct live_answer answer = put("/ppm", "", (struct file){files[k].bytes, count});
            live_check_problem(&answer, 400, k == 0 ? "PNG" : "JPEG", "truncated");
            live_answer_free(&answer);
        }
    stop();
}

/* ---- limits ---- */

/* A file of 50,000 x 50,000 pixels, in name. */
static void promise_pixels(struct file *file, uint32_t width, uint32_t height)
{
    static const unsigned shifts[] = {24, 16, 8, 0};
    for (size_t i = 0; i < 4; i++) {
        file->bytes[16 + i] = (char)(width >> shifts[i]);
        file->bytes[20 + i] = (char)(height >> shifts[i]);
    }
    uint32_t crc = 0xffffffff;
    for (size_t i = 12; i < 29; i++) {
        crc ^= (uint8_t)file->bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < 4; i++)
        file->bytes[29 + i] = (char)(~crc >> shifts[i]);
}

Test(live_image, more_pixels_than_the_setting_are_refused)
{
    start_with(LIST("--image-pixels-max", "1961"));
    struct live_answer answer = put_ok("/ppm", "", png);
    live_answer_free(&answer);
    stop();
    start_with(LIST("--image-pixels-max", "1960"));
    answer = put("/ppm", "", png);
    live_check_problem(&answer, 413, "1960", "a pixel too many");
    live_answer_free(&answer);
    promise_pixels(&png, 50000, 50000);
    answer = put("/ppm", "", png);
    live_check_problem(&answer, 413, "50000", "a bomb");
    live_answer_free(&answer);
    cr_assert(live_metric(&live, "ppm_rejected_total{reason=\"too_large\"}") == 2);
    stop();
}

/* What is announced as 1 MB is forgotten with its first bytes. */
Test(live_image, a_large_image_is_refused_before_it_has_come)
{
    enum { ANNOUNCED = 1 << 20 };
    struct live_answer answer;
    char *rest = calloc(1, ANNOUNCED);
    start();
    promise_pixels(&png, 50000, 50000);
    const int connection = live_connect(&live);
    live_print(connection,
               "PUT /ppm HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d"
               "\r\n\r\n",
               ANNOUNCED);
    live_send(connection, png.bytes, 1000);
    live_wait_metric(&live, "ppm_rejected_total{reason=\"too_large\"}", 1);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
    live_send(connection, rest, ANNOUNCED - 1000);
    cr_assert(live_receive(connection, false, &answer));
    live_check_problem(&answer, 413, "50000", "a bomb");
    live_answer_free(&answer);
    close(connection);
    free(rest);
    stop();
}

Test(live_image, an_image_that_could_never_fit_is_refused)
{
    start_with(LIST("--memory-max-bytes", "2000000"));
    promise_pixels(&png, 1000, 800);
    struct live_answer answer = put("/ppm", "", png);
    live_check_problem(&answer, 413, "(memory_max_bytes)", "an image");
    live_answer_free(&answer);
    stop();
}

static struct file large_file(size_t side)
{
    struct ppm_image large = {calloc(3, side * side), .width = side, .height = side};
    struct file file = encode(format_of("image/png"), &large);
    free(large.pixels);
    return file;
}

/* It takes longer than a millisecond to decode 16 megapixels, so the deadline passes meanwhile. */
Test(live_image, decoding_stops_at_the_deadline)
{
    start_with(LIST("--compute-timeout-ms", "1"));
    struct file large = large_file(4000);
    struct live_answer answer = put("/ppm", "", large);
    live_check_problem(&answer, 504, "compute_timeout_ms", "a large image");
    live_answer_free(&answer);
    cr_assert(live_metric(&live, LATE("compute")) == 1);
    cr_assert(live_metric(&live, "ppm_compute_seconds_count{model=\"labels\"}") == 0);
    cr_assert(live_metric(&live, "ppm_image_decode_seconds_count{model=\"labels\"}") == 1);
    free(large.bytes);
    stop();
}

Test(live_image, health_is_told_while_images_are_decoded, .timeout = 60)
{
    enum { CLIENTS = 4 };
    int connections[CLIENTS];
    start_with(LIST("--http-threads", "1"));
    struct file large = large_file(4000);
    for (size_t i = 0; i < CLIENTS; i++) {
        connections[i] = live_connect(&live);
        live_print(connections[i],
                   "PUT /ppm HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                   large.count);
        live_send(connections[i], large.bytes, large.count);
    }
    while (live_metric(&live, "ppm_requests_in_flight") == 1) /* the request for the metrics */
        live_sleep_ms(1);
    struct live_answer answer = live_ask(&live, "GET", "/healthz", "", NULL, 0);
    cr_assert(answer.status == 200 && !live_is_answered(connections[CLIENTS - 1]));
    live_answer_free(&answer);
    for (size_t i = 0; i < CLIENTS; i++)
        close(connections[i]); /* their work is dropped */
    free(large.bytes);
    stop();
}

/* ---- what is counted ---- */

Test(live_image, pixels_and_decoding_are_counted)
{
    start();
    struct live_answer answer = post_x("/ppm/labels");
    live_answer_free(&answer);
    answer = put_ok("/ppm/labels", "", png);
    live_answer_free(&answer);
    answer = put_ok("/ppm/labels", "", jpeg);
    live_answer_free(&answer);
    cr_assert(live_metric(&live, "ppm_image_pixels_sum{model=\"labels\"}") == 2 * PIXELS);
    cr_assert(live_metric(&live, "ppm_image_decode_seconds_count{model=\"labels\"}") == 2);
    cr_assert(live_metric(&live, "ppm_decode_seconds_count{model=\"labels\"}") >= 2);
    live_wait_log(&live, " image=53x37 route=/ppm/{model} model=labels ");
    stop();
}
