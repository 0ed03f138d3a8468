/*
 * negotiate.c - see negotiate.h.
 */
#include "server/codec/negotiate.h"

#include "server/base/field_value.h"

#include <string.h>
#include <strings.h>

/* One element of Accept, such as "application/json;q=0.5". */
struct media_range {
    struct span type, subtype;
    int quality; /* in thousandths */
};

static bool read_media_type(struct span *rest, struct span *ret_type, struct span *ret_subtype)
{
    field_skip_space(rest);
    *ret_type = field_token(rest);
    if (!field_skip_byte(rest, '/'))
        return false;
    *ret_subtype = field_token(rest);
    return ret_type->bytes > 0 && ret_subtype->bytes > 0;
}

/* Whether "application" or "image" begins a media type. */
static bool is_type(const char *media_type, struct span type)
{
    return type.bytes == strcspn(media_type, "/") &&
           strncasecmp(type.start, media_type, type.bytes) == 0;
}

static bool is_media(const char *media_type, struct span type, struct span subtype)
{
    return is_type(media_type, type) && span_is(subtype, media_type + type.bytes + 1);
}

bool codec_is_type(const char *content_type, const char *media_type)
{
    if (!content_type)
        return false;
    struct span rest = span_of(content_type), type, subtype;
    if (!read_media_type(&rest, &type, &subtype))
        return false;
    field_skip_space(&rest);
    if (rest.bytes > 0 && *rest.start != ';')
        return false;
    /* Both parts and the '/' between them are contiguous. */
    return span_is((struct span){type.start, type.bytes + 1 + subtype.bytes}, media_type);
}

const struct codec_form *codec_form_of_type(const char *content_type)
{
    for (const struct codec_form *const *form = codec_forms; *form; form++)
        if (codec_is_for(*form, CODEC_BODY) && codec_is_type(content_type, (*form)->media_type))
            return *form;
    return NULL;
}

/* ---- Accept ---------------------------------------------------------------------------------- */

/* Reads what follows a ';': nothing, a name, name=token or name="text". */
static bool read_parameter(struct span *rest, int *quality)
{
    field_skip_space(rest);
    const struct span name = field_token(rest);
    if (!field_skip_byte(rest, '='))
        return !span_is(name, "q");
    if (rest->bytes > 0 && *rest->start == '"')
        return !span_is(name, "q") && name.bytes > 0 && field_skip_quoted(rest);
    const struct span value = field_token(rest);
    if (span_is(name, "q"))
        return field_quality(value, quality);
    return name.bytes > 0 && value.bytes > 0;
}

static bool parse_range(struct span element, struct media_range *ret_range)
{
    struct media_range range = {.quality = 1000};
    if (!read_media_type(&element, &range.type, &range.subtype))
        return false;
    for (;;) {
        field_skip_space(&element);
        if (element.bytes == 0)
            break;
        if (!field_skip_byte(&element, ';') || !read_parameter(&element, &range.quality))
            return false;
    }
    if (span_is(range.type, "*") && !span_is(range.subtype, "*"))
        return false;
    *ret_range = range;
    return true;
}

/* How closely range names a media type: 0 not at all, 1 as any, 2 by its type, 3 by both. */
static int specificity(struct media_range range, const char *media_type)
{
    if (is_media(media_type, range.type, range.subtype))
        return 3;
    if (!span_is(range.subtype, "*"))
        return 0;
    if (span_is(range.type, "*"))
        return 1;
    return is_type(media_type, range.type) ? 2 : 0;
}

int codec_quality(const char *media_type, const char *accept)
{
    struct span list = span_of(accept), element;
    int quality = -1, closest = 0;
    while (field_next_element(&list, &element)) {
        struct media_range range;
        if (!parse_range(element, &range))
            continue;
        const int specific = specificity(range, media_type);
        if (quality < 0)
            quality = 0;
        if (specific > closest || (specific > 0 && specific == closest && range.quality > quality))
            quality = range.quality;
        closest = specific > closest ? specific : closest;
    }
    return quality;
}

const struct codec_form *codec_negotiate(const char *accept, const struct codec_form *preferred,
                                         enum codec_use use)
{
    const struct codec_form *best = preferred;
    int quality = accept ? codec_quality(best->media_type, accept) : -1;
    /* A header that says nothing we understand is taken as none: a form the client can read is
     * more use to it than a refusal. */
    if (quality < 0)
        return preferred;
    for (const struct codec_form *const *form = codec_forms; *form; form++) {
        const int other = codec_is_for(*form, use) ? codec_quality((*form)->media_type, accept) : 0;
        if (other > quality) {
            best = *form;
            quality = other;
        }
    }
    return quality > 0 ? best : NULL;
}
