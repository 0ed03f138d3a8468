/* fuzz_json.c - tensors as JSON: accepted, refused and read as in jansson's tree of the body. */
#include "server/codec/json/json.h"
#include "server/codec/json/json_array.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1 << 14 }; /* far below the limit around the data */

/* ---- which trees are tensors ---- */

static bool is_value(const json_t *value)
{
    return json_is_null(value) || json_is_integer(value) ||
           (json_is_real(value) && fabs(json_real_value(value)) < 0x1.ffffffp127);
}

/* Whether value is a regular array of that depth; sets extents that are 0. */
static bool is_regular(const json_t *value, size_t depth, size_t *extents)
{
    const size_t count = json_array_size(value);
    if (depth == 0)
        return is_value(value);
    if (count == 0 || (*extents && *extents != count))
        return false;
    *extents = count;
    for (size_t i = 0; i < count; i++)
        if (!is_regular(json_array_get(value, i), depth - 1, extents + 1))
            return false;
    return true;
}

static size_t depth_of(const json_t *value)
{
    size_t depth = 0;
    for (; json_is_array(value); value = json_array_get(value, 0))
        depth++;
    return depth;
}

static bool is_one_of(const json_t *value, const char *one, const char *other)
{
    const char *text = json_string_value(value);
    return !value || (text && (strcmp(text, one) == 0 || strcmp(text, other) == 0));
}

static bool has_other_members(const json_t *root)
{
    static const char *const known[] = {"shape", "data", "layout", "dtype", "model"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        count += json_object_get(root, known[i]) != NULL;
    return json_object_size(root) != count;
}

/* Whether the data fits shape: flat, or nested like it. */
static bool fits(const json_t *shape, size_t depth, const size_t *extents)
{
    const size_t axis_count = json_array_size(shape);
    size_t bytes = 4;
    bool is_nested = depth == axis_count;
    if (axis_count < 3 || axis_count > 4)
        return false;
    for (size_t i = 0; i < axis_count; i++) {
        const json_int_t extent = json_integer_value(json_array_get(shape, i));
        if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes))
            return false;
        is_nested = is_nested && (size_t)extent == extents[i];
    }
    return is_nested || (depth == 1 && 4 * extents[0] == bytes);
}

static bool is_tensor(const json_t *root)
{
    const json_t *data = json_object_get(root, "data"), *shape = json_object_get(root, "shape"),
                 *model = json_object_get(root, "model");
    const size_t depth = depth_of(data);
    size_t extents[CODEC_JSON_DEPTH_MAX] = {0};
    return depth >= 1 && depth <= CODEC_JSON_DEPTH_MAX && is_regular(data, depth, extents) &&
           (shape ? fits(shape, depth, extents) : depth >= 3) && !has_other_members(root) &&
           is_one_of(json_object_get(root, "layout"), "NCHW", "NHWC") &&
           is_one_of(json_object_get(root, "dtype"), "float32", "int32") &&
           (!model || json_is_string(model));
}

/* ---- which values they hold ---- */

/* jansson has rounded once, to double; the value must be the nearest float to that. */
static void check_values(const json_t *value, const float **at)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            check_values(json_array_get(value, i), at);
        return;
    }
    const double found = (double)*(*at)++, wide = json_number_value(value);
    if (json_is_null(value))
        FUZZ_CHECK(isnan(found), "found %g, expected no number", found);
    else
        FUZZ_CHECK(fabs(found - wide) <= fabs((double)(float)wide - wide),
                   "found %.9g, expected %.17g", found, wide);
}

static void check_round_trip(struct ppm_tensor *tensor, const struct codec_expectation *expectation)
{
    const struct codec_answer answer = {.tensor = tensor, .model = "m", .threads = 1};
    struct codec_bytes bytes = {0};
    struct ppm_tensor back = {0};
    struct ppm_error error = {0};
    size_t data_bytes = 0;
    FUZZ_CHECK(codec_encode(&codec_json, &answer, &bytes, &error) == PPM_OK &&
                   codec_json.decode(bytes.data, bytes.size, expectation, &back, &error) ==
                       PPM_OK &&
                   ppm_shape_bytes(tensor->shape, &data_bytes, &error) == PPM_OK,
               "%s", error.text);
    FUZZ_CHECK(back.layout == tensor->layout && back.is_batch == tensor->is_batch &&
                   memcmp(&back.shape, &tensor->shape, sizeof back.shape) == 0 &&
                   memcmp(back.data, tensor->data, data_bytes) == 0,
               "another tensor");
    ppm_tensor_free(&back);
    free(bytes.data);
}

