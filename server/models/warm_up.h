/* warm_up.h - a run of each model for the shapes in its "warm_up", before requests come. */
#ifndef PPM_SERVER_MODELS_WARM_UP_H
#define PPM_SERVER_MODELS_WARM_UP_H

#include "server/executor.h"
#include "server/models/registry.h"

struct warm_up_report {
    size_t shapes;
    double ms;
};

/* Runs zeros of each shape once, on the executor and ahead of waiting requests. This starts
 * threads, reads the weights, and leaves buffers and plans for the first request. The memory comes
 * from the budget: PPM_BAD_CONFIG if the budget is too small for a shape; if requests hold the
 * memory, logs a warning and skips the shape. PPM_CANCELLED when progress says so. */
enum ppm_status warm_up(struct registry *registry, struct executor *executor,
                        const struct ppm_progress *progress, struct warm_up_report *ret_report,
                        struct ppm_error *error);

/* The same for one model. */
enum ppm_status warm_up_model(const struct ppm_model *model, struct executor *executor,
                              const struct ppm_progress *progress, struct ppm_error *error);

/* Checks that the budget is large enough for each shape, without running anything. */
enum ppm_status warm_up_check(struct registry *registry, int threads, struct ppm_error *error);

#endif
