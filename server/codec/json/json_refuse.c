/*
 * json_refuse.c - see json_refuse.h.
 */
#include "server/codec/json/json_refuse.h"

#include "server/codec/quote.h"

#include <jansson.h>
#include <stdlib.h>

enum ppm_status codec_json_refuse(const char *where, const json_t *found, const char *expected,
                                  struct ppm_error *error)
{
    char quoted[CODEC_QUOTED_BYTES];
    char *text = found ? ppm_json_text(found, JSON_ENCODE_ANY) : NULL;
    const char *shown = found ? (text ? text : "") : "nothing";
    ppm_fail(error, PPM_MALFORMED, "%s: found %s, expected %s", where,
             codec_quote(shown, strlen(shown), quoted), expected);
    free(text);
    return error->status;
}
