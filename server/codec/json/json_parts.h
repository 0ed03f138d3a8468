/*
 * json_parts.h - numbers as text, by several threads.
 *
 * Each thread prints a range of items where it would begin if all items before it had their maximal
 * length; then the ranges are moved together.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_PARTS_H
#define PPM_SERVER_CODEC_JSON_JSON_PARTS_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

struct json_items {
    size_t count;     /* at least 1 */
    size_t bytes_max; /* of each, with its comma */
    size_t numbers;   /* in all of them: what a thread is worth */
    /* Prints the items [first, end), each followed by a comma, and nothing beyond their maximal
     * length. Returns the end of the text; NULL: cancelled. Called by several threads. */
    char *(*print)(const void *context, size_t first, size_t end, char *to);
    const void *context;
};

/* All items with commas between them, into memory of count * bytes_max bytes. *ret_end is the first
 * byte after them. threads: of the caller's team. PPM_CANCELLED. */
enum ppm_status codec_json_print_items(const struct json_items *items, int threads, char *memory,
                                       char **ret_end, struct ppm_error *error);

/* The numbers [first, end) of the tensor, at least one, each followed by a comma, in at most
 * NUMBER_TEXT_BYTES_MAX + 1 bytes. Asks cancel once in CODEC_SLICE_NUMBERS of them; returns NULL if
 * it says so. */
char *codec_json_print_numbers(const struct ppm_tensor *tensor, size_t first, size_t end,
                               const struct codec_cancel *cancel, char *to);

#endif
