/*
 * json_write.c - see json_write.h.
 */
#include "server/codec/json/json_write.h"

#include "server/codec/axes.h"
#include "server/codec/json/numbers.h"
#include "server/codec/quote.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum {
    PARTS_MAX = 256,
    PART_COUNT_MIN = 2048, /* numbers that are worth another thread: some 30 us of printing */
};

/* ---- the numbers ----------------------------------------------------------------------------- */

/* What the threads share: each prints a range of the elements where it would begin if all elements
 * before it had their maximal length. */
struct printing {
    const struct ppm_tensor *tensor;
    size_t count, parts;
    const struct codec_cancel *cancel;
    char *to;
    atomic_bool is_cancelled;
    size_t bytes[PARTS_MAX]; /* of each part */
};

static size_t part_start(const struct printing *printing, size_t part)
{
    const size_t each = printing->count / printing->parts, rest = printing->count % printing->parts;
    return part * each + size_min(part, rest);
}

/* The elements [first, end), each followed by a comma. */
static char *print_elements(const struct ppm_tensor *tensor, size_t first, size_t end, char *to)
{
    const int32_t *ints = tensor->data;
    if (tensor->dtype == PPM_FLOAT32)
        return number_write_list((const float *)tensor->data + first, end - first, to);
    for (size_t i = first; i < end; i++) {
        to = number_write_int32(ints[i], to);
        *to++ = ',';
    }
    return to;
}

static void print_part(void *context, int index)
{
    struct printing *printing = context;
    const size_t part = (size_t)index;
    const size_t first = part_start(printing, part), last = part_start(printing, part + 1) - 1;
    char *const start = printing->to + CODEC_JSON_ELEMENT_BYTES_MAX * first;
    char *end = start;
    struct ppm_error ignored = {0};
    for (size_t at = first, slice_end; at < last; at = slice_end) {
        slice_end = last - at < CODEC_SLICE_NUMBERS ? last : at + CODEC_SLICE_NUMBERS;
        if (codec_check(printing->cancel, &ignored) != PPM_OK) {
            atomic_store(&printing->is_cancelled, true);
            return;
        }
        end = print_elements(printing->tensor, at, slice_end, end);
    }
    char text[NUMBER_ROOM_BYTES + 1]; /* the last number must not write beyond its own bytes */
    const size_t bytes = (size_t)(print_elements(printing->tensor, last, last + 1, text) - text);
    memcpy(end, text, bytes);
    printing->bytes[part] = (size_t)(end - start) + bytes;
}

enum ppm_status codec_json_write_elements(const struct ppm_tensor *tensor, int threads,
                                          const struct codec_cancel *cancel, char *memory,
                                          char **ret_end, struct ppm_error *error)
{
    const struct ppm_shape s = tensor->shape;
    struct printing printing = {
        .tensor = tensor, .count = s.n * s.c * s.h * s.w, .cancel = cancel, .to = memory};
    const size_t parts_max = printing.count / PART_COUNT_MIN;
    printing.parts = threads < PARTS_MAX ? (size_t)threads : PARTS_MAX;
    if (printing.parts > parts_max)
        printing.parts = parts_max > 0 ? parts_max : 1;
    if (printing.parts == 1)
        print_part(&printing, 0);
    else
        ppm_on_threads((int)printing.parts, print_part, &printing);
    if (atomic_load(&printing.is_cancelled))
        return ppm_fail(error, PPM_CANCELLED, "nobody waits for it any more");

    size_t bytes = printing.bytes[0];
    for (size_t part = 1; part < printing.parts; part++) {
        memmove(memory + bytes, memory + CODEC_JSON_ELEMENT_BYTES_MAX * part_start(&printing, part),
                printing.bytes[part]);
        bytes += printing.bytes[part];
    }
    *ret_end = memory + bytes - 1; /* there is at least one; drops the last comma */
    return PPM_OK;
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
