/* tensor.h - a tensor's two layouts. */
#ifndef PPM_CORE_BASE_TENSOR_H
#define PPM_CORE_BASE_TENSOR_H

#include "core/base/cancel.h"

/* to[n][column][row] = from[n][row][column]. NCHW to NHWC with rows = C and columns = H * W; NHWC
 * to NCHW with rows = H * W and columns = C. */
void tensor_transpose(const struct run *run, const uint32_t *from, uint32_t *to, size_t batches,
                      size_t rows, size_t columns);

/* Converts data that is in NCHW to the tensor's own layout, in place. */
enum ppm_status tensor_to_layout(const struct run *run, const struct ppm_tensor *tensor,
                                 struct ppm_error *error);

#endif
