/* stages.h - intermediate results. */
#ifndef PPM_CORE_REFERENCE_STAGES_H
#define PPM_CORE_REFERENCE_STAGES_H

#include "core/base/cancel.h"
#include "core/model/model.h"
#include "core/shape/geometry.h"

/* Fills in all stages except the head, then converts all of them to their layout. x is NCHW. */
enum ppm_status stages_run(const struct ppm_model *model, const struct geometry *g, const float *x,
                           const struct run *run, const struct ppm_stages *stages,
                           struct ppm_error *error);

/* Room for the head's result. NULL: not wanted, or not a stage of its own. */
float *stages_head(const struct ppm_stages *stages);

#endif
