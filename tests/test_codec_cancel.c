/* test_codec_cancel.c - reading and writing stop when nobody waits for them any more. */
#include "server/codec/json/json.h"
#include "server/codec/npy/npy.h"
#include "server/codec/png/png.h"
#include "server/codec/raw/raw.h"
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 200000, LOOKS_MIN = 8 };

/* ---- looks: the one at which it is said, and how many there were ---- */

static atomic_size_t looks;
static size_t cancelled_at;

static bool is_cancelled(void *context)
{
    (void)context;
    return atomic_fetch_add(&looks, 1) + 1 >= cancelled_at;
}

static const struct codec_cancel cancel = {.is_cancelled = is_cancelled};

/* Does it, and frees what came of it. */
typedef enum ppm_status work_function(struct ppm_error *error);

static void check_cancellation(const char *what, work_function *work)
{
    struct ppm_error error = {0};
    cancelled_at = SIZE_MAX;
    atomic_store(&looks, 0);
    cr_assert(work(&error) == PPM_OK, "%s: %s", what, error.text);
    const size_t all = atomic_load(&looks);
    cr_assert(all >= LOOKS_MIN, "%s: %zu looks, expected at least %d", what, all, LOOKS_MIN);
    for (cancelled_at = 1; cancelled_at <= all; cancelled_at++) {
        error = (struct ppm_error){0};
        atomic_store(&looks, 0);
        cr_assert(work(&error) == PPM_CANCELLED, "%s, look %zu of %zu: status %d", what,
                  cancelled_at, all, (int)error.status);
        cr_assert(atomic_load(&looks) < cancelled_at + 4, "%s: it went on", what); /* 3 threads */
    }
}

/* ---- reading ---- */

static enum ppm_status decode(const struct codec_form *form, const char *body, size_t body_bytes,
                              enum codec_dtype dtype, struct ppm_error *error)
{
    static const size_t axes[] = {1, 1, 2, COUNT / 2};
    const struct codec_expectation expectation = {.axes = axes,
                                                  .axis_count = 4,
                                                  .dtype = dtype,
                                                  .channels = 1,
                                                  .model = "m",
                                                  .cancel = &cancel};
    struct ppm_tensor tensor = {0};
    if (codec_decode(form, body, body_bytes, &expectation, &tensor, error) == PPM_OK)
        ppm_tensor_free(&tensor);
    return error->status;
}

static enum ppm_status decode_halves(struct ppm_error *error)
{
    static uint16_t halves[COUNT];
    return decode(&codec_raw, (const char *)halves, sizeof halves, CODEC_FLOAT16, error);
}

static enum ppm_status decode_fortran(struct ppm_error *error)
{
    static char body[128 + 8 * COUNT];
    const int bytes =
        snprintf(body, 128,
                 "\x93NUMPY\x01%c\x76%c{'descr': '<f8', 'fortran_order': True, 'shape': "
                 "(1, 1, 2, %d), }",
                 0, 0, COUNT / 2);
    memset(body + bytes, ' ', (size_t)(128 - bytes));
    return decode(&codec_npy, body, sizeof body, CODEC_FLOAT32, error);
}

/* Numbers that take long, many or one; those of a body are read at its end when it comes whole. */
static enum ppm_status read_json(const char *number, size_t count, struct ppm_error *error)
{
    static const size_t axes[] = {1, 1, 2, COUNT / 2};
    const size_t number_bytes = strlen(number);
    char *body = malloc(64 + (number_bytes + 1) * count);
    cr_assert(body != NULL);
    size_t at = (size_t)sprintf(body, "{\"data\": [");
    for (size_t i = 0; i < count; i++) {
        memcpy(body + at, number, number_bytes);
        at += number_bytes;
        body[at++] = i + 1 < count ? ',' : ']';
    }
    body[at++] = '}';
    const struct codec_reader_options options = {.body_bytes_max = at, .cancel = &cancel};
    struct codec_reader *reader = codec_json_create(&options);
    struct ppm_tensor tensor = {0};
    struct json_t *around;
    if (codec_json_around(reader, body, at, &around, error) == PPM_OK) {
        json_decref(around);
        if (codec_json_tensor(reader, 0, body, axes, 4, PPM_NCHW, &tensor, error) == PPM_OK)
            ppm_tensor_free(&tensor);
    }
    codec_json_free(reader);
    free(body);
    return error->status;
}

/* To its end, if only to refuse it there. */
static enum ppm_status read_text(const char *body, size_t bytes, struct ppm_error *error)
{
    const struct codec_reader_options options = {.body_bytes_max = bytes, .cancel = &cancel};
    struct codec_reader *reader = codec_json_create(&options);
    struct json_t *around;
    if (codec_json_around(reader, body, bytes, &around, error) == PPM_OK)
        json_decref(around);
    codec_json_free(reader);
    return error->status == PPM_CANCELLED ? PPM_CANCELLED : PPM_OK;
}

