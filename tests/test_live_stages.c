/* test_live_stages.c - POST /ppm?stages=1: the answer equals a run in this process. */
#include "core/model/safetensors.h"
#include "tests/live_support.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_TYPE "Content-Type: application/octet-stream\r\n"
#define MODEL                                                                                      \
    "{'name': 'map', 'input': {'channels': 3}, 'bins': [1, 2], 'branch': [{'conv': {'channels': "  \
    "2}}, 'relu'], 'head': [{'conv': {'channels': 4}}], 'output': {'scale': 2, 'as': 'argmax'}, "  \
    "'weights': {'random': 3}}"

enum { H = 5, W = 7, COUNT_X = 3 * H * W };

static struct live live;
static float x[COUNT_X];

static void start(void)
{
    support_open_folder();
    support_random(x, COUNT_X, 1);
    live_start(
        &live,
        LIST("--model", support_write_json("map.json", MODEL), "--memory-max-bytes", "1000000"),
        NULL);
}

static void stop(void)
{
    live_stop(&live);
    support_close_folder();
}

TestSuite(live_stages, .init = start, .fini = stop, .timeout = 300);

static struct live_answer post(const char *target, const char *headers)
{
    char all[256];
    snprintf(all, sizeof all, RAW_TYPE "%s", headers);
    return live_ask(&live, "POST", target, all, x, sizeof x);
}

/* Runs the model in this process; y comes first. */
static void compute(enum ppm_layout layout, bool is_batch, struct ppm_stages *ret,
                    void **ret_memory)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(MODEL);
    struct ppm_tensor tensor = {.shape = {1, 3, H, W},
                                .layout = layout,
                                .is_batch = is_batch,
                                .data = x},
                      y = {0};
    cr_assert_eq(ppm_model_stages(model, SIZES_OF(tensor.shape), tensor.layout, tensor.is_batch,
                                  ret, &error),
                 PPM_OK, "%s", error.text);
    *ret_memory = malloc(ret->bytes);
    cr_assert(*ret_memory);
    ppm_stages_place(ret, *ret_memory);
    const struct ppm_run_options options = {.threads = 1, .stages = ret};
    cr_assert_eq(ppm_run(model, &tensor, &options, &y, &error), PPM_OK, "%s", error.text);
    memmove(ret->list + 1, ret->list, ret->count++ * sizeof *ret->list);
    ret->list[0] = (struct ppm_stage){.name = "y", .tensor = y};
    ppm_model_free(model);
}

static void forget(struct ppm_stages *stages, void *memory)
{
    ppm_tensor_free(&stages->list[0].tensor);
    free(memory);
}

/* Reads the file with this project's reader, which allows neither gaps nor overlaps. */
static void check_file(const struct live_answer *answer, const struct ppm_stages *expected)
{
    struct ppm_error error = {0};
    const char *path = support_write("answer.safetensors", answer->body, answer->body_bytes);
    struct safetensors *file = safetensors_open(path, NULL, &error);
    cr_assert(file, "%s", error.text);
    uint64_t header_bytes = 0;
    memcpy(&header_bytes, answer->body, sizeof header_bytes);
    cr_expect_eq(header_bytes % 8, 0);
    for (size_t i = 0; i < expected->count; i++) {
        const struct ppm_tensor *tensor = &expected->list[i].tensor;
        const struct safetensors_entry *entry = safetensors_entry(file, i);
        size_t axes[4];
        const size_t rank = ppm_tensor_axes(tensor, axes);
        const size_t bytes = support_elements(tensor) * sizeof(float);
        cr_assert(entry, "%s is missing", expected->list[i].name);
        cr_expect_str_eq(entry->name, expected->list[i].name);
        cr_expect_str_eq(entry->dtype, tensor->dtype == PPM_INT32 ? "I32" : "F32");
        cr_assert(entry->rank == rank && memcmp(entry->shape, axes, rank * sizeof *axes) == 0 &&
                      entry->end - entry->begin == bytes,
                  "%s", entry->name);
        cr_expect(memcmp(answer->body + 8 + header_bytes + entry->begin, tensor->data, bytes) == 0,
                  "%s has other values", entry->name);
    }
    cr_expect_null(safetensors_entry(file, expected->count));
    safetensors_close(file);
}

Test(live_stages, come_as_a_safetensors_file)
{
    static const struct {
        const char *target;
        enum ppm_layout layout;
        bool is_batch;
    } cases[] = {{"/ppm?stages=1&shape=1,3,5,7", PPM_NCHW, true},
                 {"/ppm/map?stages=1&shape=3,5,7", PPM_NCHW, false},
                 {"/ppm/map?shape=1,5,7,3&layout=NHWC&stages=1", PPM_NHWC, true}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_stages expected;
        void *memory;
        compute(cases[i].layout, cases[i].is_batch, &expected, &memory);
        struct live_answer answer = post(cases[i].target, "");
        char type[LIVE_HEADER_BYTES];
        cr_assert_eq(answer.status, 200, "%s", answer.body);
        cr_expect_str_eq(live_header(&answer, "Content-Type", type), "application/octet-stream");
        check_file(&answer, &expected);
        live_answer_free(&answer);
        forget(&expected, memory);
    }
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
}

