/* bfloat16.h - models that compute with bfloat16. */
#ifndef PPM_CORE_MODEL_BFLOAT16_H
#define PPM_CORE_MODEL_BFLOAT16_H

#include "core/model/model.h"

/* PPM_BAD_CONFIG, for the model at path, unless its kernels have products of bfloat16. */
enum ppm_status bfloat16_require(const char *path, const struct simd_ops *ops,
                                 struct ppm_error *error);

/* Whether a conv of the model is computed with bfloat16: in a model that asks for it, every conv
 * except depthwise ones, and those that fit Winograd's form, which is faster with float32. */
bool bfloat16_takes(const struct spec *spec, const struct layer *conv);

/* The time of products of bfloat16, as a share of float32's; measuring it takes milliseconds. */
enum ppm_status bfloat16_measure(const struct simd_ops *ops, double *ret_share,
                                 struct ppm_error *error);

/* Rounds the weights of a model that was loaded as float32. */
enum ppm_status bfloat16_narrow(struct ppm_model *model, const struct ppm_progress *progress,
                                struct ppm_error *error);

#endif
