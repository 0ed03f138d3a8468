/* avx2.c - the kernels of AVX2 with FMA and F16C. */
#include "simd/dispatch.h"

#if defined(__x86_64__)

#    include "simd/words_avx2.h"

#    include "simd/kernels_tmpl.h"

const struct simd_ops simd_avx2 = KERNELS("avx2", gemm_tile);

#endif
