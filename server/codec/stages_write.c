/* stages_write.c - several tensors by name, as JSON or as a safetensors file. */
#include "server/codec/codec_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ABOUT_BYTES_MAX = 2048, /* of all but the tensors: a model's name, numbers */
    STAGE_BYTES_MAX = 256,  /* of a tensor without its data */
};

size_t codec_stages_head_bytes_max(size_t count)
{
    const size_t bytes = ABOUT_BYTES_MAX + count * STAGE_BYTES_MAX;
    return bytes + (0 - bytes) % 64;
}

size_t codec_stages_json_bytes_max(size_t count, size_t bytes)
{
    size_t bytes_max;
    return __builtin_mul_overflow(bytes / sizeof(float), (size_t)CODEC_JSON_ELEMENT_BYTES_MAX,
                                  &bytes_max) ||
                   __builtin_add_overflow(bytes_max, codec_stages_head_bytes_max(count), &bytes_max)
               ? SIZE_MAX
               : bytes_max;
}

/* Appends to text of at most codec_stages_head_bytes_max bytes. */
static char *append(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *append(char *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int bytes = vsnprintf(to, ABOUT_BYTES_MAX, format, arguments);
    va_end(arguments);
    assert(bytes >= 0 && bytes < ABOUT_BYTES_MAX);
    return to + bytes;
}

static size_t data_bytes(const struct ppm_tensor *tensor)
{
    const struct ppm_shape s = tensor->shape;
    return s.n * s.c * s.h * s.w * sizeof(float);
}

static const char *shape_text(const struct ppm_tensor *tensor, char ret_text[CODEC_AXES_TEXT_BYTES])
{
    size_t axes[4];
    return codec_axes_text(axes, ppm_tensor_axes(tensor, axes), ret_text);
}

/* ---- safetensors ---- */

static char *write_metadata(char *to, const struct codec_about *about, const char *model)
{
    const struct ppm_stage_times *times = &about->times;
    return append(
        to,
        "{\"__metadata__\": {\"model\": \"%s\", \"layout\": \"%s\", \"pool_ms\": \"%.4f\", "
        "\"branches_ms\": \"%.4f\", \"head_ms\": \"%.4f\", \"output_ms\": \"%.4f\", "
        "\"flops_literal\": \"%" PRIu64 "\", \"flops_folded\": \"%" PRIu64 "\"}",
        model, ppm_layout_name(about->layout), times->pool_ms, times->branches_ms, times->head_ms,
        times->output_ms, about->flops_literal, about->flops_folded);
}

enum ppm_status codec_stages_as_safetensors(const struct ppm_stages *stages,
                                            const struct codec_about *about,
                                            struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    char model[CODEC_NAME_BYTES_MAX + 1], shape[CODEC_AXES_TEXT_BYTES];
    char *const data = stages->list[0].tensor.data;
    char *const start = data - codec_stages_head_bytes_max(stages->count) + 8;
    size_t begin = 0;
    if (codec_json_escape(about->model, model, error) != PPM_OK)
        return error->status;
    char *to = write_metadata(start, about, model);
    for (size_t i = 0; i < stages->count; i++) {
        const struct ppm_stage *stage = &stages->list[i];
        const size_t end = begin + data_bytes(&stage->tensor);
        assert((char *)stage->tensor.data == data + begin);
        to =
            append(to, ", \"%s\": {\"dtype\": \"%s\", \"shape\": %s, \"data_offsets\": [%zu, %zu]}",
                   stage->name, stage->tensor.dtype == PPM_FLOAT32 ? "F32" : "I32",
                   shape_text(&stage->tensor, shape), begin, end);
        begin = end;
    }
    *to++ = '}';
    while ((to - start) % 8 != 0) /* spaces may follow, so that the data is aligned in a file */
        *to++ = ' ';
    const uint64_t text_bytes = (uint64_t)(to - start);
    ret_bytes->data = data - text_bytes - 8;
    ret_bytes->size = 8 + text_bytes + begin;
    memmove(data - text_bytes, start, text_bytes);
    for (int i = 0; i < 8; i++)
        ret_bytes->data[i] = (char)(text_bytes >> (8 * i));
    return PPM_OK;
}

/* ---- JSON ---- */

enum ppm_status codec_stages_as_json(const struct ppm_stages *stages,
                                     const struct codec_about *about, int threads,
                                     const struct codec_cancel *cancel, char *memory,
                                     size_t *ret_bytes, struct ppm_error *error)
{
    const struct ppm_stage_times *times = &about->times;
    char model[CODEC_NAME_BYTES_MAX + 1], shape[CODEC_AXES_TEXT_BYTES];
    if (codec_json_escape(about->model, model, error) != PPM_OK)
        return error->status;
    char *to = append(memory,
                      "{\"model\": \"%s\", \"layout\": \"%s\", \"times_ms\": {\"pool\": %.4f, "
                      "\"branches\": %.4f, \"head\": %.4f, \"output\": %.4f}, \"flops\": "
                      "{\"literal\": %" PRIu64 ", \"folded\": %" PRIu64 "}, \"stages\": [",
                      model, ppm_layout_name(about->layout), times->pool_ms, times->branches_ms,
                      times->head_ms, times->output_ms, about->flops_literal, about->flops_folded);
    for (size_t i = 0; i < stages->count; i++) {
        const struct ppm_stage *stage = &stages->list[i];
        to = append(to, "%s{\"name\": \"%s\", \"shape\": %s, \"dtype\": \"%s\", \"data\": [",
                    i > 0 ? ", " : "", stage->name, shape_text(&stage->tensor, shape),
                    ppm_dtype_name(stage->tensor.dtype));
        if (codec_json_write_elements(&stage->tensor, threads, cancel, to, &to, error) != PPM_OK)
            return error->status;
        to = append(to, "]}");
    }
    to = append(to, "]}");
    *ret_bytes = (size_t)(to - memory);
    return PPM_OK;
}
