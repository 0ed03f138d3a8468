/*
 * axes.c - see axes.h.
 */
#include "server/codec/axes.h"

#include "server/codec/input_names.h"
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

static enum ppm_status parse_tensor(const char *text, enum ppm_layout layout,
                                    struct ppm_shape *ret_shape, struct ppm_error *error)
{
    struct ppm_tensor tensor;
    size_t axes[4] = {0}, count = 0;
    if (codec_parse_shape(text, axes, &count, error) == PPM_OK &&
        ppm_tensor_from_axes(axes, count, layout, &tensor, error) == PPM_OK)
        *ret_shape = tensor.shape;
    return error->status;
}

/* "c2=1,256,64,64", which fills [text, end). */
static enum ppm_status parse_named(const char *text, const char *end,
                                   const struct ppm_input_info *inputs, size_t count,
                                   enum ppm_layout layout, struct ppm_sizes *sizes,
                                   struct ppm_error *error)
{
    enum { SHAPE_BYTES = 128 };
    char shape[SHAPE_BYTES], quoted[CODEC_QUOTED_BYTES], names[CODEC_NAMES_BYTES];
    const char *equals = memchr(text, '=', (size_t)(end - text));
    const size_t i =
        equals ? codec_input_index(inputs, count, text, (size_t)(equals - text)) : count;
    if (i == count || end - equals > SHAPE_BYTES)
        return ppm_fail(
            error, PPM_MALFORMED,
            "shape: found \"%s\", expected NAME=N,C,H,W for each of %s (in a query, with ; "
            "between them)",
            codec_quote(text, (size_t)(end - text), quoted),
            codec_input_names(inputs, count, "", " and ", names));
    if (sizes->inputs[i].n > 0)
        return ppm_fail(error, PPM_MALFORMED, "shape: found %.80s twice, expected each input once",
                        inputs[i].name);
    memcpy(shape, equals + 1, (size_t)(end - equals) - 1);
    shape[end - equals - 1] = '\0';
    return parse_tensor(shape, layout, &sizes->inputs[i], error);
}

enum ppm_status codec_parse_shapes(const char *text, const struct ppm_input_info *inputs,
                                   size_t count, enum ppm_layout layout,
                                   struct ppm_sizes *ret_sizes, struct ppm_error *error)
{
    struct ppm_sizes sizes = {.count = count};
    if (count == 1 && !strchr(text, '='))
        parse_tensor(text, layout, &sizes.inputs[0], error);
    else
        for (const char *at = text, *end; at && error->status == PPM_OK;
             at = *end ? end + 1 : NULL) {
            end = at + strcspn(at, ";");
            parse_named(at, end, inputs, count, layout, &sizes, error);
        }
    for (size_t i = 0; i < count && error->status == PPM_OK; i++)
        if (sizes.inputs[i].n == 0)
            ppm_fail(error, PPM_MALFORMED, "shape: found none of %.80s, expected one of each input",
                     inputs[i].name);
    if (error->status == PPM_OK)
        *ret_sizes = sizes;
    return error->status;
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
