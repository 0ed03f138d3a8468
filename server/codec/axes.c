/*
 * axes.c - see axes.h.
 */
#include "server/codec/axes.h"

#include "server/codec/quote.h"

#include <stdio.h>
#include <string.h>

bool codec_read_size(const char **at, const char *end, size_t *ret_value)
{
    size_t value = 0;
    const char *digit = *at;
    for (; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (size_t)(*digit - '0'), &value))
            return false;
    }
    if (digit == *at)
        return false;
    *at = digit;
    *ret_value = value;
    return true;
}

/* Reads one extent, with spaces around it, that fills [text, end). */
static bool parse_extent(const char *text, const char *end, size_t *ret_extent)
{
    text += strspn(text, " \t");
    return codec_read_size(&text, end, ret_extent) && *ret_extent > 0 &&
           text + strspn(text, " \t") == end;
}

enum ppm_status codec_parse_shape(const char *text, size_t ret_axes[4], size_t *ret_count,
                                  struct ppm_error *error)
{
    char whole[CODEC_QUOTED_BYTES], part[CODEC_QUOTED_BYTES];
    size_t axes[4];
    size_t count = 0;
    for (const char *at = text;; at++) {
        const char *end = at + strcspn(at, ",");
        size_t extent;
        if (!parse_extent(at, end, &extent))
            return ppm_fail(error, PPM_MALFORMED,
                            "shape \"%s\": axis %zu is \"%s\", expected a positive integer",
                            codec_quote(text, strlen(text), whole), count,
                            codec_quote(at, (size_t)(end - at), part));
        if (count < 4)
            axes[count] = extent;
        count++;
        at = end;
        if (*at == '\0')
            break;
    }
    if (count != 3 && count != 4)
        return ppm_fail(error, PPM_MALFORMED,
                        "shape \"%s\": found %zu ax%s, expected 3 or 4, such as 1,4,30,30",
                        codec_quote(text, strlen(text), whole), count, count == 1 ? "is" : "es");
    memcpy(ret_axes, axes, count * sizeof axes[0]);
    *ret_count = count;
    return PPM_OK;
}

enum ppm_status codec_parse_size(const char *text, size_t *ret_h, size_t *ret_w,
                                 struct ppm_error *error)
{
    char quoted[CODEC_QUOTED_BYTES];
    const char *comma = strchr(text, ','), *end = text + strlen(text);
    size_t h, w;
    if (!comma || !parse_extent(text, comma, &h) || !parse_extent(comma + 1, end, &w))
        return ppm_fail(error, PPM_MALFORMED,
                        "size: found \"%s\", expected H,W in pixels, such as 480,640",
                        codec_quote(text, strlen(text), quoted));
    *ret_h = h;
    *ret_w = w;
    return PPM_OK;
}

const char *codec_axes_text(const size_t *axes, size_t axis_count,
                            char ret_text[CODEC_AXES_TEXT_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < axis_count; i++)
        used += (size_t)snprintf(ret_text + used, CODEC_AXES_TEXT_BYTES - used, "%s%zu",
                                 i == 0 ? "[" : ", ", axes[i]);
    memcpy(ret_text + used, "]", 2);
    return ret_text;
}
