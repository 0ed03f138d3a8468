/*
 * json_nested.h - numbers as nested arrays, by several threads.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_NESTED_H
#define PPM_SERVER_CODEC_JSON_JSON_NESTED_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

enum {
    CODEC_JSON_NESTED_DEPTH_MAX = 4,
    CODEC_JSON_NESTED_ELEMENT_BYTES_MAX = 22, /* a number, a comma, and three pairs of brackets */
};

/* The elements of tensor in the order of its memory, as arrays of these extents, outermost first,
 * 2 to 4 of them, whose product is their number: of the outermost array without its brackets. Into
 * memory of CODEC_JSON_NESTED_ELEMENT_BYTES_MAX bytes each. *ret_end is the first byte after them.
 * threads: of the caller's team. PPM_CANCELLED. */
enum ppm_status codec_json_write_nested(const struct ppm_tensor *tensor, const size_t *extents,
                                        size_t depth, int threads,
                                        const struct codec_cancel *cancel, char *memory,
                                        char **ret_end, struct ppm_error *error);

#endif
