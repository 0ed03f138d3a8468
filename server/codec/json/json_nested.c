/*
 * json_nested.c - see json_nested.h.
 */
#include "server/codec/json/json_nested.h"

#include "server/codec/json/json_parts.h"
#include "server/codec/json/numbers.h"

#include <assert.h>

enum { NUMBER_BYTES_MAX = NUMBER_TEXT_BYTES_MAX + 1 };

/* Rows are the innermost arrays. */
struct nested {
    const struct ppm_tensor *tensor;
    size_t row_count, row_numbers;
    size_t rows_of[CODEC_JSON_NESTED_DEPTH_MAX - 1]; /* in an array, for each that has brackets */
    size_t levels;
    const struct codec_cancel *cancel;
};

/* A row with the brackets of arrays that begin and end with it, and a comma. NULL: cancelled. */
static char *print_row(const struct nested *nested, size_t row, char *to)
{
    const size_t first = row * nested->row_numbers;
    for (size_t level = 0; level < nested->levels; level++)
        if (row % nested->rows_of[level] == 0)
            *to++ = '[';
    to = codec_json_print_numbers(nested->tensor, first, first + nested->row_numbers,
                                  nested->cancel, to);
    if (!to)
        return NULL;
    to--; /* its last comma */
    for (size_t level = 0; level < nested->levels; level++)
        if ((row + 1) % nested->rows_of[level] == 0)
            *to++ = ']';
    *to++ = ',';
    return to;
}

static char *print_rows(const void *context, size_t first, size_t end, char *to)
{
    const struct nested *nested = context;
    const size_t rows_a_look = CODEC_SLICE_NUMBERS / nested->row_numbers + 1;
    struct ppm_error ignored = {0};
    for (size_t row = first; to && row < end; row++)
        to = row % rows_a_look == 0 && codec_check(nested->cancel, &ignored) != PPM_OK
                 ? NULL
                 : print_row(nested, row, to);
    return to;
}

static struct nested describe(const struct ppm_tensor *tensor, const size_t *extents, size_t depth)
{
    struct nested nested = {
        .tensor = tensor, .row_numbers = extents[depth - 1], .row_count = 1, .levels = depth - 1};
    assert(depth >= 2 && depth <= CODEC_JSON_NESTED_DEPTH_MAX);
    for (size_t level = depth - 1; level-- > 0;) {
        nested.rows_of[level] = nested.row_count;
        nested.row_count *= extents[level];
    }
    return nested;
}

enum ppm_status codec_json_write_nested(const struct ppm_tensor *tensor, const size_t *extents,
                                        size_t depth, int threads,
                                        const struct codec_cancel *cancel, char *memory,
                                        char **ret_end, struct ppm_error *error)
{
    struct nested nested = describe(tensor, extents, depth);
    nested.cancel = cancel;
    const struct json_items items = {.count = nested.row_count,
                                     .bytes_max =
                                         NUMBER_BYTES_MAX * nested.row_numbers + 2 * nested.levels,
                                     .numbers = nested.row_count * nested.row_numbers,
                                     .print = print_rows,
                                     .context = &nested};
    return codec_json_print_items(&items, threads, memory, ret_end, error);
}
