/*
 * dtype.c - see dtype.h.
 */
#include "server/codec/dtype.h"

#include <string.h>

enum { CHUNK = 1024 }; /* values converted at a time: they stay in the first-level cache */

static const struct {
    const char *name;
    size_t bytes;
    void (*to_float32)(const uint16_t *half, float *ret, size_t count); /* NULL: it is float32 */
    void (*from_float32)(const float *x, uint16_t *ret, size_t count);
} dtypes[CODEC_DTYPE_COUNT] = {
    [CODEC_FLOAT32] = {"float32", sizeof(float), NULL, NULL},
    [CODEC_FLOAT16] = {"float16", sizeof(uint16_t), ppm_float16_to_float32, ppm_float32_to_float16},
    [CODEC_BFLOAT16] = {"bfloat16", sizeof(uint16_t), ppm_bfloat16_to_float32,
                        ppm_float32_to_bfloat16},
};

bool codec_dtype_from_name(const char *name, enum codec_dtype *ret_dtype)
{
    for (int dtype = 0; dtype < CODEC_DTYPE_COUNT; dtype++) {
        if (strcmp(name, dtypes[dtype].name) != 0)
            continue;
        *ret_dtype = (enum codec_dtype)dtype;
        return true;
    }
    return false;
}

const char *codec_dtype_name(enum codec_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t codec_dtype_bytes(enum codec_dtype dtype)
{
    return dtypes[dtype].bytes;
}

void codec_decode_values(enum codec_dtype dtype, const void *bytes, size_t count, float *ret_values)
{
    const char *from = bytes;
    uint16_t chunk[CHUNK];
    if (!dtypes[dtype].to_float32) {
        memcpy(ret_values, bytes, count * sizeof *ret_values);
        return;
    }
    if ((uintptr_t)bytes % _Alignof(uint16_t) == 0) {
        dtypes[dtype].to_float32(bytes, ret_values, count);
        return;
    }
    for (size_t part; count > 0; count -= part) {
        part = size_min(count, CHUNK);
        memcpy(chunk, from, part * sizeof *chunk);
        dtypes[dtype].to_float32(chunk, ret_values, part);
        from += part * sizeof *chunk;
        ret_values += part;
    }
}

enum ppm_status codec_decode_slices(enum codec_dtype dtype, const void *bytes, size_t count,
                                    const struct codec_cancel *cancel, float *ret_values,
                                    struct ppm_error *error)
{
    enum { SLICE = 1 << 18 }; /* elements */
    for (size_t at = 0; at < count; at += SLICE) {
        if (codec_check(cancel, error) != PPM_OK)
            return error->status;
        codec_decode_values(dtype, (const char *)bytes + at * codec_dtype_bytes(dtype),
                            size_min(count - at, SLICE), ret_values + at);
    }
    return PPM_OK;
}

/* Through a chunk: the elements may overlap the values, and need not be aligned. */
void codec_encode_values(enum codec_dtype dtype, const float *values, size_t count, void *ret_bytes)
{
    char *to = ret_bytes;
    uint16_t chunk[CHUNK];
    if (!dtypes[dtype].from_float32) {
        memmove(ret_bytes, values, count * sizeof *values);
        return;
    }
    for (size_t part; count > 0; count -= part) {
        part = size_min(count, CHUNK);
        dtypes[dtype].from_float32(values, chunk, part);
        memcpy(to, chunk, part * sizeof *chunk);
        to += part * sizeof *chunk;
        values += part;
    }
}
