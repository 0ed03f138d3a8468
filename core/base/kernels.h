/* kernels.h - which kernels this process uses. */
#ifndef PPM_CORE_BASE_KERNELS_H
#define PPM_CORE_BASE_KERNELS_H

#include "simd/simd.h"

/* The kernels that ppm_isa_select chose: for conversions, and for models that are loaded from now
 * on. Computation over a model uses the model's own. */
const struct simd_ops *core_simd(void);

#endif
