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

/* ---- the members next to it ------------------------------------------------------------------ */

const char *codec_json_quote(const json_t *value, char ret_text[CODEC_QUOTED_BYTES])
{
    char *text = ppm_json_text(value, JSON_ENCODE_ANY);
    codec_quote(text ? text : "", text ? strlen(text) : 0, ret_text);
    free(text);
    return ret_text;
}

static enum ppm_status read_shape(const json_t *value, struct codec_json_members *members,
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

static enum ppm_status read_layout(const json_t *value, struct codec_json_members *members,
                                   struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *text = json_string_value(value);
    members->has_layout = text && ppm_layout_from_name(text, &members->layout);
    if (members->has_layout)
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED, "layout: found %s, expected \"NCHW\" or \"NHWC\"",
                    codec_json_quote(value, found));
}

static enum ppm_status read_dtype(const json_t *value, struct codec_json_members *members,
                                  struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *text = json_string_value(value);
    members->is_int32 = text && strcmp(text, "int32") == 0;
    if (members->is_int32 || (text && strcmp(text, "float32") == 0))
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED, "dtype: found %s, expected \"float32\" or \"int32\"",
                    codec_json_quote(value, found));
}

static enum ppm_status read_model(const json_t *value, struct codec_json_members *members,
                                  struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const size_t bytes = json_string_length(value);
    if (bytes == 0 || bytes >= sizeof members->model)
        return ppm_fail(error, PPM_MALFORMED,
                        "model: found %s, expected a model's name, a string of at most %zu bytes",
                        codec_json_quote(value, found), sizeof members->model - 1);
    memcpy(members->model, json_string_value(value), bytes + 1);
    return PPM_OK;
}

static enum ppm_status read_data(const json_t *value, struct codec_json_members *members,
                                 struct ppm_error *error)
{
    (void)value, (void)members, (void)error;
    return PPM_OK; /* null, in the place of what codec_json_scan reads */
}

static const struct member {
    const char *name;
    enum ppm_status (*read)(const json_t *value, struct codec_json_members *members,
                            struct ppm_error *error);
} known[] = {{"shape", read_shape},
             {"data", read_data},
             {"layout", read_layout},
             {"dtype", read_dtype},
             {"model", read_model}};

static const struct member *find_member(const char *key, size_t bytes)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (codec_is_text(key, bytes, known[i].name))
            return &known[i];
    return NULL;
}

bool codec_json_is_member(const char *key, size_t bytes)
{
    return find_member(key, bytes) != NULL;
}

enum ppm_status codec_json_refuse_member(const char *key, size_t bytes, struct ppm_error *error)
{
    static const struct {
        const char *key, *hint;
    } others[] = {
        {"inputs", ": that is a request for /v2/models/{model}/infer"},
        {"instances", ": that is a request of another protocol"},
    };
    char found[CODEC_QUOTED_BYTES];
    const char *hint = "";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (codec_is_text(key, bytes, others[i].key))
            hint = others[i].hint;
    return ppm_fail(
        error, PPM_MALFORMED,
        "unknown member \"%s\"%s; known members are shape, data, layout, dtype and model",
        codec_quote(key, bytes, found), hint);
}

enum ppm_status codec_json_members(struct codec_json_reader *reader, const char *body,
                                   size_t body_bytes, struct codec_json_members *ret_members,
                                   struct ppm_error *error)
{
    json_t *root = NULL;
    struct codec_json_members members = {.axis_count = 0};
    enum ppm_status status = codec_json_around(reader, body, body_bytes, &root, error);
    if (status != PPM_OK)
        return status;
    const bool has_data = codec_json_has_data(reader);
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        const struct member *member = find_member(key, strlen(key));
        if (status == PPM_OK)
            status = member ? member->read(value, &members, error)
                            : codec_json_refuse_member(key, strlen(key), error);
    }
    if (status == PPM_OK && !has_data && json_object_get(root, "data"))
        status = ppm_fail(error, PPM_MALFORMED,
                          "the key \"data\" is written with escapes, expected it without");
    json_decref(root);
    if (status == PPM_OK && !has_data)
        status = ppm_fail(error, PPM_MALFORMED, "the body has no \"data\", expected %s",
                          CODEC_JSON_EXAMPLE);
    if (status == PPM_OK)
        *ret_members = members;
    return status;
}

/* ---- what the request's head says too ---- */

static enum ppm_status choose_layout(const struct codec_json_members *members,
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

static enum ppm_status check_dtype(const struct codec_json_members *members,
                                   const struct codec_expectation *expectation,
                                   struct ppm_error *error)
{
    if (!members->is_int32 || !expectation->dtype_is_explicit)
        return PPM_OK;
    return ppm_fail(
        error, PPM_MALFORMED,
        "dtype: found \"int32\" in the body and %s in the query, expected them to agree",
        codec_dtype_name(expectation->dtype));
}

/* The body's own shape, or else that of the head. */
static const size_t *choose_axes(const struct codec_json_members *members,
                                 const struct codec_expectation *expectation, size_t *ret_count)
{
    const bool is_own = members->axis_count > 0 || !expectation->axes;
    *ret_count = is_own ? members->axis_count : expectation->axis_count;
    return is_own ? members->axes : expectation->axes;
}

enum ppm_status codec_json_read(struct codec_json_reader *reader, const char *body,
                                const struct codec_json_members *members,
                                const struct codec_expectation *expectation,
                                struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    enum ppm_layout layout;
    size_t axis_count;
    const size_t *axes = choose_axes(members, expectation, &axis_count);
    if (choose_layout(members, expectation, &layout, error) != PPM_OK ||
        check_dtype(members, expectation, error) != PPM_OK ||
        codec_check_axes(axes, axis_count, expectation, error) != PPM_OK)
        return error->status;
    return codec_json_tensor(reader, body, axes, axis_count, layout, ret_tensor, error);
}

enum ppm_status codec_json_decode(const char *body, size_t body_bytes,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const struct codec_json_options options = {0};
    struct codec_json_members members;
    struct codec_json_reader *reader = codec_json_create(&options);
    if (!reader)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read JSON");
    if (codec_json_members(reader, body, body_bytes, &members, error) == PPM_OK)
        codec_json_read(reader, body, &members, expectation, ret_tensor, error);
    codec_json_free(reader);
    return error->status;
}
