/* scalar.h - kernels of the scalar table that have a file of their own; simd.h describes them. */
#ifndef PPM_SIMD_SCALAR_H
#define PPM_SIMD_SCALAR_H

#include "simd/simd.h"

void scalar_winograd_input(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride);
void scalar_winograd_weights(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride);
bool scalar_winograd_output(const struct simd_winograd_sums *from, float *ret, size_t ret_stride);

#endif
