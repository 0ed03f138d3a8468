/* dispatch.h - the tables that dispatch.c chooses from; simd.h has the scalar ones. */
#ifndef PPM_SIMD_DISPATCH_H
#define PPM_SIMD_DISPATCH_H

#include "simd/simd.h"

#if defined(__x86_64__)
extern const struct simd_ops simd_avx2, simd_avx512;
extern const struct simd_bfloat16 simd_avx512_bfloat16;
#elif defined(__aarch64__)
extern const struct simd_ops simd_neon;
#endif

#endif
