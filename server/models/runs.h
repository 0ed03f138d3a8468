/*
 * runs.h - runs of models that reuse plans and scratch memory of earlier runs.
 *
 * Both are kept for a few seconds, as buffers are (memory.h). Any thread may call.
 */
#ifndef PPM_SERVER_MODELS_RUNS_H
#define PPM_SERVER_MODELS_RUNS_H

#include "core/ppm.h"

/* ppm_run of inputs of these sizes, with options that have neither plan nor scratch nor a size of
 * the output. costs: for sizes and at least options->threads; the caller has taken plan_bytes and
 * scratch_bytes from the budget. */
enum ppm_status runs_run(const struct ppm_model *model, const struct ppm_tensor *inputs,
                         const struct ppm_sizes *sizes, const struct ppm_costs *costs,
                         const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                         struct ppm_error *error);

/* ppm_image_run with options that have neither plan nor scratch, but the wanted size of the output,
 * which costs are for. The caller has taken their plan_bytes and scratch_bytes from the budget. */
enum ppm_status runs_run_image(const struct ppm_model *model, const struct ppm_image *image,
                               const struct ppm_image_costs *costs,
                               const struct ppm_run_options *options, struct ppm_tensor *ret_y,
                               struct ppm_error *error);

#endif
