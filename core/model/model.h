/* model.h - a loaded model. */
#ifndef PPM_CORE_MODEL_MODEL_H
#define PPM_CORE_MODEL_MODEL_H

#include "core/model/spec.h"

struct ppm_model {
    uint64_t id;                 /* of this load; unique in the process */
    const struct simd_ops *simd; /* the kernels that its weights are packed for */
    struct spec spec;
    uint64_t parameters, parameters_bytes;
    double compute_share; /* bfloat16_measure; 0: it computes with float32 */
    struct ppm_compute_error compute_error;
};

#endif
