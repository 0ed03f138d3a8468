/*
 * json_text.c - see json_text.h.
 */
#include "server/codec/json/json_text.h"

#include "server/codec/json/json_array.h"
#include "server/codec/quote.h"

#include <string.h>

/* The array's text, and how far it has been read. */
struct text {
    const char *name, *start, *at, *end;
    struct ppm_error *error;
};

static void skip_space(struct text *text)
{
    while (text->at < text->end && codec_json_is_space(*text->at))
        text->at++;
}

static enum ppm_status refuse(const struct text *text, const char *expected)
{
    char found[CODEC_QUOTED_BYTES];
    const size_t left = (size_t)(text->end - text->at);
    return ppm_fail(text->error, PPM_MALFORMED, "%.16s at byte %zu: found %s, expected %s",
                    text->name, (size_t)(text->at - text->start),
                    left > 0 ? codec_quote(text->at, size_min(left, 8), found)
                             : "the end of the body",
                    expected);
}

/* The mark, and the space around it. */
static enum ppm_status pass(struct text *text, char mark, const char *expected)
{
    skip_space(text);
    if (text->at == text->end || *text->at != mark)
        return refuse(text, expected);
    text->at++;
    skip_space(text);
    return PPM_OK;
}

static bool is_at(const struct text *text, char mark)
{
    return text->at < text->end && *text->at == mark;
}

/* A string that begins here, with escapes as they are. */
static enum ppm_status pass_string(struct text *text, const char *expected,
                                   struct codec_json_text *ret_string)
{
    const char *const quote = text->at;
    if (!is_at(text, '"'))
        return refuse(text, expected);
    const char *close = memchr(quote + 1, '"', (size_t)(text->end - quote - 1));
    while (close && close[-1] == '\\') { /* of base64 no backslash is escaped itself */
        const char *next = close + 1;
        close = memchr(next, '"', (size_t)(text->end - next));
    }
    if (!close)
        return ppm_fail(text->error, PPM_MALFORMED,
                        "%.16s at byte %zu: the string does not end, expected a closing quote",
                        text->name, (size_t)(quote - text->start));
    ret_string->start = (size_t)(quote + 1 - text->start);
    ret_string->bytes = (size_t)(close - quote - 1);
    text->at = close + 1;
    skip_space(text);
    return PPM_OK;
}

enum { NESTING_MAX = 2 }; /* {"image_bytes": {"b64": "..."}} */

bool codec_json_is_text(const char *body, size_t body_bytes, size_t start)
{
    size_t at = start + 1;
    while (at < body_bytes && codec_json_is_space(body[at]))
        at++;
    return at < body_bytes && (body[at] == '"' || body[at] == '{');
}

enum ppm_status codec_json_find_text(const char *name, const char *body, size_t body_bytes,
                                     size_t start, struct codec_json_text *ret_text,
                                     size_t *ret_end, struct ppm_error *error)
{
    static const char an_image[] = "an image as {\"b64\": \"...\"}";
    struct text text = {name, body, body + start, body + body_bytes, error};
    struct codec_json_text string = {0}, key = {0};
    size_t depth = 0;
    if (pass(&text, '[', "an array") != PPM_OK)
        return error->status;
    for (; depth < NESTING_MAX && is_at(&text, '{'); depth++)
        if (pass(&text, '{', an_image) != PPM_OK || pass_string(&text, an_image, &key) != PPM_OK ||
            pass(&text, ':', "':'") != PPM_OK)
            return error->status;
    if (pass_string(&text, an_image, &string) != PPM_OK)
        return error->status;
    for (; depth > 0; depth--)
        if (pass(&text, '}', "'}', as an image has one member") != PPM_OK)
            return error->status;
    if (is_at(&text, ','))
        return refuse(&text, "']', as a request has one image");
    if (string.bytes == 0)
        return ppm_fail(error, PPM_MALFORMED, "%.16s at byte %zu: found \"\", expected %s", name,
                        string.start - 1, an_image);
    if (pass(&text, ']', "']'") != PPM_OK)
        return error->status;
    *ret_text = string;
    *ret_end = (size_t)(text.at - body);
    return PPM_OK;
}
