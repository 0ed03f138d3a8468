/*
 * quote.c - see quote.h.
 */
#include "server/codec/quote.h"

#include <stdio.h>

const char *codec_quote(const char *bytes, size_t byte_count, char ret_text[CODEC_QUOTED_BYTES])
{
    const size_t kept = size_min(byte_count, CODEC_QUOTE_BYTES);
    char *to = ret_text;
    for (size_t i = 0; i < kept; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        if (byte >= 0x20 && byte < 0x7f)
            *to++ = (char)byte;
        else
            to += snprintf(to, 5, "\\x%02x", byte);
    }
    memcpy(to, kept < byte_count ? "..." : "", kept < byte_count ? 4 : 1);
    return ret_text;
}

const char *codec_hint(const char *kind)
{
    static const struct {
        const char *kind, *hint;
    } hints[] = {
        {"JSON", "; send JSON with Content-Type: application/json"},
        {"a NumPy .npy file", "; send it with Content-Type: application/x-npy"},
        {"gzip data", "; send it with Content-Encoding: gzip"},
        {"a UTF-16 byte order mark", "; JSON is UTF-8"},
        {"UTF-16 text", "; JSON is UTF-8"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].kind, kind) == 0)
            return hints[i].hint;
    return "";
}

enum ppm_status codec_escape(const char *model, char ret_text[CODEC_NAME_BYTES_MAX + 1],
                             struct ppm_error *error)
{
    size_t used = 0;
    for (const char *text = model; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (used + 6 > CODEC_NAME_BYTES_MAX)
            return ppm_fail(error, PPM_TOO_LARGE,
                            "the model's name takes more than %d bytes of JSON, expected fewer",
                            CODEC_NAME_BYTES_MAX);
        if (byte < 0x20)
            used += (size_t)sprintf(ret_text + used, "\\u%04x", byte);
        else if (byte == '"' || byte == '\\')
            used += (size_t)sprintf(ret_text + used, "\\%c", byte);
        else
            ret_text[used++] = *text;
    }
    ret_text[used] = '\0';
    return PPM_OK;
}
