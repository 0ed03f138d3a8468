/*
 * input_names.h - the names of a model's inputs, in sentences and in requests.
 */
#ifndef PPM_SERVER_CODEC_INPUT_NAMES_H
#define PPM_SERVER_CODEC_INPUT_NAMES_H

#include "core/ppm.h"

enum { CODEC_NAMES_BYTES = 256 };

/* "c2, c4 and c5", with quote around each and last between the last two; cut to fit. Returns
 * ret_text. */
const char *codec_input_names(const struct ppm_input_info *inputs, size_t count, const char *quote,
                              const char *last, char ret_text[CODEC_NAMES_BYTES]);

/* The index of the input of that name, or count. name has bytes bytes. */
size_t codec_input_index(const struct ppm_input_info *inputs, size_t count, const char *name,
                         size_t bytes);

#endif
