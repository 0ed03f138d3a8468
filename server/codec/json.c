/*
 * json.c - tensors as JSON: {"shape": [1, 4, 30, 30], "data": [..]}.
 *
 * A tree of jansson's costs 10 to 75 times its text, so the data never becomes one: json_find.c
 * finds it in the body, jansson checks the text around it with null in its place, and json_array.c
 * reads the numbers where they stand.
 */
#include "server/codec/codec_internal.h"

#include "server/codec/numbers.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMBERS_BYTES_MAX = 64 * 1024, /* of a body without its data */
    NAME_BYTES_MAX = 768,          /* of a model's name as a JSON string */
};

/* What a body says beside its data. */
struct members {
    size_t axes[4];
    size_t axis_count; /* 0: no shape was given */
    bool has_layout;
    enum ppm_layout layout;
};

/* ---- the members beside it ------------------------------------------------------------------- */

/* The text of value, cut short, for a sentence. */
static const char *quote_value(const json_t *value, char ret_text[CODEC_QUOTED_BYTES])
{
    char *text = ppm_json_text(value, JSON_ENCODE_ANY);
    codec_quote(text ? text : "", text ? strlen(text) : 0, ret_text);
    free(text);
    return ret_text;
}

static enum ppm_status read_shape(const json_t *value, struct members *members,
                                  struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const size_t count = json_array_size(value);
    if (!json_is_array(value) || count < 3 || count > 4)
        return ppm_fail(error, PPM_MALFORMED,
                        "shape: found %s, expected an array of 3 or 4 positive integers",
                        quote_value(value, found));
    for (size_t i = 0; i < count; i++) {
        const json_t *extent = json_array_get(value, i);
        if (!json_is_integer(extent) || json_integer_value(extent) <= 0)
            return ppm_fail(error, PPM_MALFORMED,
                            "shape[%zu]: found %s, expected a positive integer", i,
                            quote_value(extent, found));
        members->axes[i] = (size_t)json_integer_value(extent);
    }
    members->axis_count = count;
    return PPM_OK;
}

static enum ppm_status read_member(const char *key, const json_t *value, struct members *members,
                                   struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *text = json_string_value(value);
    if (strcmp(key, "data") == 0)
        return PPM_OK;
    if (strcmp(key, "shape") == 0)
        return read_shape(value, members, error);
    if (strcmp(key, "layout") == 0) {
        members->has_layout = text && ppm_layout_from_name(text, &members->layout);
        if (members->has_layout)
            return PPM_OK;
        return ppm_fail(error, PPM_MALFORMED, "layout: found %s, expected \"NCHW\" or \"NHWC\"",
                        quote_value(value, found));
    }
    if (strcmp(key, "dtype") == 0) {
        if (text && (strcmp(text, "float32") == 0 || strcmp(text, "int32") == 0))
            return PPM_OK;
        return ppm_fail(error, PPM_MALFORMED, "dtype: found %s, expected \"float32\" or \"int32\"",
                        quote_value(value, found));
    }
    if (strcmp(key, "model") == 0) {
        if (text)
            return PPM_OK;
        return ppm_fail(error, PPM_MALFORMED, "model: found %s, expected a string",
                        quote_value(value, found));
    }
    return ppm_fail(error, PPM_MALFORMED,
                    "unknown member \"%s\", expected shape, data, layout, dtype or model",
                    codec_quote(key, strlen(key), found));
}

/* Why jansson refused the text; jansson's own words may repeat bytes of the body. */
static void explain(json_error_t *refusal, size_t at, struct ppm_error *error)
{
    const enum json_error_code code = json_error_code(refusal);
    for (char *byte = refusal->text; *byte; byte++) {
        if ((unsigned char)*byte < 0x20 || (unsigned char)*byte >= 0x7f)
            *byte = '?';
    }
    if (code == json_error_out_of_memory || code == json_error_unknown)
        ppm_fail(error, PPM_NO_MEMORY, "no memory for the JSON of the body");
    else
        ppm_fail(error, PPM_MALFORMED, "the body is not JSON, near byte %zu: %s", at,
                 refusal->text);
}

/* Parses text, which is the body with null in the place of its data. */
static json_t *parse(const char *text, size_t text_bytes, const struct codec_json_place *place,
                     struct ppm_error *error)
{
    json_error_t refusal = {.position = 0};
    json_t *root = NULL;
    /* jansson skips a NUL behind a word or a number. */
    const char *nul = memchr(text, '\0', text_bytes);
    if (!nul)
        root = ppm_json_load(text, text_bytes, &refusal);
    if (root)
        return root;
    size_t at = refusal.position > 0 ? (size_t)refusal.position : 0;
    if (nul)
        at = (size_t)(nul - text);
    if (place->is_found && at > place->start)
        at += place->end - place->start - 4;
    if (nul)
        ppm_fail(error, PPM_MALFORMED, "the body is not JSON: byte %zu is NUL, expected text", at);
    else
        explain(&refusal, at, error);
    return NULL;
}

