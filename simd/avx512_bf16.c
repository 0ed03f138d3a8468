/* avx512_bf16.c - products of bfloat16 by AVX512_BF16. */
#include "simd/dispatch.h"

#if defined(__x86_64__)

#    include "simd/words_avx512.h"

#    include "simd/gemm_narrow_tmpl.h"

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
    .gemm_tile = gemm_tile_or_narrow,
    .pack_pairs = pack_pairs,
};

#endif
