/*
 * formats.c - the table of formats.
 */
#include "server/image/format.h"

#include "server/codec/negotiate.h"

#include <string.h>

const struct image_format *const image_formats[] = {&image_jpeg, &image_png, NULL};

const char *image_format_name(const struct image_format *format)
{
    return format->name;
}

const char *image_format_media_type(const struct image_format *format)
{
    return format->media_type;
}

const char *image_format_extension(const struct image_format *format)
{
    return format->extension;
}

const struct image_format *image_format_of_type(const char *content_type)
{
    for (const struct image_format *const *format = image_formats; *format; format++)
        if (codec_is_type(content_type, (*format)->media_type) ||
            codec_is_type(content_type, (*format)->also_sent))
            return *format;
    return NULL;
}

const struct image_format *image_format_of_bytes(const char *bytes, size_t count)
{
    for (const struct image_format *const *format = image_formats; *format; format++) {
        const struct image_bytes signature = (*format)->signature;
        if (count >= signature.count && memcmp(bytes, signature.at, signature.count) == 0)
            return *format;
    }
    return NULL;
}
