/*
 * json_members.c - see json_members.h.
 */
#include "server/codec/json/json_members.h"

#include "server/codec/quote.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static enum ppm_status read_shape(const json_t *value, struct codec_members *members,
                                  struct ppm_error *error)
{
    char where[16];
    const size_t count = json_array_size(value);
    if (!json_is_array(value) || count < 3 || count > 4)
        return ppm_json_refuse("shape", value, PPM_MALFORMED, error,
                               "an array of 3 or 4 positive integers");
    for (size_t i = 0; i < count; i++) {
        const json_t *extent = json_array_get(value, i);
        snprintf(where, sizeof where, "shape[%zu]", i % 4);
        if (!json_is_integer(extent) || json_integer_value(extent) <= 0)
            return ppm_json_refuse(where, extent, PPM_MALFORMED, error, "a positive integer");
        members->axes[i] = (size_t)json_integer_value(extent);
    }
    members->axis_count = count;
    return PPM_OK;
}

static enum ppm_status read_layout(const json_t *value, struct codec_members *members,
                                   struct ppm_error *error)
{
    const char *text = json_string_value(value);
    members->has_layout = text && ppm_layout_from_name(text, &members->layout);
    if (members->has_layout)
        return PPM_OK;
    return ppm_json_refuse("layout", value, PPM_MALFORMED, error, "\"NCHW\" or \"NHWC\"");
}

static enum ppm_status read_dtype(const json_t *value, struct codec_members *members,
                                  struct ppm_error *error)
{
    const char *text = json_string_value(value);
    members->is_int32 = text && strcmp(text, "int32") == 0;
    if (members->is_int32 || (text && strcmp(text, "float32") == 0))
        return PPM_OK;
    return ppm_json_refuse("dtype", value, PPM_MALFORMED, error, "\"float32\" or \"int32\"");
}

static enum ppm_status read_model(const json_t *value, struct codec_members *members,
                                  struct ppm_error *error)
{
    const size_t bytes = json_string_length(value);
    if (bytes == 0 || bytes >= sizeof members->model)
        return ppm_json_refuse("model", value, PPM_MALFORMED, error,
                               "a model's name, a string of at most %zu bytes",
                               sizeof members->model - 1);
    memcpy(members->model, json_string_value(value), bytes + 1);
    return PPM_OK;
}

static enum ppm_status read_data(const json_t *value, struct codec_members *members,
                                 struct ppm_error *error)
{
    (void)value, (void)members, (void)error;
    return PPM_OK; /* null, in place of the numbers that codec_json_scan reads */
}

static const struct member {
    const char *name;
    enum ppm_status (*read)(const json_t *value, struct codec_members *members,
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

enum ppm_status codec_json_read_members(const json_t *root, struct codec_members *ret_members,
                                        struct ppm_error *error)
{
    struct codec_members members = {.axis_count = 0};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)root, key, value)
    {
        const struct member *member = find_member(key, strlen(key));
        if (!member)
            return codec_json_refuse_member(key, strlen(key), error);
        if (member->read(value, &members, error) != PPM_OK)
            return error->status;
    }
    *ret_members = members;
    return PPM_OK;
}
