/*
 * json_write.h - answers as JSON, the numbers by several threads.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_WRITE_H
#define PPM_SERVER_CODEC_JSON_JSON_WRITE_H

#include "server/codec/form.h"

enum { CODEC_JSON_ELEMENT_BYTES_MAX = 16 }; /* -1.17549435e-38 and a comma */

codec_encode_function codec_json_write;

/* The elements alone, with commas between them, into memory of CODEC_JSON_ELEMENT_BYTES_MAX bytes
 * each. *ret_end is the first byte after them. */
enum ppm_status codec_json_write_elements(const struct ppm_tensor *tensor, int threads,
                                          const struct codec_cancel *cancel, char *memory,
                                          char **ret_end, struct ppm_error *error);

#endif
