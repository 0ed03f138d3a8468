/*
 * json_parts.c - see json_parts.h.
 */
#include "server/codec/json/json_parts.h"

#include "server/codec/json/numbers.h"

#include <stdatomic.h>
#include <string.h>

enum {
    PARTS_MAX = 256,
    PART_NUMBERS_MIN = 2048, /* worth another thread: some 30 us of printing */
};

struct printing {
    const struct json_items *items;
    size_t parts;
    char *to;
    atomic_bool is_cancelled;
    size_t bytes[PARTS_MAX]; /* of each part */
};

static size_t part_start(const struct printing *printing, size_t part)
{
    const size_t count = printing->items->count;
    const size_t each = count / printing->parts, rest = count % printing->parts;
    return part * each + size_min(part, rest);
}

static void print_part(void *context, int index)
{
    struct printing *printing = context;
    const struct json_items *items = printing->items;
    const size_t part = (size_t)index, first = part_start(printing, part);
    char *const start = printing->to + items->bytes_max * first;
    char *end = items->print(items->context, first, part_start(printing, part + 1), start);
    if (end)
        printing->bytes[part] = (size_t)(end - start);
    else
        atomic_store(&printing->is_cancelled, true);
}

enum ppm_status codec_json_print_items(const struct json_items *items, int threads, char *memory,
                                       char **ret_end, struct ppm_error *error)
{
    const size_t parts_max = size_min(items->numbers / PART_NUMBERS_MIN, items->count);
    struct printing printing = {.items = items, .to = memory};
    printing.parts = size_min(size_min((size_t)threads, PARTS_MAX), size_max(parts_max, 1));
    if (printing.parts == 1)
        print_part(&printing, 0);
    else
        ppm_on_threads((int)printing.parts, print_part, &printing);
    if (atomic_load(&printing.is_cancelled))
        return ppm_fail(error, PPM_CANCELLED, "nobody waits for it any more");
    size_t bytes = printing.bytes[0];
    for (size_t part = 1; part < printing.parts; part++) {
        memmove(memory + bytes, memory + items->bytes_max * part_start(&printing, part),
                printing.bytes[part]);
        bytes += printing.bytes[part];
    }
    *ret_end = memory + bytes - 1; /* drops the last comma */
    return PPM_OK;
}

/* With room as numbers.h asks for. */
static char *print_slice(const struct ppm_tensor *tensor, size_t first, size_t end, char *to)
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

char *codec_json_print_numbers(const struct ppm_tensor *tensor, size_t first, size_t end,
                               const struct codec_cancel *cancel, char *to)
{
    char text[NUMBER_ROOM_BYTES + 1]; /* the last number must not write beyond its own bytes */
    struct ppm_error ignored = {0};
    const size_t last = end - 1;
    for (size_t at = first, slice_end; at < last; at = slice_end) {
        slice_end = last - at < CODEC_SLICE_NUMBERS ? last : at + CODEC_SLICE_NUMBERS;
        if (slice_end - at == CODEC_SLICE_NUMBERS && codec_check(cancel, &ignored) != PPM_OK)
            return NULL;
        to = print_slice(tensor, at, slice_end, to);
    }
    const size_t bytes = (size_t)(print_slice(tensor, last, end, text) - text);
    memcpy(to, text, bytes);
    return to + bytes;
}
