/*
 * input_names.c - see input_names.h.
 */
#include "server/codec/input_names.h"

#include "server/codec/quote.h"

#include <stdio.h>

const char *codec_input_names(const struct ppm_input_info *inputs, size_t count, const char *quote,
                              const char *last, char ret_text[CODEC_NAMES_BYTES])
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < count && used < CODEC_NAMES_BYTES; i++) {
        const char *before = i == 0 ? "" : i + 1 == count ? last : ", ";
        used += (size_t)snprintf(ret_text + used, CODEC_NAMES_BYTES - used, "%s%s%.64s%s", before,
                                 quote, inputs[i].name, quote);
    }
    return ret_text;
}

size_t codec_input_index(const struct ppm_input_info *inputs, size_t count, const char *name,
                         size_t bytes)
{
    size_t i = 0;
    while (i < count && !codec_is_text(name, bytes, inputs[i].name))
        i++;
    return i;
}
