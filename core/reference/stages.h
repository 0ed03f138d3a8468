/* stages.h - intermediate results. */
#ifndef PPM_CORE_REFERENCE_STAGES_H
#define PPM_CORE_REFERENCE_STAGES_H

#include "core/base/cancel.h"
#include "core/model/model.h"
#include "core/shape/geometry.h"

/* For run.pyramid_inputs: where the stages keep the maps that the pyramids of a network read. NULL
 * with PPM_NO_MEMORY on failure; freed with free(). */
float **stages_inputs(const struct spec *spec, const struct geometry *g,
                      const struct ppm_stages *stages, struct ppm_error *error);

/* Fills in all stages except those that the run keeps, then converts all of them to their layout.
 * inputs[i] is the map, NCHW, that a pyramid reads which is the graph's node i. */
enum ppm_status stages_run(const struct ppm_model *model, const struct geometry *g,
                           const float *const *inputs, const struct run *run,
                           const struct ppm_stages *stages, struct ppm_error *error);

/* Room for the head's result. NULL: not wanted, or not a stage of its own. */
float *stages_head(const struct ppm_stages *stages);

#endif