/* Parses all of the body but its data. */
static json_t *parse_around(const char *body, size_t body_bytes,
                            const struct codec_json_place *place, struct ppm_error *error)
{
    const size_t data_bytes = place->end - place->start;
    const size_t tail_bytes = body_bytes - place->end;
    const size_t text_bytes = place->start + (place->is_found ? 4 : 0) + tail_bytes;
    if (text_bytes > MEMBERS_BYTES_MAX) {
        ppm_fail(error, PPM_MALFORMED,
                 "the body holds %zu bytes beside the data, expected at most %d",
                 body_bytes - data_bytes, MEMBERS_BYTES_MAX);
        return NULL;
    }
    char *text = malloc(text_bytes);
    if (!text) {
        ppm_fail(error, PPM_NO_MEMORY, "no memory for %zu bytes of JSON", text_bytes);
        return NULL;
    }
    memcpy(text, body, place->start);
    memcpy(text + place->start, "null", text_bytes - tail_bytes - place->start);
    memcpy(text + text_bytes - tail_bytes, body + place->end, tail_bytes);
    json_t *root = parse(text, text_bytes, place, error);
    free(text);
    return root;
}

static enum ppm_status read_members(const char *body, size_t body_bytes,
                                    const struct codec_json_place *place,
                                    struct members *ret_members, struct ppm_error *error)
{
    json_t *root = parse_around(body, body_bytes, place, error);
    if (!root)
        return error->status;
    enum ppm_status status = PPM_OK;
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (status == PPM_OK)
            status = read_member(key, value, ret_members, error);
    }
    if (status == PPM_OK && !place->is_found && json_object_get(root, "data"))
        status = ppm_fail(error, PPM_MALFORMED,
                          "the key of \"data\" is written with escapes, expected it plain");
    json_decref(root);
    if (status == PPM_OK && !place->is_found)
        status = ppm_fail(error, PPM_MALFORMED,
                          "the body has no \"data\", expected {\"shape\": [1, 4, 30, 30], "
                          "\"data\": [..]}");
    return status;
}

static enum ppm_status choose_layout(const struct members *members,
                                     const struct codec_expectation *expectation,
                                     enum ppm_layout *ret_layout, struct ppm_error *error)
{
    *ret_layout = members->has_layout ? members->layout : expectation->layout;
    if (expectation->layout_is_explicit && *ret_layout != expectation->layout)
        return ppm_fail(error, PPM_MALFORMED,
                        "layout: found \"%s\" in the body and %s in the query, expected them to "
                        "agree",
                        ppm_layout_name(*ret_layout), ppm_layout_name(expectation->layout));
    return PPM_OK;
}

/* ---- reading the data ------------------------------------------------------------------------ */

static size_t count_byte(const char *text, size_t text_bytes, char byte)
{
    size_t count = 0;
    for (size_t i = 0; i < text_bytes; i++)
        count += text[i] == byte;
    return count;
}

/* Checks the array that was read against the shape that was given. */
static enum ppm_status check_shape(const struct codec_json_array *array,
                                   const struct members *members, size_t count,
                                   struct ppm_error *error)
{
    char shape[CODEC_AXES_TEXT_BYTES], nesting[CODEC_AXES_TEXT_BYTES];
    codec_axes_text(members->axes, members->axis_count, shape);
    if (array->depth == 1 && array->count != count)
        return ppm_fail(error, PPM_MALFORMED, "data holds %zu number%s, expected %zu for shape %s",
                        array->count, array->count == 1 ? "" : "s", count, shape);
    if (array->depth > 1 &&
        (array->depth != members->axis_count ||
         memcmp(array->extents, members->axes, members->axis_count * sizeof members->axes[0]) != 0))
        return ppm_fail(error, PPM_MALFORMED, "data is nested as %s, expected %s as shape says",
                        codec_axes_text(array->extents, array->depth, nesting), shape);
    return PPM_OK;
}

/* Takes the shape of a tensor that gave none from the nesting of its data. */
static enum ppm_status take_shape(const struct codec_json_array *array, enum ppm_layout layout,
                                  struct ppm_tensor *tensor, struct ppm_error *error)
{
    if (array->depth == 1)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape is missing and the %zu numbers of data are flat, expected "
                        "\"shape\": [1, 4, 30, 30] beside them",
                        array->count);
    if (array->depth == 2)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape is missing and data is nested 2 deep, expected 3 or 4");
    return ppm_tensor_from_axes(array->extents, array->depth, layout, tensor, error);
}

/* Reads the data at place, whose members are known, into *ret_tensor. Nothing is allocated for
 * more numbers than the text has room for: each takes a digit and a comma or bracket. */
