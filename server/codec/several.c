/*
 * several.c - see several.h.
 */
#include "server/codec/several.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { TENSOR_BYTES_MAX = 208 + PPM_STAGE_NAME_BYTES }; /* of one without its data */

size_t codec_several_head_bytes_max(size_t count)
{
    const size_t bytes = CODEC_APPENDED_BYTES_MAX + count * TENSOR_BYTES_MAX;
    return bytes + (0 - bytes) % 64;
}

char *codec_append(char *to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int bytes = vsnprintf(to, CODEC_APPENDED_BYTES_MAX, format, arguments);
    va_end(arguments);
    assert(bytes >= 0 && bytes < CODEC_APPENDED_BYTES_MAX);
    return to + bytes;
}
