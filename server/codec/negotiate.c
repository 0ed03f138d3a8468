/*
 * negotiate.c - Content-Type and Accept: which form came, and which is to be answered.
 */
#include "server/base/field_value.h"
#include "server/codec/codec.h"

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
    struct span rest = span_of(content_type), type, subtype;
    if (!read_media_type(&rest, &type, &subtype))
        return false;
    field_skip_space(&rest);
    if (rest.bytes > 0 && *rest.start != ';')
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
    struct span list = span_of(accept), element;
    while (field_next_element(&list, &element)) {
        struct media_range range;
        if (!parse_range(element, &range))
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
