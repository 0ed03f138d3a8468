/* reference_ops.h - the operators as plain loops, with double accumulators. Maps are NCHW. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_OPS_H
#define PPM_CORE_REFERENCE_REFERENCE_OPS_H

#include "core/reference/reference_maps.h"
#include "core/shape/resize_axis.h"

/* One layer over the maps that it reads. ret may be the first of them for a layer of a stack,
 * except for a conv. */
void reference_layer(const struct run *run, const struct layer *layer,
                     const struct reference_maps *maps);

/* Its rows. A pyramid is not one: its branches are layers (reference_pyramid.h). */
#define ROW(constant, name)                                                                        \
    void reference_##name(const struct run *run, const struct layer *layer,                        \
                          const struct reference_maps *maps);
STACK_LAYERS(ROW)
MAP_LAYERS(ROW)
JOIN_LAYERS(ROW)
ROW(ACTIVATION, activation)
#undef ROW

/* ret[planes][pooled_h][pooled_w] = mean of x[planes][h][w] over each bin of a pyramid's branch */
void reference_pool(const struct run *run, const float *x, size_t planes, size_t h, size_t w,
                    enum pool pool, const struct branch_geometry *branch, float *ret);

/* ret[n][c] (at n * ret_stride + c * out_h * out_w) = bilinear resize of x[n][c], n < batches */
void reference_stretch(const struct run *run, const float *x, size_t batches, size_t channels,
                       size_t h, size_t w, enum resize mode, size_t out_h, size_t out_w, float *ret,
                       size_t ret_stride);

/* The same along two axes. */
void reference_stretch_axes(const struct run *run, const float *x, size_t batches, size_t channels,
                            const struct resize_axis *down, const struct resize_axis *right,
                            float *ret, size_t ret_stride);

/* Softmax over channels. */
void reference_softmax_in_place(const struct run *run, float *x, struct ppm_shape shape);

/* ret[n][pixel] = lowest c with the largest x[n][c][pixel]; NaN counts as larger than all. */
void reference_argmax(const struct run *run, const float *x, size_t batches, size_t channels,
                      size_t pixels, int32_t *ret);

#endif
