/*
 * json.c - see json.h.
 *
 * A tree of jansson's costs 10 to 75 times its text, so the data never becomes one: json_find.c
 * finds it in the body, json_array.c reads the numbers straight from the text, and jansson checks
 * the text around it with null in its place; json_reader.c drives them as the body arrives.
 */
#include "server/codec/json/json.h"

#include "server/codec/json/json_example.h"
#include "server/codec/json/json_members.h"
#include "server/codec/json/json_several.h"
#include "server/codec/json/json_write.h"

#include <jansson.h>
#include <string.h>

enum ppm_status codec_json_members(struct codec_reader *reader, const char *body, size_t body_bytes,
                                   struct codec_members *ret_members, struct ppm_error *error)
{
    json_t *root = NULL;
    struct codec_members members;
    if (codec_json_around(reader, body, body_bytes, &root, error) != PPM_OK)
        return error->status;
    const bool has_data = codec_json_data_count(reader) > 0;
    if (codec_json_read_members(root, &members, error) == PPM_OK && !has_data &&
        json_object_get(root, "data"))
        ppm_fail(error, PPM_MALFORMED,
                 "the key \"data\" is written with escapes, expected it without");
    json_decref(root);
    if (error->status == PPM_OK && !has_data)
        ppm_fail(error, PPM_MALFORMED, "the body has no \"data\", expected %s", CODEC_JSON_EXAMPLE);
    if (error->status == PPM_OK)
        *ret_members = members;
    return error->status;
}

/* ---- members that the request's head has too ---- */

static enum ppm_status choose_layout(const struct codec_members *members,
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

static enum ppm_status check_dtype(const struct codec_members *members,
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
static const size_t *choose_axes(const struct codec_members *members,
                                 const struct codec_expectation *expectation, size_t *ret_count)
{
    const bool is_own = members->axis_count > 0 || !expectation->axes;
    *ret_count = is_own ? members->axis_count : expectation->axis_count;
    return is_own ? members->axes : expectation->axes;
}

static enum ppm_status read_tensor(struct codec_reader *reader, const char *body,
                                   const struct codec_members *members,
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
    return codec_json_tensor(reader, 0, body, axes, axis_count, layout, ret_tensor, error);
}

enum ppm_status codec_json_finish(struct codec_reader *reader, const char *body,
                                  const struct codec_members *members,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    if (read_tensor(reader, body, members, expectation, &tensor, error) != PPM_OK)
        return error->status;
    return codec_take_fitting(&tensor, NULL, expectation, ret_tensor, error);
}

/* ---- the form ---- */

static enum ppm_status decode(const char *body, size_t body_bytes,
                              const struct codec_expectation *expectation,
                              struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const struct codec_reader_options options = {0};
    struct codec_members members = {0};
    struct codec_reader *reader = codec_json_create(&options);
    if (!reader)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to read JSON");
    if (codec_json_members(reader, body, body_bytes, &members, error) == PPM_OK)
        read_tensor(reader, body, &members, expectation, ret_tensor, error);
    codec_json_free(reader);
    return error->status;
}

static const struct codec_stream stream = {
    .create = codec_json_create,
    .free = codec_json_free,
    .feed = codec_json_feed,
    .left = codec_json_left,
    .members = codec_json_members,
    .finish = codec_json_finish,
};

const struct codec_form codec_json = {
    .name = "JSON",
    .media_type = "application/json",
    .dtypes = 1 << CODEC_FLOAT32,
    .is_text = true,
    .has_members = true,
    .decode = decode,
    .stream = &stream,
    .encode = codec_json_write,
    .encode_several = codec_json_write_several,
    .head_bytes_max = 1024,
    .element_bytes_max = CODEC_JSON_ELEMENT_BYTES_MAX,
    .element_us = 0.03,
};
