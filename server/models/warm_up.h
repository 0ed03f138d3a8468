/* warm_up.h - models made ready for the shapes that their configurations name. */
#ifndef PPM_SERVER_MODELS_WARM_UP_H
#define PPM_SERVER_MODELS_WARM_UP_H

#include "server/executor.h"
#include "server/models/registry.h"

struct warm_up_report {
    size_t shapes;
    double ms;
};

/* Computes zeros of each shape once, by the executor's team and before the requests that wait:
 * threads are started, weights read, and what a request takes is kept as after any other. All of it
 * is taken from the budget. PPM_BAD_CONFIG where that could never hold a shape; a shape whose
 * memory requests hold is left out, with a warning. Abandoned with PPM_CANCELLED when progress says
 * so. */
enum ppm_status warm_up(struct registry *registry, struct executor *executor,
                        const struct ppm_progress *progress, struct warm_up_report *ret_report,
                        struct ppm_error *error);

/* The same for one model. */
enum ppm_status warm_up_model(const struct ppm_model *model, struct executor *executor,
                              const struct ppm_progress *progress, struct ppm_error *error);

/* Whether the budget could hold each shape, without computing anything. */
enum ppm_status warm_up_check(struct registry *registry, int threads, struct ppm_error *error);

#endif
