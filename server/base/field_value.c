/* field_value.c - see field_value.h. */
#include "server/base/field_value.h"

#include <string.h>
#include <strings.h>

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct span span_trimmed(struct span text)
{
    field_skip_space(&text);
    while (text.bytes > 0 && is_space(text.start[text.bytes - 1]))
        text.bytes--;
    return text;
}

bool span_equals(struct span a, struct span b)
{
    return a.bytes == b.bytes && strncasecmp(a.start, b.start, a.bytes) == 0;
}

bool span_is(struct span text, const char *word)
{
    return span_equals(text, span_of(word));
}

static void skip(struct span *rest, size_t bytes)
{
    rest->start += bytes;
    rest->bytes -= bytes;
}

void field_skip_space(struct span *rest)
{
    while (rest->bytes > 0 && is_space(*rest->start))
        skip(rest, 1);
}

bool field_skip_byte(struct span *rest, char byte)
{
    if (rest->bytes == 0 || *rest->start != byte)
        return false;
    skip(rest, 1);
    return true;
}

bool field_skip_quoted(struct span *rest)
{
    if (!field_skip_byte(rest, '"'))
        return false;
    while (rest->bytes > 0 && *rest->start != '"')
        skip(rest, *rest->start == '\\' && rest->bytes > 1 ? 2 : 1);
    return field_skip_byte(rest, '"');
}

static bool is_token_byte(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte));
}

struct span field_token(struct span *rest)
{
    struct span token = {.start = rest->start};
    while (rest->bytes > 0 && is_token_byte(*rest->start))
        skip(rest, 1);
    token.bytes = (size_t)(rest->start - token.start);
    return token;
}

bool field_is_token(const char *text)
{
    struct span rest = span_of(text);
    return field_token(&rest).bytes > 0 && rest.bytes == 0;
}

bool field_next_element(struct span *list, struct span *ret_element)
{
    struct span element = {.start = list->start};
    if (list->bytes == 0)
        return false;
    while (list->bytes > 0 && *list->start != ',')
        if (!field_skip_quoted(list) && list->bytes > 0)
            skip(list, 1);
    element.bytes = (size_t)(list->start - element.start);
    field_skip_byte(list, ',');
    *ret_element = span_trimmed(element);
    return true;
}

bool field_quality(struct span text, int *ret_quality)
{
    int quality = 0, place = 1000;
    if (text.bytes == 0 || text.bytes > 5 || (text.bytes > 1 && text.start[1] != '.'))
        return false;
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

int field_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}
