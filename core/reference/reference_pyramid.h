/* reference_pyramid.h - the pyramid as the paper draws it: every map is stored. */
#ifndef PPM_CORE_REFERENCE_REFERENCE_PYRAMID_H
#define PPM_CORE_REFERENCE_REFERENCE_PYRAMID_H

#include "core/reference/reference_maps.h"
#include "core/shape/geometry.h"

/* Runs the layers of a stack over x, alternating between two buffers, each [n, widest, h, w].
 * Returns where the result is: in a buffer, or x if there are no layers. An abandoned run's result
 * may be narrower, and must not be read. */
const float *reference_stack(const struct run *run, const struct stack *stack, const float *x,
                             size_t n, size_t h, size_t w, float *buffers[2]);

/* Bytes of scratch for a pyramid's own maps, saturating. */
size_t reference_pyramid_bytes(const struct pyramid *pyramid, const struct geometry *geometry);

/* ret [N, concat_channels, geometry->h, geometry->w] = the pyramid over x [N, C, H, W]. scratch is
 * aligned to 64 bytes. Adds to times->pool_ms and branches_ms. */
void reference_pyramid(const struct run *run, const struct pyramid *pyramid,
                       const struct geometry *geometry, const float *x, float *ret, void *scratch,
                       struct ppm_stage_times *times);

#endif
