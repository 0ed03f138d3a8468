/*
 * codec.c - the table of forms, and what they have in common.
 */
#include "server/codec/codec.h"

#include "server/codec/codec_internal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct form {
    const char *media_type;
    codec_decode_function *decode;
    codec_encode_function *encode;
    codec_look_function *look; /* NULL: the form is no image of a tensor's memory */
    codec_look_function *look_ahead;
    codec_head_function *head;
    size_t head_bytes_max;
    size_t element_bytes_max;
};

static const struct form forms[CODEC_ANSWER_FORM_COUNT] = {
    [CODEC_JSON] = {"application/json", codec_json_decode, codec_json_encode, NULL, NULL, NULL,
                    CODEC_JSON_HEAD_BYTES_MAX, CODEC_JSON_ELEMENT_BYTES_MAX},
    [CODEC_NPY] = {"application/x-npy", codec_npy_decode, codec_npy_encode, codec_npy_look,
                   codec_npy_look_ahead, codec_npy_head, CODEC_HEAD_BYTES_MAX, 4},
    [CODEC_RAW] = {"application/octet-stream", codec_raw_decode, codec_raw_encode, codec_raw_look,
                   codec_raw_look_ahead, codec_raw_head, 0, 4},
    [CODEC_PNG] = {.media_type = "image/png",
                   .head_bytes_max = CODEC_PNG_HEAD_BYTES_MAX,
                   .element_bytes_max = CODEC_PNG_ELEMENT_BYTES_MAX},
};

const char *codec_media_type(enum codec_form form)
{
    return forms[form].media_type;
}

enum ppm_status codec_check_channels(const struct ppm_tensor *tensor,
                                     const struct codec_expectation *expectation,
                                     struct ppm_error *error)
{
    if (tensor->shape.c == expectation->channels)
        return PPM_OK;

    size_t axes[4];
    const size_t axis_count = ppm_tensor_axes(tensor, axes);
    const bool is_nchw = tensor->layout == PPM_NCHW;
    const size_t other_channels = axes[is_nchw ? axis_count - 1 : axis_count - 3];
    const char *hint = "";
    if (other_channels == expectation->channels)
        hint = is_nchw ? "; with layout=NHWC it fits" : "; with layout=NCHW it fits";
    char shape[CODEC_AXES_TEXT_BYTES];
    return ppm_fail(
        error, PPM_UNFIT, "the tensor has %zu channel%s (%s as %s), model \"%s\" takes %zu%s",
        tensor->shape.c, tensor->shape.c == 1 ? "" : "s", codec_axes_text(axes, axis_count, shape),
        ppm_layout_name(tensor->layout), expectation->model, expectation->channels, hint);
}

enum ppm_status codec_check_axes(const size_t *axes, size_t axis_count,
                                 const struct codec_expectation *expectation,
                                 struct ppm_error *error)
{
    char body[CODEC_AXES_TEXT_BYTES], head[CODEC_AXES_TEXT_BYTES];
    if (!expectation->axes || axis_count == 0 ||
        (axis_count == expectation->axis_count &&
         memcmp(axes, expectation->axes, axis_count * sizeof *axes) == 0))
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED,
                    "shape: found %s in the body and %s in the query or header, expected them to "
                    "agree",
                    codec_axes_text(axes, axis_count, body),
                    codec_axes_text(expectation->axes, expectation->axis_count, head));
}

static enum ppm_status check_not_empty(enum codec_form form, size_t body_bytes,
                                       struct ppm_error *error)
{
    if (body_bytes > 0 || form == CODEC_JSON) /* whose reader says more */
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED, "the body is empty, expected a tensor as %s",
                    forms[form].media_type);
}

enum ppm_status codec_look(enum codec_form form, char *body, size_t body_bytes,
                           const struct codec_expectation *expectation,
                           struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    if (check_not_empty(form, body_bytes, error) != PPM_OK)
        return error->status;
    if (forms[form].look &&
        (forms[form].look(body, body_bytes, expectation, &tensor, error) != PPM_OK ||
         codec_check_channels(&tensor, expectation, error) != PPM_OK))
        return error->status;
    *ret_tensor = tensor;
    return PPM_OK;
}

void codec_look_ahead(enum codec_form form, char *body, size_t body_bytes,
                      const struct codec_expectation *expectation, struct ppm_tensor *ret_tensor)
{
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    const bool is_told =
        forms[form].look_ahead &&
        forms[form].look_ahead(body, body_bytes, expectation, &tensor, &error) == PPM_OK &&
        codec_check_channels(&tensor, expectation, &error) == PPM_OK;
    *ret_tensor = is_told ? tensor : (struct ppm_tensor){0};
}

/* The end of both ways to decode: what was read goes on if it fits; room is the caller's. */
static enum ppm_status take_fitting(struct ppm_tensor *tensor, const void *room,
                                    const struct codec_expectation *expectation,
                                    struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    if (codec_check_channels(tensor, expectation, error) == PPM_OK)
        *ret_tensor = *tensor;
    else if (tensor->data != room)
        ppm_tensor_free(tensor);
    return error->status;
}

enum ppm_status codec_make_room(struct ppm_tensor *tensor, void *room, struct ppm_error *error)
{
    tensor->data = room;
    return room ? PPM_OK : ppm_tensor_allocate(tensor, error);
}