/* A body of spaces before or within its data. */
static enum ppm_status read_spaces(const char *before, const char *after, struct ppm_error *error)
{
    static char body[64 + 10 * (1 << 16)];
    const size_t before_bytes = strlen(before), after_bytes = strlen(after);
    memset(body, ' ', sizeof body);
    memcpy(body, before, before_bytes);
    memcpy(body + sizeof body - after_bytes, after, after_bytes);
    return read_text(body, sizeof body, error);
}

static enum ppm_status read_spaces_before(struct ppm_error *error)
{
    return read_spaces("", "{\"data\": [1]}", error);
}

static enum ppm_status read_spaces_around(struct ppm_error *error)
{
    return read_spaces("{", "\"data\": [1]}", error);
}

static enum ppm_status read_spaces_within(struct ppm_error *error)
{
    return read_spaces("{\"data\": [", "1]}", error);
}

static enum ppm_status read_short_numbers(struct ppm_error *error)
{
    return read_json("0.5", COUNT, error);
}

static enum ppm_status read_hard_numbers(struct ppm_error *error)
{
    return read_json("1.000000059604644775390625000000000000000001", COUNT, error);
}

Test(codec_cancel, spaces_that_are_read)
{
    check_cancellation("spaces before the body", read_spaces_before);
    check_cancellation("spaces before the data", read_spaces_around);
    check_cancellation("spaces within the data", read_spaces_within);
}

Test(codec_cancel, what_is_read)
{
    check_cancellation("JSON", read_short_numbers);
    check_cancellation("JSON, hard numbers", read_hard_numbers);
    check_cancellation(".npy", decode_fortran);
}

Test(codec_cancel, halves_that_are_read_have_larger_slices)
{
    struct ppm_error error = {0};
    cancelled_at = 1;
    cr_assert(decode_halves(&error) == PPM_CANCELLED);
}

/* ---- writing ---- */

static int threads = 1;

static enum ppm_status write_json(struct ppm_error *error)
{
    const struct ppm_shape shape = {1, 1, 2, COUNT / 2};
    struct ppm_tensor tensor = {.shape = shape};
    size_t bytes;
    char *memory = malloc(codec_encoded_bytes_max(&codec_json, COUNT));
    cr_assert(memory && ppm_tensor_allocate(&tensor, error) == PPM_OK);
    for (size_t i = 0; i < COUNT; i++)
        ((float *)tensor.data)[i] = (float)i * 0.1F;
    codec_json.encode(
        &(struct codec_answer){
            .tensor = &tensor, .model = "m", .threads = threads, .cancel = &cancel},
        memory, &bytes, error);
    ppm_tensor_free(&tensor);
    free(memory);
    return error->status;
}

static enum ppm_status write_several(struct ppm_error *error)
{
    static struct ppm_stages list;
    const struct codec_several several = {
        .list = &list, .model = "m", .threads = threads, .cancel = &cancel};
    struct ppm_stage stage = {.name = "y", .tensor.shape = {1, 1, 2, COUNT / 2}};
    struct codec_bytes bytes;
    char *memory = malloc(codec_several_bytes_max(&codec_json, 1, COUNT * sizeof(float)));
    stage.tensor.data = calloc(COUNT, sizeof(float));
    list = (struct ppm_stages){.count = 1, .list = {stage}};
    cr_assert(memory && stage.tensor.data);
    codec_json.encode_several(&several, memory, &bytes, error);
    free(stage.tensor.data);
    free(memory);
    return error->status;
}

static enum ppm_status write_png(struct ppm_error *error)
{
    static const uint8_t colors[1][3];
    static int32_t labels[COUNT];
    const struct codec_palette palette = {colors, 1};
    const struct ppm_tensor map = {
        .shape = {1, 1, 400, COUNT / 400}, .dtype = PPM_INT32, .data = labels};
    size_t bytes;
    char *memory = malloc(codec_encoded_bytes_max(&codec_png, COUNT));
    cr_assert(memory != NULL);
    codec_png.encode(&(struct codec_answer){.tensor = &map, .palette = palette, .cancel = &cancel},
                     memory, &bytes, error);
    free(memory);
    memset(labels, 0, sizeof labels);
    return error->status;
}

Test(codec_cancel, what_is_written)
{
    check_cancellation("JSON", write_json);
    check_cancellation("stages as JSON", write_several);
    check_cancellation("PNG", write_png);
}

Test(codec_cancel, what_several_threads_write)
{
    threads = 3;
    check_cancellation("JSON", write_json);
    check_cancellation("stages as JSON", write_several);
}
