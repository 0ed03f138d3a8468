/*
 * quote.h - untrusted input in sentences and in JSON.
 */
#ifndef PPM_SERVER_CODEC_QUOTE_H
#define PPM_SERVER_CODEC_QUOTE_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    CODEC_QUOTE_BYTES = 40, /* of untrusted input that a sentence repeats */
    CODEC_QUOTED_BYTES = 4 * CODEC_QUOTE_BYTES + 4,
    CODEC_NAME_BYTES_MAX = 768, /* of a model's name as a JSON string */
};

/* Copies at most CODEC_QUOTE_BYTES bytes: printable ASCII as it is, any other byte as \xNN; ends
 * with "..." when it was cut short. Returns ret_text. */
const char *codec_quote(const char *bytes, size_t byte_count, char ret_text[CODEC_QUOTED_BYTES]);

/* How to send a body of another kind (ppm_looks_like), with "; " before it; "" where there is no
 * advice. */
const char *codec_hint(const char *kind);

/* model as the inside of a JSON string; PPM_TOO_LARGE when it does not fit. */
enum ppm_status codec_escape(const char *model, char ret_text[CODEC_NAME_BYTES_MAX + 1],
                             struct ppm_error *error);

static inline bool codec_is_text(const char *bytes, size_t byte_count, const char *text)
{
    return byte_count == strlen(text) && memcmp(bytes, text, byte_count) == 0;
}

#endif
