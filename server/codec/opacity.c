/*
 * opacity.c - see opacity.h.
 */
#include "server/codec/opacity.h"

#include <stdlib.h>
#include <string.h>

bool codec_read_opacity(const char *text, double *ret_opacity)
{
    char *end;
    const double opacity = strtod(text, &end);
    const bool is_decimal =
        strspn(text, "0123456789.") > 0 && strspn(text, "0123456789.eE+-") == strlen(text);
    if (!is_decimal || *end || !(opacity <= 1))
        return false;
    *ret_opacity = opacity;
    return true;
}
