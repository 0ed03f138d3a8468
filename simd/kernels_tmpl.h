/* kernels_tmpl.h - every kernel over words, and the table of them. */
#ifndef PPM_SIMD_KERNELS_TMPL_H
#define PPM_SIMD_KERNELS_TMPL_H

#include "simd/activations_tmpl.h"
#include "simd/depthwise_tmpl.h"
#include "simd/elementwise_tmpl.h"
#include "simd/gemm_tmpl.h"
#include "simd/halves_tmpl.h"
#include "simd/norms_tmpl.h"
#include "simd/output_tmpl.h"
#include "simd/rows_tmpl.h"
#include "simd/thread.h"
#include "simd/transpose_tmpl.h"
#include "simd/winograd_tmpl.h"

#define ACTIVATE_ENTRY(constant, name, low, high) [SIMD_##constant] = activate_##name,

/* The table of an instruction set; tile: gemm_tile, or what takes its place. */
#define KERNELS(set, tile)                                                                         \
    {                                                                                              \
        .name = (set), .begin = simd_thread_begin, .end = simd_thread_end, .gemm_rows = GEMM_ROWS, \
        .gemm_columns = GEMM_COLUMNS, .gemm_tile = (tile), .transpose = transpose,                 \
        .pick_rows = pick_rows, .depthwise = depthwise, .sum_rows = sum_rows,                      \
        .max_rows = max_rows, .sum_windows = sum_windows, .max_windows = max_windows, .add = add,  \
        .mul = mul, .affine = affine, .lerp_rows = lerp_rows, .winograd_input = winograd_input,    \
        .winograd_weights = winograd_weights, .winograd_output = winograd_output,                  \
        .stretch_rows = stretch_rows, .argmax = argmax,                                            \
        .activate = {SIMD_ACTIVATIONS(ACTIVATE_ENTRY)}, .softmax = softmax, .moments = moments,    \
        .layer_norm = layer_norm, .float16_to_float32 = float16_to_float32,                        \
        .bfloat16_to_float32 = bfloat16_to_float32, .float32_to_float16 = float32_to_float16,      \
        .float32_to_bfloat16 = float32_to_bfloat16,                                                \
    }

#endif
