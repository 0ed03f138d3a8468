/* scalar.h - scalar kernels outside scalar.c; simd.h describes them. */
#ifndef PPM_SIMD_SCALAR_H
#define PPM_SIMD_SCALAR_H

#include "simd/simd.h"

#define DECLARE_ACTIVATE(constant, name, low, high)                                                \
    void scalar_activate_##name(const float *x, float *ret, size_t count, float slope);
SIMD_ACTIVATIONS(DECLARE_ACTIVATE)
#undef DECLARE_ACTIVATE
void scalar_softmax(float *x, size_t channels, size_t stride, size_t count);

void scalar_moments(const float *x, size_t count, float center, struct simd_moments *ret);
void scalar_layer_norm(const struct simd_layer_norm *norm, const float *x, size_t stride,
                       size_t count, float *ret, size_t ret_stride);

void scalar_depthwise(const struct simd_depthwise *conv, const float *x, size_t rows, size_t count,
                      float *ret, size_t ret_stride);

void scalar_winograd_input(const float *x, size_t stride, size_t count, float *ret,
                           size_t ret_stride);
void scalar_winograd_weights(const float *x, size_t stride, size_t count, float *ret,
                             size_t ret_stride);
bool scalar_winograd_output(const struct simd_winograd_sums *from, float *ret, size_t ret_stride);

#endif
