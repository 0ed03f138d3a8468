/*
 * base64.h - the bytes that a JSON string of base64 stands for.
 */
#ifndef PPM_SERVER_CODEC_JSON_BASE64_H
#define PPM_SERVER_CODEC_JSON_BASE64_H

#include "server/codec/cancel.h"

#include <stddef.h>

/* Room for the bytes of base64 of that length. */
size_t codec_base64_bytes_max(size_t text_bytes);

/* Decodes base64 (RFC 4648, 4) with its padding, as JSON writes it: escaped characters,
 * such as \/ and \u003d, and line breaks between them are taken too. ret_bytes has room for
 * codec_base64_bytes_max. name: in sentences. PPM_MALFORMED or PPM_CANCELLED. */
enum ppm_status codec_base64_decode(const char *name, const char *text, size_t text_bytes,
                                    const struct codec_cancel *cancel, char *ret_bytes,
                                    size_t *ret_count, struct ppm_error *error);

#endif
