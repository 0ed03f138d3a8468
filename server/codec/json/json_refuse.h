/*
 * json_refuse.h - what is wrong with a value of a request's JSON.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_REFUSE_H
#define PPM_SERVER_CODEC_JSON_JSON_REFUSE_H

#include "core/ppm.h"

struct json_t;

/* "WHERE: found VALUE, expected EXPECTED" as PPM_MALFORMED, VALUE cut short; "nothing" for NULL. */
enum ppm_status codec_json_refuse(const char *where, const struct json_t *found,
                                  const char *expected, struct ppm_error *error);

#endif
