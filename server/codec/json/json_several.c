/*
 * json_several.c - see json_several.h.
 */
#include "server/codec/json/json_several.h"

#include "server/codec/axes.h"
#include "server/codec/json/json_write.h"
#include "server/codec/quote.h"

#include <inttypes.h>

static char *write_about(char *to, const struct codec_several *several, const char *model)
{
    const struct ppm_stage_times *times = &several->times;
    return codec_append(to,
                        "{\"model\": \"%s\", \"layout\": \"%s\", \"times_ms\": {\"pool\": %.4f, "
                        "\"branches\": %.4f, \"head\": %.4f, \"output\": %.4f}, \"flops\": "
                        "{\"literal\": %" PRIu64 ", \"folded\": %" PRIu64 "}, \"stages\": [",
                        model, ppm_layout_name(several->layout), times->pool_ms, times->branches_ms,
                        times->head_ms, times->output_ms, several->flops_literal,
                        several->flops_folded);
}

/* A tensor up to its first number. */
static char *write_head(char *to, const struct ppm_stage *stage)
{
    char shape[CODEC_AXES_TEXT_BYTES];
    size_t axes[4];
    codec_axes_text(axes, ppm_tensor_axes(&stage->tensor, axes), shape);
    return codec_append(to, "{\"name\": \"%s\", \"shape\": %s, \"dtype\": \"%s\", \"data\": [",
                        stage->name, shape, ppm_dtype_name(stage->tensor.dtype));
}

enum ppm_status codec_json_write_several(const struct codec_several *several, char *memory,
                                         struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    const struct ppm_stages *stages = several->list;
    char model[CODEC_NAME_BYTES_MAX + 1];
    if (codec_escape(several->model, model, error) != PPM_OK)
        return error->status;
    char *to = write_about(memory, several, model);
    for (size_t i = 0; i < stages->count; i++) {
        to = write_head(codec_append(to, "%s", i > 0 ? ", " : ""), &stages->list[i]);
        if (codec_json_write_elements(&stages->list[i].tensor, several->threads, several->cancel,
                                      to, &to, error) != PPM_OK)
            return error->status;
        to = codec_append(to, "]}");
    }
    to = codec_append(to, "]}");
    *ret_bytes = (struct codec_bytes){.data = memory, .size = (size_t)(to - memory)};
    return PPM_OK;
}
