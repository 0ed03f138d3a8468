/*
 * json_text.h - data of a JSON body that is a file, as a string of base64.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_TEXT_H
#define PPM_SERVER_CODEC_JSON_JSON_TEXT_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>

/* What is between the quotes of a string, which is not empty. */
struct codec_json_text {
    size_t start, bytes; /* in the body */
};

/* Whether the array at body + start begins with a string or an object; false as long as its first
 * item is not there. */
bool codec_json_is_text(const char *body, size_t body_bytes, size_t start);

/* Finds the string in the array at body + start, whose only item is "...", {"b64": "..."}, or one
 * of these under any one name: {"image_bytes": {"b64": "..."}}. *ret_end is after the ']'. name: of
 * the array, in sentences. PPM_MALFORMED for any other array. */
enum ppm_status codec_json_find_text(const char *name, const char *body, size_t body_bytes,
                                     size_t start, struct codec_json_text *ret_text,
                                     size_t *ret_end, struct ppm_error *error);

#endif
