/*
 * json_nested.c - see json_nested.h.
 */
#include "server/codec/json/json_nested.h"

#include "server/codec/json/numbers.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

enum {
    PARTS_MAX = 256,
    PART_COUNT_MIN = 2048, /* numbers that are worth another thread */
    NUMBER_BYTES_MAX = NUMBER_TEXT_BYTES_MAX + 1,
};

/* What the threads share: each prints a range of rows, which are the innermost arrays, where it
 * would begin if all rows before it had their maximal length. */
struct nested {
    const struct ppm_tensor *tensor;
    size_t row_count, row_numbers, row_bytes_max;
    size_t rows_of[CODEC_JSON_NESTED_DEPTH_MAX - 1]; /* in an array, for each that has brackets */
    size_t levels, parts;
    const struct codec_cancel *cancel;
    char *to;
    atomic_bool is_cancelled;
    size_t bytes[PARTS_MAX]; /* of each part */
};

static size_t first_row(const struct nested *nested, size_t part)
{
    const size_t each = nested->row_count / nested->parts, rest = nested->row_count % nested->parts;
    return part * each + size_min(part, rest);
}

/* The numbers [first, end), each followed by a comma, with room as numbers.h asks for. */
static char *print_numbers(const struct ppm_tensor *tensor, size_t first, size_t end, char *to)
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

/* A row's numbers, of which the last must not write beyond its own bytes. NULL: cancelled. */
static char *print_row_numbers(struct nested *nested, size_t row, char *to)
{
    char text[NUMBER_ROOM_BYTES + 1];
    struct ppm_error ignored = {0};
    const size_t first = row * nested->row_numbers, last = first + nested->row_numbers - 1;
    for (size_t at = first, end; at < last; at = end) {
        end = last - at < CODEC_SLICE_NUMBERS ? last : at + CODEC_SLICE_NUMBERS;
        if (end - at == CODEC_SLICE_NUMBERS && codec_check(nested->cancel, &ignored) != PPM_OK)
            return NULL;
        to = print_numbers(nested->tensor, at, end, to);
    }
    const size_t bytes =
        (size_t)(print_numbers(nested->tensor, last, last + 1, text) - text) - 1; /* no comma */
    memcpy(to, text, bytes);
    return to + bytes;
}

/* A row with the brackets of arrays that begin and end with it, and a comma. NULL: cancelled. */
static char *print_row(struct nested *nested, size_t row, char *to)
{
    for (size_t level = 0; level < nested->levels; level++)
        if (row % nested->rows_of[level] == 0)
            *to++ = '[';
    to = print_row_numbers(nested, row, to);
    if (!to)
        return NULL;
    for (size_t level = 0; level < nested->levels; level++)
        if ((row + 1) % nested->rows_of[level] == 0)
            *to++ = ']';
    *to++ = ',';
    return to;
}

static void print_part(void *context, int index)
{
    struct nested *nested = context;
    const size_t part = (size_t)index, end = first_row(nested, part + 1);
    const size_t rows_a_look = CODEC_SLICE_NUMBERS / nested->row_numbers + 1;
    size_t row = first_row(nested, part);
    char *const start = nested->to + nested->row_bytes_max * row;
    char *to = start;
    struct ppm_error ignored = {0};
    for (; to && row < end; row++)
        to = row % rows_a_look == 0 && codec_check(nested->cancel, &ignored) != PPM_OK
                 ? NULL
                 : print_row(nested, row, to);
    if (to)
        nested->bytes[part] = (size_t)(to - start);
    else
        atomic_store(&nested->is_cancelled, true);
}

static struct nested describe(const struct ppm_tensor *tensor, const size_t *extents, size_t depth)
{
    const size_t width = extents[depth - 1];
    struct nested nested = {
        .tensor = tensor, .row_numbers = width, .row_count = 1, .levels = depth - 1};
    assert(depth >= 2 && depth <= CODEC_JSON_NESTED_DEPTH_MAX);
    for (size_t level = depth - 1; level-- > 0;) {
        nested.rows_of[level] = nested.row_count;
        nested.row_count *= extents[level];
    }
    nested.row_bytes_max = NUMBER_BYTES_MAX * width + 2 * nested.levels;
    return nested;
}

enum ppm_status codec_json_write_nested(const struct ppm_tensor *tensor, const size_t *extents,
                                        size_t depth, int threads,
                                        const struct codec_cancel *cancel, char *memory,
                                        char **ret_end, struct ppm_error *error)
{
    struct nested nested = describe(tensor, extents, depth);
    const size_t parts_max = nested.row_count * nested.row_numbers / PART_COUNT_MIN;
    nested.to = memory;
    nested.cancel = cancel;
    nested.parts = size_min(size_min((size_t)threads, PARTS_MAX),
                            size_max(size_min(parts_max, nested.row_count), 1));
    if (nested.parts == 1)
        print_part(&nested, 0);
    else
        ppm_on_threads((int)nested.parts, print_part, &nested);
    if (atomic_load(&nested.is_cancelled))
        return ppm_fail(error, PPM_CANCELLED, "nobody waits for it any more");
    size_t bytes = nested.bytes[0];
    for (size_t part = 1; part < nested.parts; part++) {
        memmove(memory + bytes, memory + nested.row_bytes_max * first_row(&nested, part),
                nested.bytes[part]);
        bytes += nested.bytes[part];
    }
    *ret_end = memory + bytes - 1; /* drops the last comma */
    return PPM_OK;
}
