/* halves_tmpl.h - rows of float16 and bfloat16 to and from float32. The end of a row, shorter than
 * a vector, is the scalar kernel's: it computes the same bits. */
#ifndef PPM_SIMD_HALVES_TMPL_H
#define PPM_SIMD_HALVES_TMPL_H

#include "simd/words.h"

#define WIDEN_ROW(format)                                                                          \
    static void format##_to_float32(const uint16_t *half, float *ret, size_t count)                \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            vec_store(ret + i, vec_load_##format(half + i));                                       \
        if (i < count)                                                                             \
            simd_scalar.format##_to_float32(half + i, ret + i, count - i);                         \
    }

#define NARROW_ROW(format)                                                                         \
    static void float32_to_##format(const float *x, uint16_t *ret, size_t count)                   \
    {                                                                                              \
        size_t i = 0;                                                                              \
        for (; i + LANES <= count; i += LANES)                                                     \
            vec_store_##format(ret + i, vec_load(x + i));                                          \
        if (i < count)                                                                             \
            simd_scalar.float32_to_##format(x + i, ret + i, count - i);                            \
    }

WIDEN_ROW(float16)
WIDEN_ROW(bfloat16)
NARROW_ROW(float16)
NARROW_ROW(bfloat16)

#endif
