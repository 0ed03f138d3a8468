/*
 * runs.h - runs of models over what earlier runs have left: plans for their shapes, and scratch.
 *
 * Both are kept as buffers are (memory.h): a shape that comes again within seconds is run at once.
 * Any thread may call.
 */
#ifndef PPM_SERVER_MODELS_RUNS_H
#define PPM_SERVER_MODELS_RUNS_H

#include "core/ppm.h"

/* ppm_run, whose options name neither plan nor scratch. costs are those of x's shape for as many
 * threads or more, whose plan_bytes and scratch_bytes are taken. */
enum ppm_status runs_run(const struct ppm_model *model, const struct ppm_tensor *x,
                         const struct ppm_costs *costs, const struct ppm_run_options *options,
                         struct ppm_tensor *ret_y, struct ppm_error *error);

#endif
