/* avx512.c - the words of AVX-512 F, and the kernels over them. */
#include "simd/simd.h"
#include "simd/thread.h"

#if defined(__x86_64__)

#    include "simd/words_avx512.h"

#    include "simd/activations_tmpl.h"
#    include "simd/gemm_tmpl.h"
#    include "simd/halves_tmpl.h"
#    include "simd/output_tmpl.h"
#    include "simd/rows_tmpl.h"
#    include "simd/transpose_x86.h"
#    include "simd/winograd_tmpl.h"

#    include "simd/gemm_avx512_tmpl.h"
#    include "simd/transpose_tmpl.h"

const struct simd_ops simd_avx512 = {
    .name = "avx512",
    .begin = simd_thread_begin,
    .end = simd_thread_end,
    .gemm_rows = GEMM_ROWS,
    .gemm_columns = GEMM_COLUMNS,
    .gemm_tile = gemm_tile,
    .transpose = transpose,
    .sum_rows = sum_rows,
    .lerp_rows = lerp_rows,
    .winograd_input = winograd_input,
    .winograd_weights = winograd_weights,
    .winograd_output = winograd_output,
    .stretch_rows = stretch_rows,
    .argmax = argmax,
    .activate = ACTIVATE_TABLE,
    .softmax = softmax,
    .float16_to_float32 = float16_to_float32,
    .bfloat16_to_float32 = bfloat16_to_float32,
    .float32_to_float16 = float32_to_float16,
    .float32_to_bfloat16 = float32_to_bfloat16,
};

#endif
