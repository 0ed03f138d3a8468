/*
 * safetensors_read.h - the inputs of a model in one safetensors file: 8 bytes of little-endian
 * length, a JSON header, the data.
 */
#ifndef PPM_SERVER_CODEC_RAW_SAFETENSORS_READ_H
#define PPM_SERVER_CODEC_RAW_SAFETENSORS_READ_H

#include "server/codec/expectation.h"

/* A tensor of the file. */
struct codec_safetensor {
    struct ppm_tensor tensor; /* its data is within the body if it holds the values as they are
                               * computed with (float32, aligned), and NULL if not */
    enum codec_dtype dtype;
    const char *bytes; /* its elements, in the body */
};

/* Finds each of count inputs, by name, in a whole body; ret_tensors is in their order. Shapes are
 * in the expectation's layout; its channels are not read. PPM_MALFORMED for bytes that are no
 * safetensors file, whose tensors leave gaps or overlap, or are not exactly the inputs; PPM_UNFIT
 * for another number of channels. */
enum ppm_status codec_safetensors_read(char *body, size_t body_bytes,
                                       const struct ppm_input_info *inputs, size_t count,
                                       const struct codec_expectation *expectation,
                                       struct codec_safetensor *ret_tensors,
                                       struct ppm_error *error);

#endif
