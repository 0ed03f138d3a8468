/* compute_error.h - how far bfloat16 takes a model's answers from float32's. */
#ifndef PPM_CORE_COMPUTE_ERROR_H
#define PPM_CORE_COMPUTE_ERROR_H

#include "core/model/model.h"

/* Rounds the weights of a model that was loaded as float32 to bfloat16. Runs it before and after,
 * and notes the difference in model->compute_error. */
enum ppm_status compute_error_narrow(struct ppm_model *model, const struct ppm_progress *progress,
                                     struct ppm_error *error);

#endif
