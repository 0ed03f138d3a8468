/* test_live_png.c - label maps as PNG, from a server and from `run`. */
#include "tests/live_support.h"
#include "tests/png_reader.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_TYPE "Content-Type: application/octet-stream\r\nAccept: "
#define PNG      "image/png\r\n"
#define NPY_TYPE "application/x-npy\r\n"
#define MODEL(name, classes, output)                                                               \
    "{'name': '" name "', 'input': {'channels': 3}, 'bins': [1, 2], 'branch': ['conv'],"           \
    " 'head': [{'conv': {'channels': " classes "}}], 'output': {" output "}, 'weights': "          \
    "{'random': 3}}"

enum { H = 9, W = 31, SCALE = 3, CLASSES = 21 };

static char directory[LIVE_PATH_BYTES];
static struct live live;
static float x[3 * 3 * H * W]; /* room for a batch of 3 */

static const char *write_model(const char *name, const char *text)
{
    return live_write_quoted(directory, name, text);
}

static void start(void)
{
    live_directory_make(directory);
    uint32_t state = 1;
    for (size_t i = 0; i < COUNT(x); i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23F - 1;
    }
    live_start(
        &live,
        LIST("--model", write_model("map.json", MODEL("map", "21", "'scale': 3, 'as': 'argmax'")),
             "--model",
             write_model("own.json", MODEL("own", "2",
                                           "'as': 'argmax', 'palette': [[10, 20, 30], "
                                           "[40, 50, 60], [70, 80, 90]]")),
             "--model", write_model("soft.json", MODEL("soft", "21", "'as': 'softmax'")), "--model",
             write_model("many.json", MODEL("many", "300", "'as': 'argmax'")), "--model",
             write_model("mask.json",
                         MODEL("mask", "1", "'scale': 3, 'as': 'sigmoid', 'threshold': 0.5")),
             "--model",
             write_model("masks.json", MODEL("masks", "3", "'as': 'sigmoid', 'threshold': 0.5")),
             "--memory-max-bytes", "1000000"),
        NULL);
}

static void stop(void)
{
    live_stop(&live);
    live_directory_remove(directory);
}

TestSuite(live_png, .init = start, .fini = stop, .timeout = 300);

static struct live_answer post(const char *target, const char *headers, size_t maps)
{
    return live_ask(&live, "POST", target, headers, x, maps * 3 * H * W * sizeof *x);
}

static void check_header(const struct live_answer *answer, const char *name, const char *expected)
{
    char value[LIVE_HEADER_BYTES];
    cr_assert_str_eq(live_header(answer, name, value), expected);
}

/* The PNG against the labels as raw int32. */
static void check_map(const char *target, size_t h, size_t w, const char *shape)
{
    struct live_answer raw = post(target, RAW_TYPE "*/*\r\n", 1);
    struct live_answer png = post(target, RAW_TYPE PNG, 1);
    cr_assert(raw.status == 200 && png.status == 200, "%s: %d, %d %s", target, raw.status,
              png.status, png.body);
    check_header(&png, "Content-Type", "image/png");
    check_header(&png, "X-Tensor-Shape", shape);
    check_header(&png, "X-Tensor-Dtype", "int32");
    struct png_map map = png_map_read(png.body, png.body_bytes);
    cr_assert(map.h == h && map.w == w && raw.body_bytes == 4 * h * w, "%s: %zu x %zu", target,
              map.h, map.w);
    const int32_t *labels = (const int32_t *)(const void *)raw.body;
    size_t changes = 0;
    for (size_t i = 0; i < h * w; i++) {
        cr_assert(map.labels[i] == labels[i], "%s, pixel %zu: %d, not %d", target, i, map.labels[i],
                  (int)labels[i]);
        changes += i > 0 && labels[i] != labels[i - 1];
    }
    cr_assert(changes > h, "%s: a map of hardly anything", target);
    png_map_free(&map);
    live_answer_free(&raw);
    live_answer_free(&png);
}

Test(live_png, shows_the_labels)
{
    check_map("/ppm?shape=1,3,9,31", SCALE * H, SCALE * W, "1,1,27,93");
    check_map("/ppm?shape=3,9,31", SCALE * H, SCALE * W, "1,27,93");
    check_map("/ppm?shape=1,9,31,3&layout=NHWC", SCALE * H, SCALE * W, "1,27,93,1");
    check_map("/ppm/own?shape=1,3,9,31", H, W, "1,1,9,31");
    check_map("/ppm/mask?shape=1,3,9,31", SCALE * H, SCALE * W, "1,1,27,93");
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
}

