/* warm_up.h - models made ready for the shapes that their configurations name. */
#ifndef PPM_SERVER_WARM_UP_H
#define PPM_SERVER_WARM_UP_H

#include "server/executor.h"
#include "server/registry.h"

struct warm_up_report {
    size_t shapes;
    double ms;
};

/* Computes zeros of each shape on every engine of a set that serves nobody yet, by the executor's
 * team and before the requests that wait: plans are made, memory is faulted in. Abandoned with
 * PPM_CANCELLED when progress says so. */
enum ppm_status warm_up(struct registry *registry, struct executor *executor,
                        const struct ppm_progress *progress, struct warm_up_report *ret_report,
                        struct ppm_error *error);

/* The same for one model, not in the set yet, once a shape, on engines of a set that serves. */
enum ppm_status warm_up_model(const struct ppm_model *model, struct registry *registry,
                              struct executor *executor, const struct ppm_progress *progress,
                              struct ppm_error *error);

#endif
