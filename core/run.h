/* run.h - runs of sizes that tensors alone do not tell. */
#ifndef PPM_CORE_RUN_H
#define PPM_CORE_RUN_H

#include "core/base/cancel.h"

/* ppm_run of inputs that have these sizes; those in options do not count. */
enum ppm_status run_sized(const struct ppm_model *model, const struct ppm_sizes *sizes,
                          const struct ppm_tensor *inputs, const struct ppm_run_options *options,
                          struct ppm_tensor *ret_y, struct ppm_error *error);

/* What a computation for these options knows about its request. */
struct run run_of(const struct ppm_run_options *options, atomic_bool *is_abandoned);

#endif
