/*
 * dtype.h - the types of a float on the wire.
 */
#ifndef PPM_SERVER_CODEC_DTYPE_H
#define PPM_SERVER_CODEC_DTYPE_H

#include "core/ppm.h"
#include "server/codec/cancel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tensors travel little-endian, and are copied as they are");

/* All little-endian. Computation is in float32. */
enum codec_dtype { CODEC_FLOAT32, CODEC_FLOAT16, CODEC_BFLOAT16, CODEC_DTYPE_COUNT };

/* Looks up a name, case-sensitively: "float32", "float16", "bfloat16". False for any other. */
bool codec_dtype_from_name(const char *name, enum codec_dtype *ret_dtype);
const char *codec_dtype_name(enum codec_dtype dtype);
size_t codec_dtype_bytes(enum codec_dtype dtype); /* of an element: 4, 2, 2 */

/* ret_values[i] = element i of bytes as float32, i < count: exactly, NaN stays NaN. bytes may be at
 * any address, and do not overlap ret_values. Allocates nothing; any thread may call. */
void codec_decode_values(enum codec_dtype dtype, const void *bytes, size_t count,
                         float *ret_values);

/* The same, slice by slice. */
enum ppm_status codec_decode_slices(enum codec_dtype dtype, const void *bytes, size_t count,
                                    const struct codec_cancel *cancel, float *ret_values,
                                    struct ppm_error *error);

/* The reverse: count elements of codec_dtype_bytes(dtype) each, at any address, rounded to nearest,
 * ties to even; beyond the type's range is Inf, NaN stays NaN. ret_bytes may be values itself:
 * narrower elements then fill the beginning of their memory. */
void codec_encode_values(enum codec_dtype dtype, const float *values, size_t count,
                         void *ret_bytes);

/* Whether float32 may be read at data. */
static inline bool codec_is_aligned(const char *data)
{
    return (uintptr_t)data % _Alignof(float) == 0;
}

#endif
