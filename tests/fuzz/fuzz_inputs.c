/* fuzz_inputs.c - the inputs of a model in one safetensors body: they are in the body, one after
 * the other, without gaps, and a file written from them says the same. */
#include "server/codec/raw/safetensors_read.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 1 << 14, INPUTS = 2 };

static const struct ppm_input_info inputs[INPUTS] = {{"c2", 2}, {"c5", 3}};
static const struct codec_expectation expectation = {.layout = PPM_NCHW, .model = "m"};

static size_t bytes_of(const struct codec_safetensor *found)
{
    const struct ppm_shape s = found->tensor.shape;
    return s.n * s.c * s.h * s.w * codec_dtype_bytes(found->dtype);
}

static size_t header_bytes_of(const char *body)
{
    size_t bytes;
    memcpy(&bytes, body, sizeof bytes);
    return bytes;
}

static void check_places(const char *body, size_t size, const struct codec_safetensor found[INPUTS])
{
    const char *data = body + 8 + header_bytes_of(body), *end = body + size;
    const size_t bytes[] = {bytes_of(&found[0]), bytes_of(&found[1])};
    const bool is_first = found[0].bytes == data;
    FUZZ_CHECK(found[is_first ? 0 : 1].bytes == data, "no tensor is at the beginning");
    FUZZ_CHECK(found[is_first ? 1 : 0].bytes == data + bytes[is_first ? 0 : 1],
               "the second tensor is not after the first");
    FUZZ_CHECK(data + bytes[0] + bytes[1] == end, "the tensors do not end with the body");
    for (size_t i = 0; i < INPUTS; i++) {
        const void *values = found[i].tensor.data;
        FUZZ_CHECK(!values || (values == found[i].bytes && found[i].dtype == CODEC_FLOAT32),
                   "values that are not the body's");
        FUZZ_CHECK(found[i].tensor.shape.c == inputs[i].channels, "another number of channels");
    }
}

/* The same tensors with c5 first. */
static void check_written_again(const struct codec_safetensor found[INPUTS])
{
    static const char *const names[] = {"F32", "F16", "BF16"};
    const size_t first = bytes_of(&found[1]), all = first + bytes_of(&found[0]);
    char header[512];
    size_t axes[INPUTS][4], counts[INPUTS], used = 1;
    header[0] = '{';
    for (size_t k = 0; k < INPUTS; k++) {
        const size_t i = INPUTS - 1 - k;
        counts[i] = ppm_tensor_axes(&found[i].tensor, axes[i]);
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", k ? "," : "",
                                 inputs[i].name, names[found[i].dtype]);
        for (size_t axis = 0; axis < counts[i]; axis++)
            used += (size_t)snprintf(header + used, sizeof header - used, "%s%zu", axis ? "," : "",
                                     axes[i][axis]);
        used += (size_t)snprintf(header + used, sizeof header - used,
                                 "],\"data_offsets\":[%zu,%zu]}", k ? first : 0, k ? all : first);
    }
    header[used++] = '}';
    char *file = malloc(8 + used + all);
    FUZZ_CHECK(file, "out of memory");
    memcpy(file, &used, sizeof used);
    memcpy(file + 8, header, used);
    memcpy(file + 8 + used, found[1].bytes, first);
    memcpy(file + 8 + used + first, found[0].bytes, all - first);
    struct codec_safetensor again[INPUTS];
    struct ppm_error error = {0};
    FUZZ_CHECK(codec_safetensors_read(file, 8 + used + all, inputs, INPUTS, &expectation, again,
                                      &error) == PPM_OK,
               "%.*s: %s", (int)used, header, error.text);
    for (size_t i = 0; i < INPUTS; i++) {
        size_t other[4];
        FUZZ_CHECK(ppm_tensor_axes(&again[i].tensor, other) == counts[i] &&
                       memcmp(other, axes[i], counts[i] * sizeof *other) == 0 &&
                       again[i].dtype == found[i].dtype &&
                       memcmp(again[i].bytes, found[i].bytes, bytes_of(&found[i])) == 0,
                   "%.*s says something else", (int)used, header);
    }
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > BODY_BYTES_MAX)
        return 0;
    struct codec_safetensor found[INPUTS];
    struct ppm_error error = {0};
    char *body = malloc(size ? size : 1); /* nothing may be read after it */
    FUZZ_CHECK(body, "out of memory");
    memcpy(body, data, size);
    if (codec_safetensors_read(body, size, inputs, INPUTS, &expectation, found, &error) == PPM_OK) {
        check_places(body, size, found);
        check_written_again(found);
    } else {
        fuzz_check_error(&error);
    }
    free(body);
    return 0;
}
