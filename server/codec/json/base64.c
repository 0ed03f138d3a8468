/*
 * base64.c - see base64.h.
 */
#include "server/codec/json/base64.h"

#include "server/codec/quote.h"

#include <nettle/base64.h>
#include <string.h>

size_t codec_base64_bytes_max(size_t text_bytes)
{
    return text_bytes / 4 * 3 + 3;
}

/* The character that the escape at text stands for, and its length. '\0': none of base64. */
static char unescape(const char *text, size_t text_bytes, size_t *ret_length)
{
    static const struct {
        const char *escape;
        char character;
    } known[] = {{"\\/", '/'},     {"\\n", '\n'},    {"\\r", '\r'},
                 {"\\u002f", '/'}, {"\\u002F", '/'}, {"\\u002b", '+'},
                 {"\\u002B", '+'}, {"\\u003d", '='}, {"\\u003D", '='}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        *ret_length = strlen(known[i].escape);
        if (text_bytes >= *ret_length && memcmp(text, known[i].escape, *ret_length) == 0)
            return known[i].character;
    }
    return '\0';
}

static enum ppm_status refuse(const char *name, const char *text, size_t at, size_t text_bytes,
                              struct ppm_error *error)
{
    char found[CODEC_QUOTED_BYTES];
    return ppm_fail(error, PPM_MALFORMED,
                    "%.16s: found no base64 in \"%s\", characters %zu and on, expected A-Z a-z 0-9 "
                    "+ / and = at the end",
                    name, codec_quote(text + at, size_min(text_bytes - at, 8), found), at);
}

/* The first of some characters that the decoder refuses. */
static size_t find_refused(struct base64_decode_ctx decoder, const char *text, size_t count)
{
    uint8_t ignored;
    size_t at = 0;
    while (at < count && base64_decode_single(&decoder, &ignored, text[at]) >= 0)
        at++;
    return at;
}

enum ppm_status codec_base64_decode(const char *name, const char *text, size_t text_bytes,
                                    const struct codec_cancel *cancel, char *ret_bytes,
                                    size_t *ret_count, struct ppm_error *error)
{
    struct base64_decode_ctx decoder;
    size_t count = 0, length;
    base64_decode_init(&decoder);
    for (size_t at = 0; at < text_bytes; at += length) {
        const struct base64_decode_ctx before = decoder;
        const char *from = text + at;
        const size_t some = size_min(text_bytes - at, CODEC_SLICE_BYTES);
        const char *escape = memchr(from, '\\', some);
        size_t characters = length = escape ? (size_t)(escape - from) : some, decoded = 0;
        char character;
        if (codec_check(cancel, error) != PPM_OK)
            return error->status;
        if (escape == from) {
            character = unescape(from, text_bytes - at, &length);
            from = &character;
            characters = 1;
        }
        if (!base64_decode_update(&decoder, &decoded, (uint8_t *)ret_bytes + count, characters,
                                  from))
            return refuse(name, text, at + find_refused(before, from, characters), text_bytes,
                          error);
        count += decoded;
    }
    if (!base64_decode_final(&decoder))
        return ppm_fail(error, PPM_MALFORMED,
                        "%.16s: found base64 that ends within a group of 4, expected = up to its "
                        "end",
                        name);
    *ret_count = count;
    return PPM_OK;
}