enum ppm_status codec_decode(enum codec_form form, const char *body, size_t body_bytes,
                             const struct codec_expectation *expectation,
                             struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {.data = ret_tensor->data};
    if (check_not_empty(form, body_bytes, error) != PPM_OK ||
        forms[form].decode(body, body_bytes, expectation, &tensor, error) != PPM_OK)
        return error->status;
    return take_fitting(&tensor, ret_tensor->data, expectation, ret_tensor, error);
}

enum ppm_status codec_json_finish(struct codec_json_reader *reader, const char *body,
                                  const struct codec_json_members *members,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    if (codec_json_read(reader, body, members, expectation, &tensor, error) != PPM_OK)
        return error->status;
    return take_fitting(&tensor, NULL, expectation, ret_tensor, error);
}

enum ppm_status codec_encode(enum codec_form form, struct ppm_tensor *tensor, const char *model,
                             struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    return forms[form].encode(tensor, model, ret_bytes, error);
}

bool codec_is_in_place(enum codec_form form)
{
    return forms[form].head != NULL;
}

bool codec_encode_in_place(enum codec_form form, const struct ppm_tensor *tensor,
                           enum codec_dtype dtype, struct codec_bytes *ret_bytes)
{
    char head[CODEC_HEAD_BYTES_MAX];
    if (!codec_is_in_place(form))
        return false;
    const struct ppm_shape s = tensor->shape;
    const size_t count = s.n * s.c * s.h * s.w;
    const bool is_narrowed = tensor->dtype == PPM_FLOAT32 && dtype != CODEC_FLOAT32;
    if (is_narrowed)
        codec_encode_values(dtype, tensor->data, count, tensor->data);
    const size_t head_bytes = forms[form].head(tensor, dtype, head);
    const size_t data_bytes = count * (is_narrowed ? codec_dtype_bytes(dtype) : 4);
    char *data = (char *)tensor->data - head_bytes;
    memcpy(data, head, head_bytes);
    *ret_bytes = (struct codec_bytes){.data = data, .size = head_bytes + data_bytes};
    return true;
}

size_t codec_encoded_bytes_max(enum codec_form form, size_t count)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, forms[form].element_bytes_max, &bytes) ||
        __builtin_add_overflow(bytes, forms[form].head_bytes_max, &bytes))
        return SIZE_MAX;
    return bytes;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

bool codec_read_size(const char **at, const char *end, size_t *ret_value)
{
    size_t value = 0;
    const char *digit = *at;
    for (; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (size_t)(*digit - '0'), &value))
            return false;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *ret_value = value;
    return true;
}

/* Reads one extent, with spaces around it, that fills [text, end). */
static bool parse_extent(const char *text, const char *end, size_t *ret_extent)
{
    text += strspn(text, " \t");
    return codec_read_size(&text, end, ret_extent) && *ret_extent > 0 &&
           text + strspn(text, " \t") == end;
}

enum ppm_status codec_parse_shape(const char *text, size_t ret_axes[4], size_t *ret_count,
                                  struct ppm_error *error)
{
    char whole[CODEC_QUOTED_BYTES], part[CODEC_QUOTED_BYTES];
    size_t axes[4];
    size_t count = 0;
    for (const char *at = text;; at++) {
        const char *end = at + strcspn(at, ",");
        size_t extent;
        if (!parse_extent(at, end, &extent))
            return ppm_fail(error, PPM_MALFORMED,
                            "shape \"%s\": axis %zu is \"%s\", expected a positive integer",
                            codec_quote(text, strlen(text), whole), count,
                            codec_quote(at, (size_t)(end - at), part));
        if (count < 4)
            axes[count] = extent;
        count++;
        at = end;
        if (*at == '\0')
            break;
    }
    if (count != 3 && count != 4)
        return ppm_fail(error, PPM_MALFORMED,
                        "shape \"%s\": found %zu axes, expected 3 or 4, such as 1,4,30,30",
                        codec_quote(text, strlen(text), whole), count);
    memcpy(ret_axes, axes, count * sizeof axes[0]);
    *ret_count = count;
    return PPM_OK;
}

/* ---- words for the sentences ----------------------------------------------------------------- */

const char *codec_quote(const char *bytes, size_t byte_count, char ret_text[CODEC_QUOTED_BYTES])
{
    const size_t kept = byte_count < CODEC_QUOTE_BYTES ? byte_count : CODEC_QUOTE_BYTES;
    char *to = ret_text;
    for (size_t i = 0; i < kept; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte < 0x7f)
            *to++ = (char)byte;
        else
            to += snprintf(to, 5, "\\x%02x", byte);
    }
    memcpy(to, kept < byte_count ? "..." : "", kept < byte_count ? 4 : 1);
    return ret_text;
}

const char *codec_hint(const char *kind)
{
    static const struct {
        const char *kind, *hint;
    } hints[] = {
        {"JSON", "; send JSON with Content-Type: application/json"},
        {"a NumPy .npy file", "; send it with Content-Type: application/x-npy"},
        {"gzip data", "; send it with Content-Encoding: gzip"},
        {"a UTF-16 byte order mark", "; JSON is UTF-8"},
        {"UTF-16 text", "; JSON is UTF-8"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].kind, kind) == 0)
            return hints[i].hint;
    return "";
}

const char *codec_axes_text(const size_t *axes, size_t axis_count,
                            char ret_text[CODEC_AXES_TEXT_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < axis_count; i++)
        used += (size_t)snprintf(ret_text + used, CODEC_AXES_TEXT_BYTES - used, "%s%zu",
                                 i == 0 ? "[" : ", ", axes[i]);
    memcpy(ret_text + used, "]", 2);
    return ret_text;
}