static void check_json(const json_t *root, const struct ppm_stages *expected)
{
    const json_t *stages = json_object_get(root, "stages");
    cr_assert_eq(json_array_size(stages), expected->count);
    for (size_t i = 0; i < expected->count; i++) {
        const json_t *stage = json_array_get(stages, i), *data = json_object_get(stage, "data");
        const struct ppm_tensor *tensor = &expected->list[i].tensor;
        cr_expect_str_eq(json_string_value(json_object_get(stage, "name")), expected->list[i].name);
        cr_expect_str_eq(json_string_value(json_object_get(stage, "dtype")),
                         ppm_dtype_name(tensor->dtype));
        cr_assert_eq(json_array_size(data), support_elements(tensor));
        for (size_t k = 0; k < json_array_size(data); k++) {
            const double value = json_number_value(json_array_get(data, k));
            const double own = tensor->dtype == PPM_INT32
                                   ? ((const int32_t *)tensor->data)[k]
                                   : (double)((const float *)tensor->data)[k];
            cr_assert_eq((float)value, (float)own, "%s[%zu]", expected->list[i].name, k);
        }
    }
}

Test(live_stages, come_as_json)
{
    struct ppm_stages expected;
    void *memory;
    compute(PPM_NCHW, true, &expected, &memory);
    struct live_answer answer = post("/ppm?stages=1&shape=1,3,5,7",
                                     "Accept: application/x-npy, application/json;q=0.1\r\n");
    cr_assert_eq(answer.status, 200, "%s", answer.body);
    json_t *root = json_loads(answer.body, 0, NULL);
    cr_assert(root, "%s", answer.body);
    cr_expect_str_eq(json_string_value(json_object_get(root, "model")), "map");
    cr_expect_str_eq(json_string_value(json_object_get(root, "layout")), "NCHW");
    cr_expect_gt(json_integer_value(json_object_get(json_object_get(root, "flops"), "literal")), 0);
    cr_expect(json_is_real(json_object_get(json_object_get(root, "times_ms"), "branches")));
    check_json(root, &expected);
    json_decref(root);
    live_answer_free(&answer);
    forget(&expected, memory);
    live_wait_metric(&live, "ppm_bytes_in_flight", 0);
}

Test(live_stages, are_not_there_unless_asked_for)
{
    struct live_answer plain = post("/ppm?shape=1,3,5,7", "");
    struct live_answer zero = post("/ppm?shape=1,3,5,7&stages=0", "");
    cr_expect(plain.body_bytes == 4 * 2 * H * 2 * W && zero.body_bytes == plain.body_bytes &&
              memcmp(plain.body, zero.body, zero.body_bytes) == 0);
    live_answer_free(&plain);
    live_answer_free(&zero);
}

/* Every name of a result is as long as names get; what they need must not touch the data. */
Test(live_stages, leave_room_for_long_names)
{
    char json[1024], start_of_names[128 + 8], name[128];
    memset(name, 'n', 127);
    name[127] = 0;
    snprintf(json, sizeof json,
             "{'name': 'long', 'input': {'channels': 3}, 'network': [{'pyramid': {'bins': [1, 2, "
             "3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], 'branch': [{'conv': {'channels': "
             "1, 'weights': 'w{i}'}}, 'relu']}, 'name': '%s'}, {'conv': {'channels': 2}}], "
             "'weights': {'random': 3}}",
             name);
    live_stop(&live);
    live_start(&live, LIST("--model", support_write_json("long.json", json)), NULL);
    struct live_answer plain = post("/ppm?shape=1,3,5,7", ""),
                       several = post("/ppm?shape=1,3,5,7&stages=1", "");
    cr_assert(plain.status == 200 && several.status == 200, "%s", several.body);
    struct ppm_error error = {0};
    const char *path = support_write("answer.safetensors", several.body, several.body_bytes);
    struct safetensors *file = safetensors_open(path, NULL, &error);
    cr_assert(file, "%s", error.text);
    uint64_t header_bytes = 0;
    memcpy(&header_bytes, several.body, sizeof header_bytes);
    cr_expect_str_eq(safetensors_entry(file, 0)->name, "y");
    cr_expect(memcmp(several.body + 8 + header_bytes, plain.body, plain.body_bytes) == 0);
    snprintf(start_of_names, sizeof start_of_names, "%s.branch", name);
    size_t count = 0;
    for (size_t i = 1; safetensors_entry(file, i); i++)
        count += strncmp(safetensors_entry(file, i)->name, start_of_names, 127 + 7) == 0;
    cr_expect_geq(count, 3 * 16);
    safetensors_close(file);
    live_answer_free(&plain);
    live_answer_free(&several);
}

static void check_refusal(const char *target, const char *headers, int status, const char *detail)
{
    struct live_answer answer = post(target, headers);
    live_check_problem(&answer, status, detail, target);
    live_answer_free(&answer);
}

Test(live_stages, are_refused_in_a_sentence)
{
    check_refusal("/ppm?shape=1,3,5,7&stages=yes", "", 400, "stages: found");
    check_refusal("/ppm?shape=1,3,5,7&stages=1&out_dtype=float16", "", 400, "out_dtype");
    check_refusal("/ppm?shape=1,3,5,7&stages=1", "Accept: image/png\r\n", 406, "safetensors");
    check_refusal("/ppm?shape=1,3,5,7&stages=1", "Accept: application/x-npy\r\n", 406, "stages=1");
    /* enough memory for y alone, not for all stages */
    check_refusal("/ppm?shape=1,3,120,160&stages=1", "", 413, "memory_max_bytes");
    check_refusal("/ppm?shape=1,3,120,160", "", 400, "the body has");
}
