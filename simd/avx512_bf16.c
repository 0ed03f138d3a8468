/* avx512_bf16.c - products of bfloat16 by AVX512_BF16, over the words of AVX-512. */
#include "simd/simd.h"

#if defined(__x86_64__)

#    include "simd/words_avx512.h"

static inline vec vec_dot(vec a, vec b, vec c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}
#    define vec_dot vec_dot /* gemm_tmpl.h asks whether it is there */

static inline vec vec_lower(vec words)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(words), 16));
}

static inline vec vec_upper(vec words)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    return _mm512_castsi512_ps(_mm512_and_epi32(_mm512_castps_si512(words), upper));
}

/* The instruction leaves two vectors one behind the other. */
static inline vec vec_pair(vec lower, vec upper)
{
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(upper, lower);
    const __m512i places =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(places, both));
}

#    include "simd/gemm_tmpl.h"

#    include "simd/gemm_avx512_tmpl.h"

static void pack_pairs(const float *x, size_t k, size_t columns, float *ret)
{
    for (size_t i = 0; i < k; i += 2, x += 2 * columns, ret += columns)
        for (size_t j = 0; j < columns; j += LANES) {
            const size_t lanes = columns - j < LANES ? columns - j : LANES;
            const vec second = i + 1 < k ? load_lanes(x + columns + j, lanes) : vec_set(0);
            store_lanes(ret + j, vec_pair(load_lanes(x + j, lanes), second), lanes);
        }
}

const struct simd_bfloat16 simd_avx512_bfloat16 = {
    .gemm_tile = gemm_tile,
    .pack_pairs = pack_pairs,
};

#endif
