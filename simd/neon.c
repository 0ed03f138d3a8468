/* neon.c - the kernels of NEON. */
#include "simd/dispatch.h"

#if defined(__aarch64__)

#    include "simd/words_neon.h"

#    include "simd/kernels_tmpl.h"

const struct simd_ops simd_neon = KERNELS("neon", gemm_tile);

#endif