static enum ppm_status read_data(const char *body, const struct codec_json_place *place,
                                 const struct members *members, enum ppm_layout layout,
                                 struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const size_t data_bytes = place->end - place->start;
    const size_t room = data_bytes / 2;
    const bool has_shape = members->axis_count > 0;
    struct ppm_tensor tensor = {.dtype = PPM_FLOAT32};
    size_t count;
    enum ppm_status status = PPM_OK;
    if (has_shape) {
        status = ppm_tensor_from_axes(members->axes, members->axis_count, layout, &tensor, error);
        if (status == PPM_OK)
            status = ppm_shape_bytes(tensor.shape, &count, error);
        if (status != PPM_OK)
            return status;
        count /= 4;
    } else {
        const size_t commas = count_byte(body + place->start, data_bytes, ',');
        count = commas < room ? commas + 1 : room;
        tensor.shape = (struct ppm_shape){1, 1, 1, count}; /* until the nesting is known */
    }

    if (count <= room)
        status = ppm_tensor_allocate(&tensor, error);
    struct codec_json_array array;
    if (status == PPM_OK)
        status = codec_json_read_array(body, place->end, place->start, tensor.data,
                                       tensor.data ? count : 0, &array, error);
    if (status == PPM_OK && has_shape)
        status = check_shape(&array, members, count, error);
    else if (status == PPM_OK)
        status = take_shape(&array, layout, &tensor, error);
    if (status == PPM_OK)
        *ret_tensor = tensor;
    else
        ppm_tensor_free(&tensor);
    return status;
}

enum ppm_status codec_json_decode(const char *body, size_t body_bytes,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_json_place place = {0};
    struct members members = {0};
    struct codec_json_array array;
    enum ppm_layout layout;
    enum ppm_status status = codec_json_find_data(body, body_bytes, &place, error);
    if (status != PPM_OK)
        return status;
    if (place.is_found && !place.is_closed) {
        (void)codec_json_read_array(body, body_bytes, place.start, NULL, 0, &array, error);
        return ppm_fail(error, PPM_MALFORMED, "data at byte %zu: found no end of the array",
                        place.start);
    }
    status = read_members(body, body_bytes, &place, &members, error);
    if (status == PPM_OK)
        status = choose_layout(&members, expectation, &layout, error);
    if (status == PPM_OK)
        status = read_data(body, &place, &members, layout, ret_tensor, error);
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Writes text as the inside of a JSON string. Returns false when it takes more than ret_text. */
static bool escape(const char *text, char ret_text[NAME_BYTES_MAX + 1])
{
    size_t used = 0;
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (used + 6 > NAME_BYTES_MAX)
            return false;
        if (byte < 0x20)
            used += (size_t)sprintf(ret_text + used, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            used += (size_t)sprintf(ret_text + used, "\\%c", byte);
        else
            ret_text[used++] = *text;
    }
    ret_text[used] = '\0';
    return true;
}

static char *write_elements(const struct ppm_tensor *tensor, size_t count, char *to)
{
    const float *floats = tensor->data;
    const int32_t *ints = tensor->data;
    for (size_t i = 0; i < count; i++) {
        if (tensor->dtype == PPM_FLOAT32)
            to = number_write_float32(floats[i], to);
        else
            to = number_write_int32(ints[i], to);
        *to++ = ',';
    }
    return to - 1; /* there is at least one, and none behind the last comma */
}

enum ppm_status codec_json_encode(struct ppm_tensor *tensor, const char *model,
                                  struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    char name[NAME_BYTES_MAX + 1], shape[CODEC_AXES_TEXT_BYTES];
    size_t axes[4], bytes;
    const enum ppm_status status = ppm_shape_bytes(tensor->shape, &bytes, error);
    if (status != PPM_OK)
        return status;
    if (!escape(model, name))
        return ppm_fail(error, PPM_TOO_LARGE,
                        "the model's name takes more than %d bytes of JSON, expected fewer",
                        NAME_BYTES_MAX);
    const size_t bytes_max = codec_encoded_bytes_max(CODEC_JSON, bytes / 4);
    char *data = malloc(bytes_max);
    if (!data)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);

    codec_axes_text(axes, ppm_tensor_axes(tensor, axes), shape);
    char *to = data;
    to += sprintf(to,
                  "{\"model\": \"%s\", \"shape\": %s, \"dtype\": \"%s\", \"layout\": \"%s\", "
                  "\"data\": [",
                  name, shape, ppm_dtype_name(tensor->dtype), ppm_layout_name(tensor->layout));
    to = write_elements(tensor, bytes / 4, to);
    memcpy(to, "]}", 2);
    *ret_bytes = (struct codec_bytes){.data = data, .size = (size_t)(to + 2 - data)};
    return PPM_OK;
}
