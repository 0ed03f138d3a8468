/* avx512.c - the kernels of AVX-512 F. */
#include "simd/dispatch.h"

#if defined(__x86_64__)

#    include "simd/words_avx512.h"

#    include "simd/gemm_narrow_tmpl.h"
#    include "simd/kernels_tmpl.h"

const struct simd_ops simd_avx512 = KERNELS("avx512", gemm_tile_or_narrow);

#endif
