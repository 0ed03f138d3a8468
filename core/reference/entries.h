/* entries.h - the values of a network's entries, by name. */
#ifndef PPM_CORE_REFERENCE_ENTRIES_H
#define PPM_CORE_REFERENCE_ENTRIES_H

#include "core/base/cancel.h"
#include "core/model/model.h"
#include "core/shape/geometry.h"

/* Fills in stages that ppm_model_entries has listed, in their layout. inputs[i] is that of node i,
 * NCHW. */
enum ppm_status entries_run(const struct ppm_model *model, const struct geometry *g,
                            const float *const *inputs, const struct run *run,
                            const struct ppm_stages *stages, struct ppm_error *error);

#endif
