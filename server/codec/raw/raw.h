/*
 * raw.h - tensors as their own memory: little-endian elements without a header.
 */
#ifndef PPM_SERVER_CODEC_RAW_RAW_H
#define PPM_SERVER_CODEC_RAW_RAW_H

#include "server/codec/form.h"

/* Bodies are exactly the bytes that the axes and dtype of the expectation take. Several tensors are
 * one safetensors file. */
extern const struct codec_form codec_raw;

#endif
