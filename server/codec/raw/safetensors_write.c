/*
 * safetensors_write.c - see safetensors_write.h.
 */
#include "server/codec/raw/safetensors_write.h"

#include "server/codec/axes.h"
#include "server/codec/quote.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static size_t data_bytes(const struct ppm_tensor *tensor)
{
    const struct ppm_shape s = tensor->shape;
    return s.n * s.c * s.h * s.w * sizeof(float);
}

static char *write_metadata(char *to, const struct codec_several *several, const char *model)
{
    const struct ppm_stage_times *times = &several->times;
    return codec_append(
        to,
        "{\"__metadata__\": {\"model\": \"%s\", \"layout\": \"%s\", \"pool_ms\": \"%.4f\", "
        "\"branches_ms\": \"%.4f\", \"head_ms\": \"%.4f\", \"output_ms\": \"%.4f\", "
        "\"flops_literal\": \"%" PRIu64 "\", \"flops_folded\": \"%" PRIu64 "\"}",
        model, ppm_layout_name(several->layout), times->pool_ms, times->branches_ms, times->head_ms,
        times->output_ms, several->flops_literal, several->flops_folded);
}

/* A tensor whose data is the bytes [begin, end). */
static char *write_tensor(char *to, const struct ppm_stage *stage, size_t begin, size_t end)
{
    char shape[CODEC_AXES_TEXT_BYTES];
    size_t axes[4];
    codec_axes_text(axes, ppm_tensor_axes(&stage->tensor, axes), shape);
    return codec_append(
        to, ", \"%s\": {\"dtype\": \"%s\", \"shape\": %s, \"data_offsets\": [%zu, %zu]}",
        stage->name, stage->tensor.dtype == PPM_FLOAT32 ? "F32" : "I32", shape, begin, end);
}

enum ppm_status codec_safetensors_write(const struct codec_several *several, char *memory,
                                        struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    const struct ppm_stages *stages = several->list;
    char model[CODEC_NAME_BYTES_MAX + 1];
    char *const data = stages->list[0].tensor.data;
    char *const start = data - codec_several_head_bytes_max(stages->count) + 8;
    size_t begin = 0;
    (void)memory;
    if (codec_escape(several->model, model, error) != PPM_OK)
        return error->status;
    char *to = write_metadata(start, several, model);
    for (size_t i = 0; i < stages->count; i++) {
        const struct ppm_stage *stage = &stages->list[i];
        const size_t end = begin + data_bytes(&stage->tensor);
        assert((char *)stage->tensor.data == data + begin);
        to = write_tensor(to, stage, begin, end);
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
