/*
 * json.c - tensors as JSON: {"shape": [1, 4, 30, 30], "data": [..]}.
 *
 * A tree of jansson's costs 10 to 75 times its text, so the data never becomes one: json_find.c
 * finds it in the body, json_array.c reads the numbers where they stand, and jansson checks the
 * text around it with null in its place; json_reader.c drives them, as the body arrives.
 */
#include "server/codec/codec_internal.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a body says beside its data. */
struct members {
    size_t axes[4];
    size_t axis_count; /* 0: no shape was given */
    bool has_layout;
    enum ppm_layout layout;
};

/* ---- the members beside it ------------------------------------------------------------------- */

const char *codec_json_quote(const json_t *value, char ret_text[CODEC_QUOTED_BYTES])
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
                        codec_json_quote(value, found));
    for (size_t i = 0; i < count; i++) {
        const json_t *extent = json_array_get(value, i);
        if (!json_is_integer(extent) || json_integer_value(extent) <= 0)
            return ppm_fail(error, PPM_MALFORMED,
                            "shape[%zu]: found %s, expected a positive integer", i,
                            codec_json_quote(extent, found));
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
                        codec_json_quote(value, found));
    }
    if (strcmp(key, "dtype") == 0) {
        if (text && (strcmp(text, "float32") == 0 || strcmp(text, "int32") == 0))
            return PPM_OK;
        return ppm_fail(error, PPM_MALFORMED, "dtype: found %s, expected \"float32\" or \"int32\"",
                        codec_json_quote(value, found));
    }
    if (strcmp(key, "model") == 0) {
        if (text)
            return PPM_OK;
        return ppm_fail(error, PPM_MALFORMED, "model: found %s, expected a string",
                        codec_json_quote(value, found));
    }
    return ppm_fail(error, PPM_MALFORMED,
                    "unknown member \"%s\", expected shape, data, layout, dtype or model",
                    codec_quote(key, strlen(key), found));
}

static enum ppm_status read_members(struct codec_json_reader *reader, const char *body,
                                    size_t body_bytes, struct members *ret_members,
                                    struct ppm_error *error)
{
    json_t *root = NULL;
    enum ppm_status status = codec_json_around(reader, body, body_bytes, &root, error);
    if (status != PPM_OK)
        return status;
    const bool has_data = codec_json_has_data(reader);
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (status == PPM_OK)
            status = read_member(key, value, ret_members, error);
    }
    if (status == PPM_OK && !has_data && json_object_get(root, "data"))
        status = ppm_fail(error, PPM_MALFORMED,
                          "the key of \"data\" is written with escapes, expected it plain");
    json_decref(root);
    if (status == PPM_OK && !has_data)
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

enum ppm_status codec_json_read(struct codec_json_reader *reader, const char *body,
                                size_t body_bytes, const struct codec_expectation *expectation,
                                struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct members members = {0};
    enum ppm_layout layout;
    enum ppm_status status = read_members(reader, body, body_bytes, &members, error);
    if (status == PPM_OK)
        status = choose_layout(&members, expectation, &layout, error);
    if (status == PPM_OK)
        status = codec_json_tensor(reader, body, members.axes, members.axis_count, layout,
                                   ret_tensor, error);
    return status;
}

enum ppm_status codec_json_decode(const char *body, size_t body_bytes,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const struct codec_json_options options = {0};
    struct codec_json_reader *reader = codec_json_create(&options);
    if (!reader)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read JSON");
    const enum ppm_status status =
        codec_json_read(reader, body, body_bytes, expectation, ret_tensor, error);
    codec_json_free(reader);
    return status;
}
