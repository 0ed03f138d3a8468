/*
 * negotiate.c - Content-Type and Accept: which form came, and which is to be answered.
 */
#include "server/codec/codec.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* A stretch of a header. */
struct span {
    const char *start;
    size_t bytes;
};

/* One element of Accept, such as "application/json;q=0.5". */
struct media_range {
    struct span type, subtype;
    int quality; /* in thousandths */
};

static bool is_token_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte));
}

/* All readers move *at behind what they read, never past end. */
static struct span read_token(const char **at, const char *end)
{
    struct span token = {.start = *at};
    while (*at < end && is_token_byte(**at))
        (*at)++;
    token.bytes = (size_t)(*at - token.start);
    return token;
}

static void skip_space(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
}

static bool skip_byte(const char **at, const char *end, char byte)
{
    if (*at == end || **at != byte)
        return false;
    (*at)++;
    return true;
}

static bool skip_quoted(const char **at, const char *end)
{
    if (!skip_byte(at, end, '"'))
        return false;
    for (; *at < end && **at != '"'; (*at)++) {
        if (**at == '\\' && *at + 1 < end)
            (*at)++;
    }
    return skip_byte(at, end, '"');
}

static bool span_is(struct span span, const char *text)
{
    return span.bytes == strlen(text) && strncasecmp(span.start, text, span.bytes) == 0;
}

static bool read_media_type(const char **at, const char *end, struct span *ret_type,
                            struct span *ret_subtype)
{
    skip_space(at, end);
    *ret_type = read_token(at, end);
    if (!skip_byte(at, end, '/'))
        return false;
    *ret_subtype = read_token(at, end);
    return ret_type->bytes > 0 && ret_subtype->bytes > 0;
}

/* "application" or "image" */
static bool is_type(enum codec_form form, struct span type)
{
    const char *media_type = codec_media_type(form);
    return type.bytes == strcspn(media_type, "/") &&
           strncasecmp(type.start, media_type, type.bytes) == 0;
}

static bool is_form(enum codec_form form, struct span type, struct span subtype)
{
    return is_type(form, type) && span_is(subtype, codec_media_type(form) + type.bytes + 1);
}

bool codec_form_from_media_type(const char *content_type, enum codec_form *ret_form)
{
    if (!content_type)
        return false;
    const char *at = content_type;
    const char *end = at + strlen(at);
    struct span type, subtype;
    if (!read_media_type(&at, end, &type, &subtype))
        return false;
    skip_space(&at, end);
    if (at != end && *at != ';')
        return false;
    for (int form = 0; form < CODEC_FORM_COUNT; form++) {
        if (is_form((enum codec_form)form, type, subtype)) {
            *ret_form = (enum codec_form)form;
            return true;
        }
    }
    return false;
}

/* ---- Accept ---------------------------------------------------------------------------------- */

/* 0 to 1 with up to three decimals (RFC 9110 12.4.2), in thousandths. */
static bool parse_quality(struct span text, int *ret_quality)
{
    if (text.bytes == 0 || text.bytes > 5 || (text.bytes > 1 && text.start[1] != '.'))
        return false;
    int quality = 0;
    int place = 1000;
    for (size_t i = 0; i < text.bytes; i++) {
        if (i == 1)
            continue;
        if (text.start[i] < '0' || text.start[i] > '9')
            return false;
        quality += (text.start[i] - '0') * place;
        place /= 10;
    }
    *ret_quality = quality;
    return quality <= 1000;
}

/* Reads what follows a ';': nothing, a name, name=token or name="text". */
static bool read_parameter(const char **at, const char *end, int *quality)
{
    skip_space(at, end);
    const struct span name = read_token(at, end);
    if (!skip_byte(at, end, '='))
        return !span_is(name, "q");
    if (*at < end && **at == '"')
        return !span_is(name, "q") && name.bytes > 0 && skip_quoted(at, end);
    const struct span value = read_token(at, end);
    if (span_is(name, "q"))
        return parse_quality(value, quality);
    return name.bytes > 0 && value.bytes > 0;
}

static bool parse_range(struct span element, struct media_range *ret_range)
{
    const char *at = element.start;
    const char *end = at + element.bytes;
    struct media_range range = {.quality = 1000};
    if (!read_media_type(&at, end, &range.type, &range.subtype))
        return false;
    for (;;) {
        skip_space(&at, end);
        if (at == end)
            break;
        if (!skip_byte(&at, end, ';') || !read_parameter(&at, end, &range.quality))
            return false;
    }
    if (span_is(range.type, "*") && !span_is(range.subtype, "*"))
        return false;
    *ret_range = range;
    return true;
}

/* The next element of a comma-separated list, commas within quotes left alone. */
static struct span read_element(const char **at, const char *end)
{
    struct span element = {.start = *at};
    while (*at < end && **at != ',') {
        if (!skip_quoted(at, end) && *at < end)
            (*at)++;
    }
    element.bytes = (size_t)(*at - element.start);
    skip_byte(at, end, ',');
    return element;
}

/* How closely range names form: 0 not at all, 1 by any type, 2 by its type, 3 by both. */
static int specificity(struct media_range range, enum codec_form form)
{
    if (is_form(form, range.type, range.subtype))
        return 3;
    if (!span_is(range.subtype, "*"))
        return 0;
    if (span_is(range.type, "*"))
        return 1;
    return is_type(form, range.type) ? 2 : 0;
}

/* The quality of every form; returns whether accept held any range that makes sense. */
static bool read_qualities(const char *accept, int ret_qualities[CODEC_ANSWER_FORM_COUNT])
{
    int specificities[CODEC_ANSWER_FORM_COUNT] = {0};
    bool is_any = false;
    const char *at = accept;
    const char *end = at + strlen(at);
    while (at < end) {
        struct media_range range;
        if (!parse_range(read_element(&at, end), &range))
            continue;
        is_any = true;
        for (int form = 0; form < CODEC_ANSWER_FORM_COUNT; form++) {
            const int specific = specificity(range, (enum codec_form)form);
            const bool is_closer = specific > specificities[form];
            const bool is_better =
                specific == specificities[form] && range.quality > ret_qualities[form];
            if (specific > 0 && (is_closer || is_better)) {
                specificities[form] = specific;
                ret_qualities[form] = range.quality;
            }
        }
    }
    return is_any;
}

bool codec_negotiate(const char *accept, enum codec_form preferred, unsigned forms,
                     enum codec_form *ret_form)
{
    int qualities[CODEC_ANSWER_FORM_COUNT] = {0};
    /* A header that says nothing we understand is taken as none: a form the client can read is
     * more use to it than a refusal. */
    if (!accept || !read_qualities(accept, qualities)) {
        *ret_form = preferred;
        return true;
    }
    enum codec_form best = preferred;
    for (int form = 0; form < CODEC_ANSWER_FORM_COUNT; form++) {
        if ((forms >> form & 1) && qualities[form] > qualities[best])
            best = (enum codec_form)form;
    }
    if (qualities[best] == 0)
        return false;
    *ret_form = best;
    return true;
}
