/*
 * json_find.h - where the data of a JSON body is.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_FIND_H
#define PPM_SERVER_CODEC_JSON_JSON_FIND_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>

/* The text around a body's data, as far as it has been read; starts as {.list, .data, .found_max}.
 */
struct codec_json_frame {
    const char *list; /* as codec_reader_options.list */
    const char *data; /* the key of the data: codec_reader_options.key, or "data" */
    size_t found_max; /* data_max, at least 1 */
    enum {
        CODEC_JSON_START,
        CODEC_JSON_AROUND,
        CODEC_JSON_STRING,      /* within one */
        CODEC_JSON_BEFORE_DATA, /* after the colon of its key */
        CODEC_JSON_DATA,        /* at its '[' */
        CODEC_JSON_END,         /* of the object that the body is */
    } stage;
    size_t at;        /* everything before it has been read */
    size_t depth;     /* objects and arrays open */
    unsigned objects; /* bit d: the one that is open at depth d is an object */
    enum {
        CODEC_JSON_KEY_OTHER,
        CODEC_JSON_KEY_DATA,
        CODEC_JSON_KEY_SHAPE,
        CODEC_JSON_KEY_LIST
    } key; /* the last string */
    bool is_in_list;
    size_t string_start, string_bytes;
    size_t unknown_start, unknown_bytes; /* the first member of the body that no request has */
    size_t shape_at;             /* after the colon of a "shape" next to the data; 0: none so far */
    size_t found;                /* how often there was data */
    size_t data_start, data_end; /* from '[' to after ']', of the last one */
};

/* Goes on to the data's '[', to the end of the object or to the end of the body, which may grow
 * later (!is_whole). PPM_MALFORMED when body is no object, has the data too often or as anything
 * but an array, or nests the rest too deep; the same call with more of the body says it again. */
enum ppm_status codec_json_find_data(struct codec_json_frame *frame, const char *body,
                                     size_t body_bytes, bool is_whole, struct ppm_error *error);

/* Goes on after the data, whose ']' is before end. */
void codec_json_leave_data(struct codec_json_frame *frame, size_t end);

/* The same for data that codec_json_scan refused, by its brackets alone. False when it does not
 * end, or has a string, in which there may be brackets. */
bool codec_json_pass_data(struct codec_json_frame *frame, const char *body, size_t body_bytes);

#endif
