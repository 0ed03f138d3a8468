/* fuzz_v1.c - requests of TensorFlow Serving's protocol: the pieces do not matter, what is accepted
 * is what jansson reads, base64 is what a table says, and an answer has the tensor's numbers. */
#include "server/codec/json/base64.h"
#include "server/codec/json/json_reader.h"
#include "server/codec/v1/v1.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1 << 14 };

/* What a body holds. */
struct found {
    struct codec_json_text text;
    struct ppm_tensor x;
    struct ppm_error error;
};

/* Reads a body, fed in pieces of the given size; 0: at once. */
static struct found read_body(const char *body, size_t bytes, size_t piece)
{
    const struct codec_reader_options options = {
        .key = V1_INSTANCES, .takes_text = true, .body_bytes_max = bytes};
    struct codec_reader *reader = codec_json_create(&options);
    struct found found = {.text = {0}};
    json_t *around = NULL;
    for (size_t at = piece; piece > 0 && at <= bytes; at += piece)
        codec_json_feed(reader, body, at);
    if (codec_json_around(reader, body, bytes, &around, &found.error) == PPM_OK)
        v1_check_members(around, codec_json_data_count(reader), &found.error);
    if (found.error.status == PPM_OK)
        found.text = codec_json_text(reader, 0);
    if (found.error.status == PPM_OK && found.text.bytes == 0)
        codec_json_tensor(reader, 0, body, NULL, 0, PPM_NCHW, &found.x, &found.error);
    json_decref(around);
    codec_json_free(reader);
    return found;
}

static size_t count_of(const struct ppm_tensor *x)
{
    return x->shape.n * x->shape.c * x->shape.h * x->shape.w;
}

static void check_same(const struct found *whole, const struct found *pieces)
{
    FUZZ_CHECK(whole->error.status == pieces->error.status &&
                   strcmp(whole->error.text, pieces->error.text) == 0,
               "\"%s\", in pieces \"%s\"", whole->error.text, pieces->error.text);
    FUZZ_CHECK(whole->text.start == pieces->text.start && whole->text.bytes == pieces->text.bytes,
               "in pieces it has another text");
    FUZZ_CHECK(memcmp(&whole->x.shape, &pieces->x.shape, sizeof whole->x.shape) == 0 &&
                   (count_of(&whole->x) == 0 ||
                    memcmp(whole->x.data, pieces->x.data, 4 * count_of(&whole->x)) == 0),
               "in pieces it has other numbers");
}

/* ---- text ---- */

/* By the table of RFC 4648; line breaks and spaces are passed over. False: it is no base64. */
static bool decode_simply(const char *text, unsigned char *ret_bytes, size_t *ret_count)
{
    static const char table[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, bit_count = 0, characters = 0, ends = 0;
    *ret_count = 0;
    for (; *text; text++) {
        const char *place = strchr(table, *text);
        if (strchr(" \t\n\v\f\r", *text))
            continue;
        characters++;
        if (*text == '=') {
            ends++;
            continue;
        }
        if (!place || ends > 0)
            return false;
        bits = bits << 6 | (unsigned)(place - table);
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            ret_bytes[(*ret_count)++] = (unsigned char)(bits >> bit_count);
            bits &= (1U << bit_count) - 1;
        }
    }
    return characters % 4 == 0 && ends <= 2 && bit_count == 2 * ends && bits == 0;
}

/* The string that jansson finds where the text is; NULL: jansson refuses the body. */
static char *string_of(const char *body, size_t bytes)
{
    json_t *root = json_loadb(body, bytes, 0, NULL);
    const json_t *item = json_array_get(json_object_get(root, V1_INSTANCES), 0);
    while (json_is_object(item))
        item = json_object_iter_value(json_object_iter((json_t *)item));
    FUZZ_CHECK(!root || json_is_string(item), "%.*s has no text", (int)bytes, body);
    char *string = root ? strdup(json_string_value(item)) : NULL;
    json_decref(root);
    return string;
}

static void check_text(const char *body, size_t bytes, struct codec_json_text text)
{
    struct ppm_error error = {0};
    size_t count = 0, expected_count = 0;
    char *file = malloc(codec_base64_bytes_max(text.bytes)), *string = string_of(body, bytes);
    unsigned char *expected = malloc(text.bytes + 1);
    const bool is_base64 = codec_base64_decode("x", body + text.start, text.bytes, NULL, file,
                                               &count, &error) == PPM_OK;
    if (string && is_base64) {
        FUZZ_CHECK(decode_simply(string, expected, &expected_count), "%s is no base64", string);
        FUZZ_CHECK(count == expected_count && memcmp(file, expected, count) == 0,
                   "%s has other bytes", string);
    } else if (string && !memchr(body + text.start, '\\', text.bytes)) {
        FUZZ_CHECK(is_base64 || !decode_simply(string, expected, &expected_count), "%s: %s", string,
                   error.text);
    }
    if (!is_base64)
        fuzz_check_error(&error);
    free(expected);
    free(string);
    free(file);
}

/* ---- numbers ---- */

/* Fails unless list holds the values, nested as extents; returns the end of them. */
static const float *check_list(const json_t *list, const size_t *extents, size_t depth,
                               const float *values)
{
    FUZZ_CHECK(json_array_size(list) == extents[0], "%zu items, expected %zu",
               json_array_size(list), extents[0]);
    for (size_t i = 0; i < extents[0]; i++) {
        const json_t *item = json_array_get(list, i);
        if (depth > 1) {
            values = check_list(item, extents + 1, depth - 1, values);
            continue;
        }
        FUZZ_CHECK(isnan(*values) ? json_is_null(item) : (float)json_number_value(item) == *values,
                   "another number than %.9g", (double)*values);
        values++;
    }
    return values;
}

/* Of a tensor that answers itself. */
static void check_answer(const struct ppm_tensor *x)
{
    const size_t extents[] = {x->shape.n, x->shape.c, x->shape.h, x->shape.w};
    char *memory = malloc(codec_encoded_bytes_max(&codec_v1, count_of(x)));
    const struct codec_answer answer = {.tensor = x, .threads = 1};
    struct ppm_error error = {0};
    size_t bytes = 0;
    FUZZ_CHECK(codec_v1.encode(&answer, memory, &bytes, &error) == PPM_OK, "%s", error.text);
    json_t *root = json_loadb(memory, bytes, 0, NULL);
    FUZZ_CHECK(root != NULL, "%.*s", (int)bytes, memory);
    check_list(json_object_get(root, "predictions"), extents, 4, x->data);
    json_decref(root);
    free(memory);
}

static void check_numbers(const char *body, size_t bytes, const struct ppm_tensor *x)
{
    const size_t extents[] = {x->shape.n, x->shape.c, x->shape.h, x->shape.w};
    json_t *root = json_loadb(body, bytes, JSON_DECODE_INT_AS_REAL, NULL);
    if (root && x->is_batch)
        check_list(json_object_get(root, V1_INSTANCES), extents, 4, x->data);
    json_decref(root);
    check_answer(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > BODY_BYTES_MAX)
        return 0;
    const char *body = (const char *)data + 1;
    struct found whole = read_body(body, size - 1, 0),
                 pieces = read_body(body, size - 1, 1 + data[0] % 16);
    check_same(&whole, &pieces);
    if (whole.error.status != PPM_OK)
        fuzz_check_error(&whole.error);
    else if (whole.text.bytes > 0)
        check_text(body, size - 1, whole.text);
    else
        check_numbers(body, size - 1, &whole.x);
    ppm_tensor_free(&whole.x);
    ppm_tensor_free(&pieces.x);
    return 0;
}