static void check_palette(const char *target, const uint8_t (*expected)[3], size_t count)
{
    struct live_answer png = post(target, RAW_TYPE PNG, 1);
    struct png_map map = png_map_read(png.body, png.body_bytes);
    cr_assert(map.palette_count == count, "%s: %zu colors", target, map.palette_count);
    for (size_t i = 0; i < count; i++)
        cr_assert(memcmp(map.palette[i], expected[i], 3) == 0, "%s, color %zu: %d, %d, %d", target,
                  i, map.palette[i][0], map.palette[i][1], map.palette[i][2]);
    png_map_free(&map);
    live_answer_free(&png);
}

Test(live_png, has_the_colors_of_its_model)
{
    static const uint8_t own[][3] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}};
    static const uint8_t voc[CLASSES][3] = {
        {0, 0, 0},       {128, 0, 0},   {0, 128, 0},     {128, 128, 0}, {0, 0, 128},
        {128, 0, 128},   {0, 128, 128}, {128, 128, 128}, {64, 0, 0},    {192, 0, 0},
        {64, 128, 0},    {192, 128, 0}, {64, 0, 128},    {192, 0, 128}, {64, 128, 128},
        {192, 128, 128}, {0, 64, 0},    {128, 64, 0},    {0, 192, 0},   {128, 192, 0},
        {0, 64, 128}};
    check_palette("/ppm/own?shape=1,3,9,31", own, COUNT(own));
    check_palette("/ppm/map?shape=1,3,9,31", voc, COUNT(voc));
    check_palette("/ppm/mask?shape=1,3,9,31", voc, 2);
}

