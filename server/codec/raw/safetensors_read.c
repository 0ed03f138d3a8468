/*
 * safetensors_read.c - see safetensors_read.h.
 */
#include "server/codec/raw/safetensors_read.h"

#include "server/codec/input_names.h"
#include "server/codec/quote.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum {
    LENGTH_BYTES = 8,
    HEADER_BYTES_MAX = 64 << 10, /* a parsed one takes up to 75 times as much */
};

struct reader {
    char *data; /* after the header */
    size_t data_bytes;
    const struct ppm_input_info *inputs;
    size_t count;
    const struct codec_expectation *expectation;
    struct ppm_error *error;
};

/* Where a tensor's elements are in the data. */
struct range {
    size_t begin, end;
};

/* ---- the header ---- */

static enum ppm_status refuse_file(const struct reader *reader, const char *body, size_t body_bytes,
                                   const char *found)
{
    char names[CODEC_NAMES_BYTES];
    const char *kind = ppm_looks_like(body, body_bytes);
    const bool is_other = kind && strcmp(kind, "a safetensors file") != 0;
    return ppm_fail(
        reader->error, PPM_MALFORMED,
        "the body is no safetensors file: found %s, expected one with a tensor for each "
        "input: %s",
        is_other ? kind : found,
        codec_input_names(reader->inputs, reader->count, "", " and ", names));
}

static uint64_t length_of(const char *body)
{
    uint64_t length = 0;
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | (unsigned char)body[i];
    return length;
}

/* The header's JSON, which the caller releases. NULL: refused. */
static json_t *read_header(struct reader *reader, char *body, size_t body_bytes)
{
    char found[256];
    json_error_t cause = {0};
    const uint64_t length = body_bytes >= LENGTH_BYTES ? length_of(body) : 0;
    snprintf(found, sizeof found, "%zu byte%s", body_bytes, ppm_plural(body_bytes));
    if (body_bytes >= LENGTH_BYTES)
        snprintf(found, sizeof found, "a header of %llu bytes in a body of %zu",
                 (unsigned long long)length, body_bytes);
    if (body_bytes < LENGTH_BYTES || length > body_bytes - LENGTH_BYTES) {
        refuse_file(reader, body, body_bytes, found);
        return NULL;
    }
    if (length > HEADER_BYTES_MAX) {
        ppm_fail(reader->error, PPM_MALFORMED,
                 "the safetensors header has %zu bytes, expected at most %d", (size_t)length,
                 HEADER_BYTES_MAX);
        return NULL;
    }
    if (memchr(body + LENGTH_BYTES, '\0', length)) {
        refuse_file(reader, body, 0, "a header that is no JSON object (it has a zero byte)");
        return NULL;
    }
    json_t *header = ppm_json_load(body + LENGTH_BYTES, length, &cause);
    if (json_is_object(header)) {
        reader->data = body + LENGTH_BYTES + length;
        reader->data_bytes = body_bytes - LENGTH_BYTES - length;
        return header;
    }
    if (!header && json_error_code(&cause) == json_error_out_of_memory)
        ppm_fail(reader->error, PPM_NO_MEMORY, "no memory for the header of the body");
    else {
        snprintf(found, sizeof found, "a header that is no JSON object (%s)",
                 header ? "it is an array" : cause.text);
        refuse_file(reader, body, 0, found);
    }
    json_decref(header);
    return NULL;
}

/* ---- a tensor ---- */

static bool read_size(const json_t *value, size_t *ret_size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_size = (size_t)json_integer_value(value);
    return true;
}

static enum ppm_status refuse_member(const struct reader *reader, const char *name,
                                     const char *member, const json_t *found, const char *expected)
{
    char where[128];
    snprintf(where, sizeof where, "tensor %.80s, %s", name, member);
    return ppm_json_refuse(where, found, PPM_MALFORMED, reader->error, "%s", expected);
}

static enum ppm_status read_dtype(const struct reader *reader, const char *name,
                                  const json_t *value, enum codec_dtype *ret_dtype)
{
    static const char *const names[CODEC_DTYPE_COUNT] = {
        [CODEC_FLOAT32] = "F32", [CODEC_FLOAT16] = "F16", [CODEC_BFLOAT16] = "BF16"};
    const char *text = json_string_value(value);
    for (size_t i = 0; text && i < CODEC_DTYPE_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_dtype = (enum codec_dtype)i;
            return PPM_OK;
        }
    return refuse_member(reader, name, "dtype", value, "F32, F16 or BF16");
}

static enum ppm_status read_shape(const struct reader *reader, const char *name,
                                  const json_t *value, struct ppm_tensor *ret_tensor)
{
    size_t axes[4] = {0};
    const size_t count = json_array_size(value);
    bool are_sizes = count == 3 || count == 4;
    struct ppm_error cause = {0};
    for (size_t i = 0; are_sizes && i < count; i++)
        are_sizes = read_size(json_array_get(value, i), &axes[i]);
    if (!are_sizes)
        return refuse_member(reader, name, "shape", value, "3 or 4 positive integers");
    if (ppm_tensor_from_axes(axes, count, reader->expectation->layout, ret_tensor, &cause) !=
        PPM_OK)
        return ppm_fail(reader->error, cause.status, "tensor %.80s: %s", name, cause.text);
    return PPM_OK;
}

