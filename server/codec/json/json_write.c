/*
 * json_write.c - see json_write.h.
 */
#include "server/codec/json/json_write.h"

#include "server/codec/axes.h"
#include "server/codec/json/json_parts.h"
#include "server/codec/quote.h"

#include <stdio.h>
#include <string.h>

/* ---- the numbers ----------------------------------------------------------------------------- */

struct elements {
    const struct ppm_tensor *tensor;
    const struct codec_cancel *cancel;
};

static char *print_elements(const void *context, size_t first, size_t end, char *to)
{
    const struct elements *elements = context;
    struct ppm_error ignored = {0};
    if (codec_check(elements->cancel, &ignored) != PPM_OK)
        return NULL;
    return codec_json_print_numbers(elements->tensor, first, end, elements->cancel, to);
}

enum ppm_status codec_json_write_elements(const struct ppm_tensor *tensor, int threads,
                                          const struct codec_cancel *cancel, char *memory,
                                          char **ret_end, struct ppm_error *error)
{
    const struct ppm_shape s = tensor->shape;
    const struct elements elements = {tensor, cancel};
    const struct json_items items = {.count = s.n * s.c * s.h * s.w,
                                     .bytes_max = CODEC_JSON_ELEMENT_BYTES_MAX,
                                     .numbers = s.n * s.c * s.h * s.w,
                                     .print = print_elements,
                                     .context = &elements};
    return codec_json_print_items(&items, threads, memory, ret_end, error);
}

/* ---- the whole ------------------------------------------------------------------------------- */

enum ppm_status codec_json_write(const struct codec_answer *answer, char *memory, size_t *ret_bytes,
                                 struct ppm_error *error)
{
    const struct ppm_tensor *tensor = answer->tensor;
    char name[CODEC_NAME_BYTES_MAX + 1], shape[CODEC_AXES_TEXT_BYTES];
    size_t axes[4];
    if (codec_escape(answer->model, name, error) != PPM_OK)
        return error->status;
    codec_axes_text(axes, ppm_tensor_axes(tensor, axes), shape);
    char *to = memory;
    to += sprintf(to,
                  "{\"model\": \"%s\", \"shape\": %s, \"dtype\": \"%s\", \"layout\": \"%s\", "
                  "\"data\": [",
                  name, shape, ppm_dtype_name(tensor->dtype), ppm_layout_name(tensor->layout));
    if (codec_json_write_elements(tensor, answer->threads, answer->cancel, to, &to, error) !=
        PPM_OK)
        return error->status;
    memcpy(to, "]}", 2);
    *ret_bytes = (size_t)(to + 2 - memory);
    return PPM_OK;
}
