/*
 * v1.c - see v1.h.
 */
#include "server/codec/v1/v1.h"

#include "server/codec/json/json.h"
#include "server/codec/json/json_example.h"
#include "server/codec/json/json_nested.h"
#include "server/codec/quote.h"

#include <jansson.h>
#include <string.h>

/* ---- requests ---- */

static enum ppm_status check_signature(const json_t *signature, struct ppm_error *error)
{
    const char *text = json_string_value(signature);
    if (!signature || (text && strcmp(text, "serving_default") == 0))
        return PPM_OK;
    return ppm_json_refuse("signature_name", signature, PPM_MALFORMED, error,
                           "\"serving_default\" or no signature");
}

enum ppm_status v1_check_members(const json_t *around, size_t data_count, struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)around, key, value)
    {
        if (strcmp(key, "inputs") == 0)
            return ppm_fail(
                error, PPM_MALFORMED,
                "found \"inputs\", which is TensorFlow Serving's columnar format or "
                "a request for /v2/models/{model}/infer, expected " CODEC_JSON_V1_EXAMPLE);
        if (strcmp(key, V1_INSTANCES) != 0 && strcmp(key, "signature_name") != 0)
            return ppm_fail(error, PPM_MALFORMED,
                            "unknown member \"%s\"; known members are instances and signature_name",
                            codec_quote(key, strlen(key), found));
    }
    if (data_count == 0 && json_object_get(around, V1_INSTANCES))
        return ppm_fail(error, PPM_MALFORMED,
                        "the key \"instances\" is written with escapes, expected it without");
    if (data_count == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "the body has no \"instances\", expected " CODEC_JSON_V1_EXAMPLE);
    return check_signature(json_object_get(around, "signature_name"), error);
}

/* ---- answers ---- */

/* The axes of y, N first; without C for labels, which have one channel. */
static size_t extents_of(const struct ppm_tensor *y, size_t ret_extents[4])
{
    const struct ppm_tensor batch = {.shape = y->shape, .layout = y->layout, .is_batch = true};
    size_t axes[4], count = 0;
    const size_t axis_count = ppm_tensor_axes(&batch, axes);
    const size_t channels_at = y->layout == PPM_NCHW ? 1 : axis_count - 1;
    for (size_t i = 0; i < axis_count; i++)
        if (y->dtype == PPM_FLOAT32 || i != channels_at)
            ret_extents[count++] = axes[i];
    return count;
}

static enum ppm_status encode(const struct codec_answer *answer, char *memory, size_t *ret_bytes,
                              struct ppm_error *error)
{
    static const char start[] = "{\"predictions\": [", end[] = "]}";
    size_t extents[4];
    const size_t depth = extents_of(answer->tensor, extents);
    char *to = (char *)memcpy(memory, start, sizeof start - 1) + sizeof start - 1;
    if (codec_json_write_nested(answer->tensor, extents, depth, answer->threads, answer->cancel, to,
                                &to, error) != PPM_OK)
        return error->status;
    memcpy(to, end, sizeof end - 1);
    *ret_bytes = (size_t)(to - memory) + sizeof end - 1;
    return PPM_OK;
}

const struct codec_form codec_v1 = {
    .name = "JSON",
    .media_type = "application/json",
    .dtypes = 1 << CODEC_FLOAT32,
    .is_text = true,
    .encode = encode,
    .head_bytes_max = 64,
    .element_bytes_max = CODEC_JSON_NESTED_ELEMENT_BYTES_MAX,
    .element_us = 0.03,
};