static enum ppm_status read_range(const struct reader *reader, const char *name,
                                  const json_t *value, size_t bytes, struct range *ret_range)
{
    struct range range;
    if (json_array_size(value) != 2 || !read_size(json_array_get(value, 0), &range.begin) ||
        !read_size(json_array_get(value, 1), &range.end) || range.begin > range.end ||
        range.end > reader->data_bytes)
        return refuse_member(reader, name, "data_offsets", value,
                             "two that are in the body's data");
    if (range.end - range.begin != bytes)
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "tensor %.80s: found %zu byte%s, expected the %zu of its dtype and shape",
                        name, range.end - range.begin, ppm_plural(range.end - range.begin), bytes);
    *ret_range = range;
    return PPM_OK;
}

static enum ppm_status read_tensor(const struct reader *reader, size_t index, const json_t *entry,
                                   struct codec_safetensor *ret, struct range *ret_range)
{
    const char *name = reader->inputs[index].name;
    struct codec_expectation expectation = *reader->expectation;
    struct ppm_tensor *tensor = &ret->tensor;
    expectation.channels = reader->inputs[index].channels;
    expectation.input = name;
    if (read_dtype(reader, name, json_object_get(entry, "dtype"), &ret->dtype) != PPM_OK ||
        read_shape(reader, name, json_object_get(entry, "shape"), tensor) != PPM_OK ||
        codec_check_channels(tensor, &expectation, reader->error) != PPM_OK)
        return reader->error->status;
    const struct ppm_shape s = tensor->shape;
    if (read_range(reader, name, json_object_get(entry, "data_offsets"),
                   s.n * s.c * s.h * s.w * codec_dtype_bytes(ret->dtype), ret_range) != PPM_OK)
        return reader->error->status;
    char *bytes = reader->data + ret_range->begin;
    ret->bytes = bytes;
    tensor->data = ret->dtype == CODEC_FLOAT32 && codec_is_aligned(bytes) ? bytes : NULL;
    return PPM_OK;
}

/* ---- the file ---- */

static enum ppm_status check_names(const struct reader *reader, const json_t *header)
{
    const char *name;
    json_t *entry;
    char names[CODEC_NAMES_BYTES], quoted[CODEC_QUOTED_BYTES];
    for (size_t i = 0; i < reader->count; i++)
        if (!json_object_get(header, reader->inputs[i].name))
            return ppm_fail(reader->error, PPM_MALFORMED,
                            "the body has no tensor %.80s, expected one for each input: %s",
                            reader->inputs[i].name,
                            codec_input_names(reader->inputs, reader->count, "", " and ", names));
    json_object_foreach((json_t *)header, name, entry)
    {
        const size_t bytes = strlen(name);
        if (codec_input_index(reader->inputs, reader->count, name, bytes) == reader->count &&
            strcmp(name, "__metadata__") != 0)
            return ppm_fail(reader->error, PPM_MALFORMED,
                            "the body has a tensor \"%s\", expected one for each input: %s",
                            codec_quote(name, bytes, quoted),
                            codec_input_names(reader->inputs, reader->count, "", " and ", names));
    }
    return PPM_OK;
}

/* The tensors, one after the other, are all of the data. */
static enum ppm_status check_ranges(const struct reader *reader, const struct range *ranges)
{
    size_t end = 0;
    for (size_t done = 0; done < reader->count; done++) {
        size_t next = 0;
        while (next < reader->count && ranges[next].begin != end)
            next++;
        if (next == reader->count)
            return ppm_fail(reader->error, PPM_MALFORMED,
                            "data_offsets: found no tensor that begins at byte %zu of the data, "
                            "expected tensors without gaps that do not overlap",
                            end);
        end = ranges[next].end;
    }
    if (end != reader->data_bytes)
        return ppm_fail(reader->error, PPM_MALFORMED,
                        "found %zu bytes after the header, expected the %zu of its tensors",
                        reader->data_bytes, end);
    return PPM_OK;
}

enum ppm_status codec_safetensors_read(char *body, size_t body_bytes,
                                       const struct ppm_input_info *inputs, size_t count,
                                       const struct codec_expectation *expectation,
                                       struct codec_safetensor *ret_tensors,
                                       struct ppm_error *error)
{
    struct reader reader = {
        .inputs = inputs, .count = count, .expectation = expectation, .error = error};
    struct codec_safetensor tensors[PPM_INPUTS_MAX] = {0};
    struct range ranges[PPM_INPUTS_MAX] = {0};
    assert(count <= PPM_INPUTS_MAX);
    json_t *header = read_header(&reader, body, body_bytes);
    if (header && check_names(&reader, header) == PPM_OK) {
        for (size_t i = 0; i < count && error->status == PPM_OK; i++)
            read_tensor(&reader, i, json_object_get(header, inputs[i].name), &tensors[i],
                        &ranges[i]);
        if (error->status == PPM_OK)
            check_ranges(&reader, ranges);
    }
    json_decref(header);
    if (error->status == PPM_OK)
        memcpy(ret_tensors, tensors, count * sizeof *tensors);
    return error->status;
}
