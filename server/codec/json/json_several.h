/*
 * json_several.h - several tensors as JSON: {"model", "layout", "times_ms": {..}, "flops": {..},
 * "stages": [{"name", "shape", "dtype", "data": [..]}, ..]}.
 */
#ifndef PPM_SERVER_CODEC_JSON_JSON_SEVERAL_H
#define PPM_SERVER_CODEC_JSON_JSON_SEVERAL_H

#include "server/codec/form.h"

codec_several_function codec_json_write_several;

#endif