/* ---- the same in pieces ---- */

static bool grant(void *context, size_t bytes)
{
    return bytes <= *(const size_t *)context;
}

static uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525 + 1013904223;
}

/* Reads body in pieces at different addresses, as the seed decides. */
static void check_pieces(const char *body, size_t size, const struct codec_expectation *expectation,
                         const struct ppm_tensor *whole, const struct ppm_error *whole_error)
{
    uint32_t state = (uint32_t)size;
    for (size_t i = 0; i < size; i++)
        state = 31 * state + (uint8_t)body[i];
    size_t granted = next_random(&state) >> 28 ? SIZE_MAX : 0, data_bytes = 0;
    const struct codec_reader_options options = {
        .body_bytes_max = size + (next_random(&state) >> 30 ? 0 : 1 << 20),
        .reserve = grant,
        .context = &granted};
    const uint32_t piece_max = 1 + (next_random(&state) >> 16) % (size + 1);
    struct codec_reader *reader = codec_json_create(&options);
    struct codec_members members;
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0}, ignored = {0};
    FUZZ_CHECK(reader, "out of memory");
    for (size_t fed = 0; fed < size;) {
        fed += 1 + (next_random(&state) >> 8) % piece_max;
        if (fed > size)
            fed = size;
        char *copy = malloc(fed);
        FUZZ_CHECK(copy, "out of memory");
        memcpy(copy, body, fed);
        codec_json_feed(reader, copy, fed);
        free(copy);
        FUZZ_CHECK(codec_json_left(reader, fed) <= fed, "read more than there is");
    }
    granted = SIZE_MAX;
    if (codec_json_members(reader, body, size, &members, &error) == PPM_OK &&
        codec_json_finish(reader, body, &members, expectation, &tensor, &error) == PPM_OK)
        FUZZ_CHECK(whole->data && memcmp(&tensor.shape, &whole->shape, sizeof tensor.shape) == 0 &&
                       tensor.layout == whole->layout && tensor.is_batch == whole->is_batch &&
                       ppm_shape_bytes(tensor.shape, &data_bytes, &ignored) == PPM_OK &&
                       memcmp(tensor.data, whole->data, data_bytes) == 0,
                   "another tensor in pieces");
    FUZZ_CHECK(strcmp(error.text, whole_error->text) == 0, "whole \"%s\", in pieces \"%s\"",
               whole_error->text, error.text);
    ppm_tensor_free(&tensor);
    codec_json_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct codec_expectation expectation = {.layout = PPM_NCHW, .model = "m"};
    const char *body = (const char *)data;
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    if (size > BODY_BYTES_MAX)
        return 0;
    const bool is_taken = codec_json.decode(body, size, &expectation, &tensor, &error) == PPM_OK;
    expectation.channels = tensor.shape.c;
    check_pieces(body, size, &expectation, &tensor, &error);
    json_t *exact = json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL);
    json_t *real = json_loadb(body, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    /* jansson skips some zero bytes and reads escaped keys; the server does neither. */
    const bool is_plain = !memchr(body, '\0', size) && !memchr(body, '\\', size);
    if (is_taken) {
        const float *at = tensor.data;
        FUZZ_CHECK(real, "took what is no JSON");
        check_values(json_object_get(real, "data"), &at);
        check_round_trip(&tensor, &expectation);
    } else {
        fuzz_check_error(&error);
    }
    if (exact && is_plain)
        FUZZ_CHECK(is_taken == is_tensor(exact), "%s", is_taken ? "took no tensor" : error.text);
    json_decref(exact);
    json_decref(real);
    ppm_tensor_free(&tensor);
    return 0;
}
