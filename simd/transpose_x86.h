/* transpose_x86.h - transpose_block for AVX2 and AVX-512. */
#ifndef PPM_SIMD_TRANSPOSE_X86_H
#define PPM_SIMD_TRANSPOSE_X86_H

#include <immintrin.h>
#include <stddef.h>

static inline void transpose_block(const float *x, size_t stride, float *ret, size_t ret_stride)
{
    __m256 row[8], pair[8], four[8];
    /* rows 0..3 in the lower halves, rows 4..7 in the upper ones: nothing crosses halves later */
    for (size_t i = 0; i < 4; i++) {
        const float *above = x + i * stride, *below = x + (i + 4) * stride;
        row[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(above)),
                                      _mm_loadu_ps(below), 1);
        row[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(above + 4)),
                                          _mm_loadu_ps(below + 4), 1);
    }
    for (size_t i = 0; i < 8; i += 2) {
        pair[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
        pair[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
    }
    for (size_t i = 0; i < 8; i += 4)
        for (size_t k = 0; k < 2; k++) {
            four[i + 2 * k] = _mm256_shuffle_ps(pair[i + k], pair[i + 2 + k], 0x44);
            four[i + 2 * k + 1] = _mm256_shuffle_ps(pair[i + k], pair[i + 2 + k], 0xee);
        }
    for (size_t i = 0; i < 8; i++)
        _mm256_storeu_ps(ret + i * ret_stride, four[i]);
}

#endif
