/* model.h - a model with its weights. Immutable once core/load.c has loaded it. */
#ifndef PPM_CORE_MODEL_MODEL_H
#define PPM_CORE_MODEL_MODEL_H

#include "core/model/program.h"
#include "core/model/spec.h"

struct ppm_model {
    uint64_t id;                 /* of this load; unique in the process */
    const struct simd_ops *simd; /* the kernels that its weights are packed for */
    struct spec spec;
    struct program program; /* of spec.graph */
    uint64_t parameters, parameters_bytes;
    double compute_share; /* bfloat16_measure; 0: it computes with float32 */
    struct ppm_compute_error compute_error;
};

/* An empty model, for the configuration at path. ppm_model_free frees it. */
struct ppm_model *model_create(const char *path, struct ppm_error *error);

/* Makes the program of the graph, reads the weights of all layers, folds the norms, packs the
 * convolutions for the parts that the program's sections read. */
enum ppm_status model_read_weights(struct ppm_model *model, const char *path,
                                   const struct ppm_progress *progress, struct ppm_error *error);

/* Bytes of all weights as they are in memory. */
uint64_t model_weights_bytes(const struct ppm_model *model);

#endif
