/* live_tensors.c - tensors of live_support.h: golden files, requests, answers. */
#include "tests/live_support.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live_tensor live_read_npy(char *file, size_t file_bytes)
{
    struct live_tensor tensor = {.file = file, .file_bytes = file_bytes};
    cr_assert(file_bytes > 10 && memcmp(file, "\x93NUMPY\x01", 7) == 0);
    const size_t head = 10 + (size_t)(unsigned char)file[8] + 256 * (size_t)(unsigned char)file[9];
    cr_assert(head < file_bytes && head % 16 == 0);
    const char *shape = strstr(file + 10, "'shape': (");
    cr_assert(shape && strstr(file + 10, "'fortran_order': False"));
    char *to = tensor.shape;
    for (shape += 10; *shape != ')' && to < tensor.shape + sizeof tensor.shape - 1; shape++)
        if (*shape != ' ')
            *to++ = *shape;
    tensor.values = (const float *)(const void *)(file + head);
    tensor.count = (file_bytes - head) / sizeof(float);
    return tensor;
}

struct live_tensor live_golden(const char *name, const char *file)
{
    char path[256];
    size_t bytes;
    snprintf(path, sizeof path, "tests/golden/%s/%s", name, file);
    char *text = live_read_file(path, &bytes);
    return live_read_npy(text, bytes);
}

void live_tensor_free(struct live_tensor *tensor)
{
    free(tensor->file);
}

void live_check_values(const float *values, size_t count, const struct live_tensor *expected,
                       const char *what)
{
    cr_assert(count == expected->count, "%s: %zu values, expected %zu", what, count,
              expected->count);
    for (size_t i = 0; i < count; i++) {
        const double y = expected->values[i], apart = values[i] - y;
        const double allowed = 1e-5 + 1e-4 * (y < 0 ? -y : y);
        cr_assert(apart <= allowed && -apart <= allowed, "%s: value %zu is %.9g, expected %.9g",
                  what, i, (double)values[i], y);
    }
}

/* ---- requests and answers ---- */

const char *const live_types[] = {"application/json", "application/x-npy",
                                  "application/octet-stream"};

struct live_body live_make_body(enum live_form form, const struct live_tensor *x, const char *shape,
                                const char *members)
{
    struct live_body body = {0};
    FILE *file = open_memstream(&body.bytes, &body.count);
    if (form == NPY)
        fwrite(x->file, 1, x->file_bytes, file);
    if (form == RAW)
        fwrite(x->values, sizeof(float), x->count, file);
    if (form == JSON) {
        fprintf(file, "{%s\"shape\": [%s], \"data\": [", members, shape);
        for (size_t i = 0; i < x->count; i++)
            fprintf(file, "%s%.9g", i ? ", " : "", (double)x->values[i]);
        fputs("]}", file);
    }
    fclose(file);
    return body;
}

static void read_json(const struct live_answer *answer, struct live_result *ret)
{
    const char *dtype, *layout, *model;
    size_t i;
    json_t *shape, *data, *item, *root = json_loads(answer->body, 0, NULL);
    cr_assert(json_unpack(root, "{s:s, s:s, s:s, s:o, s:o !}", "model", &model, "dtype", &dtype,
                          "layout", &layout, "shape", &shape, "data", &data) == 0,
              "%s", answer->body);
    strcpy(ret->dtype, dtype);
    strcpy(ret->layout, layout);
    for (i = 0; i < json_array_size(shape); i++)
        sprintf(ret->shape + strlen(ret->shape), "%s%" JSON_INTEGER_FORMAT, i ? "," : "",
                json_integer_value(json_array_get(shape, i)));
    ret->count = json_array_size(data);
    ret->values = malloc(ret->count * sizeof(float));
    json_array_foreach(data, i, item)
    {
        const int32_t integer = (int32_t)json_integer_value(item);
        ret->values[i] = json_is_null(item) ? (float)NAN : (float)json_number_value(item);
        if (strcmp(dtype, "int32") == 0)
            memcpy(&ret->values[i], &integer, sizeof integer);
    }
    json_decref(root);
}

struct live_result live_read_answer(const struct live_answer *answer, const char *what)
{
    char type[LIVE_HEADER_BYTES];
    struct live_result result = {.form = FORM_COUNT};
    cr_assert(answer->status == 200, "%s: %d %s", what, answer->status, answer->body);
    live_header(answer, "Content-Type", type);
    for (int form = 0; form < FORM_COUNT; form++)
        if (strcmp(type, live_types[form]) == 0)
            result.form = (enum live_form)form;
    cr_assert(result.form != FORM_COUNT, "%s: Content-Type: %s", what, type);
    if (result.form == JSON) {
        read_json(answer, &result);
        return result;
    }
    live_header(answer, "X-Tensor-Shape", result.shape);
    live_header(answer, "X-Tensor-Dtype", result.dtype);
    live_header(answer, "X-Tensor-Layout", result.layout);
    result.values = malloc(answer->body_bytes);
    result.count = answer->body_bytes / sizeof(float);
    memcpy(result.values, answer->body, answer->body_bytes);
    if (result.form == NPY) {
        char *copy = malloc(answer->body_bytes + 1);
        memcpy(copy, answer->body, answer->body_bytes + 1);
        struct live_tensor y = live_read_npy(copy, answer->body_bytes);
        cr_assert_str_eq(y.shape, result.shape, "%s", what);
        cr_assert(strstr(copy + 10, strcmp(result.dtype, "int32") ? "'<f4'" : "'<i4'"), "%s", what);
        memcpy(result.values, y.values, y.count * sizeof(float));
        result.count = y.count;
        live_tensor_free(&y);
    }
    return result;
}

struct live_result live_post(const struct live *live, const char *target, enum live_form form,
                             const char *headers, const struct live_tensor *x, const char *members,
                             const char *what)
{
    char all[512];
    struct live_body body = live_make_body(form, x, x->shape, members);
    snprintf(all, sizeof all, "Content-Type: %s\r\n%s", live_types[form], headers);
    struct live_answer answer = live_ask(live, "POST", target, all, body.bytes, body.count);
    struct live_result result = live_read_answer(&answer, what);
    live_answer_free(&answer);
    free(body.bytes);
    return result;
}

void live_check_result(const struct live_result *result, const struct live_tensor *y,
                       const char *layout, const char *what)
{
    cr_assert_str_eq(result->shape, y->shape, "%s: shape %s", what, result->shape);
    cr_assert_str_eq(result->dtype, "float32", "%s", what);
    cr_assert_str_eq(result->layout, layout, "%s", what);
    live_check_values(result->values, result->count, y, what);
}
