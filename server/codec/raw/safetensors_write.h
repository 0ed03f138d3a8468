/*
 * safetensors_write.h - several tensors as one safetensors file: 8 bytes of little-endian length, a
 * JSON header with "__metadata__", the data.
 */
#ifndef PPM_SERVER_CODEC_RAW_SAFETENSORS_WRITE_H
#define PPM_SERVER_CODEC_RAW_SAFETENSORS_WRITE_H

#include "server/codec/form.h"

/* *ret_bytes is within the memory of the tensors, whose data is contiguous and has
 * codec_several_head_bytes_max bytes of room before it; memory is not used. */
codec_several_function codec_safetensors_write;

#endif