/* The format of the response for one map, and for a batch, which needs another accepted format. */
Test(live_png, is_negotiated)
{
    static const struct {
        const char *target, *accept, *type;
        size_t maps;
    } cases[] = {
        {"/ppm?shape=1,3,9,31", "image/*", "image/png", 1},
        {"/ppm?shape=1,3,9,31", "image/webp,image/*;q=0.8,*/*;q=0.5", "image/png", 1},
        {"/ppm?shape=1,3,9,31", "image/png, application/octet-stream", "application/octet-stream",
         1},
        {"/ppm?shape=1,3,9,31", "image/png;q=0.1, application/json;q=0.2", "application/json", 1},
        {"/ppm?shape=1,3,9,31", "*/*", "application/octet-stream", 1},
        {"/ppm?shape=3,3,9,31", "image/png, application/x-npy;q=0.5", "application/x-npy", 3},
        {"/ppm?shape=3,3,9,31", "image/*, */*;q=0.1", "application/octet-stream", 3},
        {"/ppm/soft?shape=1,3,9,31", "image/png, application/x-npy;q=0.5", "application/x-npy", 1},
        {"/ppm/many?shape=1,3,9,31", "image/*, */*;q=0.1", "application/octet-stream", 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char headers[256];
        snprintf(headers, sizeof headers, RAW_TYPE "%s\r\n", cases[i].accept);
        struct live_answer answer = post(cases[i].target, headers, cases[i].maps);
        cr_assert(answer.status == 200, "case %zu: %d %s", i, answer.status, answer.body);
        check_header(&answer, "Content-Type", cases[i].type);
        live_answer_free(&answer);
    }
}

Test(live_png, is_refused_with_a_reason)
{
    static const struct {
        const char *target, *headers, *text;
        size_t maps;
        int status;
    } cases[] = {
        {"/ppm/soft?shape=1,3,9,31", RAW_TYPE PNG,
         "Accept: found image/png, but model \"soft\" answers float32 in 21 channels, which a "
         "PNG cannot show (\"as\": \"argmax\", or a \"threshold\" of one class, answers labels); "
         "expected one of application/json,",
         1, 406},
        {"/ppm/masks?shape=1,3,9,31", RAW_TYPE PNG,
         "model \"masks\" answers int32 in 3 channels, which a PNG cannot show", 1, 406},
        {"/ppm/many?shape=1,3,9,31", RAW_TYPE PNG,
         "model \"many\" has 300 classes, and a PNG at most 256 colors; expected", 1, 406},
        {"/ppm/map?shape=3,3,9,31", RAW_TYPE PNG,
         "Accept: found image/png for a batch of 3, but a PNG shows one map; expected a batch "
         "of 1, or one of application/json,",
         3, 406},
        {"/ppm/map?shape=1,3,9,31", RAW_TYPE "image/webp\r\n",
         "Accept: found image/webp, expected one of application/json,", 1, 406},
        {"/ppm/soft?shape=1,3,9,31", RAW_TYPE "image/webp\r\n",
         "Accept: found image/webp, expected one of application/json,", 1, 406},
        {"/ppm/map?shape=1,3,9,31", "Content-Type: image/png\r\n", "found an image, but model", 1,
         422},
        {"/ppm/map?shape=1,3,9,31&out_dtype=float16", RAW_TYPE PNG, "answers int32", 1, 422},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct live_answer answer = post(cases[i].target, cases[i].headers, cases[i].maps);
        live_check_problem(&answer, cases[i].status, cases[i].text, cases[i].target);
        live_answer_free(&answer);
    }
}

/* A JSON body is known to be a batch once its numbers are read. */
Test(live_png, of_json)
{
    char body[4096];
    size_t at = (size_t)snprintf(body, sizeof body, "{\"shape\": [2, 3, 9, 3], \"data\": [0");
    for (size_t i = 1; i < 2 * 3 * 9 * 3; i++)
        at += (size_t)snprintf(body + at, sizeof body - at, ", %zu", i % 7);
    at += (size_t)snprintf(body + at, sizeof body - at, "]}");
    struct live_answer answer =
        live_ask(&live, "POST", "/ppm", "Content-Type: application/json\r\nAccept: " PNG, body, at);
    live_check_problem(&answer, 406, "for a batch of 2", "JSON of two maps");
    live_answer_free(&answer);

    memcpy(strchr(body, '['), "[1, 3, 9, 6]", 12); /* the same number of values */
    answer =
        live_ask(&live, "POST", "/ppm", "Content-Type: application/json\r\nAccept: " PNG, body, at);
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    struct png_map map = png_map_read(answer.body, answer.body_bytes);
    cr_assert(map.h == 27 && map.w == 18);
    png_map_free(&map);
    live_answer_free(&answer);
}

/* The memory for writing a PNG counts too: 320 KiB, far more than the rest. */
Test(live_png, takes_memory_from_the_budget)
{
    struct live small;
    live_start(&small,
               LIST("--model", write_model("map.json", MODEL("map", "2", "'as': 'argmax'")),
                    "--memory-max-bytes", "200000"),
               NULL);
    struct live_answer answer = live_ask(&small, "POST", "/ppm?shape=1,3,9,31", RAW_TYPE NPY_TYPE,
                                         x, 3 * H * W * sizeof *x);
    cr_assert(answer.status == 200, "%d %s", answer.status, answer.body);
    live_answer_free(&answer);
    answer =
        live_ask(&small, "POST", "/ppm?shape=1,3,9,31", RAW_TYPE PNG, x, 3 * H * W * sizeof *x);
    live_check_problem(&answer, 413, "memory_max_bytes", "a PNG");
    live_answer_free(&answer);
    live_stop(&small);
}

/* ---- run ---- */

static void check_run(const char *model, const char *output_name, int status, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%s", directory, output_name);
    struct live_output output =
        live_run(LIST("run", "--model", model, "--input", "tests/golden/output-argmax-batch/x.npy",
                      "--output", path),
                 NULL);
    cr_assert(output.status == status, "%s: %d %s", output_name, output.status, output.err);
    cr_assert(strstr(output.err, text) != NULL, "%s: %s", output_name, output.err);
    live_output_free(&output);
}

Test(live_png, run_writes_one_where_the_name_says_so)
{
    char path[64];
    size_t bytes, png_bytes;
    snprintf(path, sizeof path, "%s/y.PNG", directory);
    struct live_output output = live_run(LIST("run", "--model", GOLDEN("output-argmax"), "--input",
                                              "tests/golden/output-argmax/x.npy", "--output", path),
                                         NULL);
    cr_assert(output.status == 0 && strstr(output.err, "y.PNG: ["), "%s", output.err);
    live_output_free(&output);
    char *file = live_read_file(path, &png_bytes);
    char *y_file = live_read_file("tests/golden/output-argmax/y.npy", &bytes);
    struct live_tensor y = live_read_npy(y_file, bytes);
    struct png_map map = png_map_read(file, png_bytes);
    cr_assert(map.h * map.w == y.count && map.palette_count == 4);
    for (size_t i = 0; i < y.count; i++)
        cr_assert(map.labels[i] == ((const int32_t *)(const void *)y.values)[i], "pixel %zu", i);
    png_map_free(&map);
    live_tensor_free(&y);
    free(file);

    check_run(GOLDEN("output-argmax-batch"), "batch.png", 1,
              "a PNG shows one map, found a batch of");
    check_run(GOLDEN("output-softmax"), "soft.png", 1,
              "model \"output-softmax\" answers float32 in 4 channels, which a PNG");
    check_run(write_model("many.json", MODEL("many", "257", "'as': 'argmax'")), "many.png", 1,
              "model \"many\" has 257 classes, and a PNG at most 256 colors; expected .npy");
    check_run(GOLDEN("output-argmax-batch"), "png", 0, "");
    snprintf(path, sizeof path, "%s/png", directory);
    file = live_read_file(path, &bytes);
    cr_assert(memcmp(file, "\x93NUMPY", 6) == 0);
    free(file);
}
