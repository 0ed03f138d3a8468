/*
 * json_array.h - the numbers of a JSON body.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_ARRAY_H
#define PPM_SERVER_CODEC_JSON_JSON_ARRAY_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

#include <stdbool.h>
#include <stddef.h>

static inline bool codec_json_is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

enum { CODEC_JSON_DEPTH_MAX = 4 };

/* An array of numbers, flat or nested: as regular as a tensor. */
struct codec_json_array {
    size_t depth;                         /* 1: flat; 0: no number has been read */
    size_t extents[CODEC_JSON_DEPTH_MAX]; /* outermost first, depth of them */
    size_t count;                         /* numbers in all */
};

/* An array, as far as it has been read; starts as {.name, .at, .values, .capacity}. */
struct codec_json_scan {
    const char *name; /* in sentences: the key of its member */
    size_t at;        /* all before it has been read; first the array's '[' */
    float *values; /* of the first capacity numbers, null as NaN; others are checked and counted */
    size_t capacity;
    size_t depth;                      /* arrays open */
    size_t done[CODEC_JSON_DEPTH_MAX]; /* elements read of each of them */
    bool is_after_value;               /* a comma or bracket is next */
    bool is_done;
    const struct codec_cancel *cancel; /* asked once the body is whole; may be NULL */
    struct codec_json_array array;
};

/* Goes on to the array's own ']' or to the end of the body, which may grow later (!is_whole).
 * PPM_MALFORMED, naming the element and its byte, for anything but a regular array of numbers; the
 * same call with more of the body says it again. */
enum ppm_status codec_json_scan(struct codec_json_scan *scan, const char *body, size_t body_bytes,
                                bool is_whole, struct ppm_error *error);

#endif
