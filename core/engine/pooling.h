/* pooling.h - pooling as x arrives, before the run that takes the results. */
#ifndef PPM_CORE_ENGINE_POOLING_H
#define PPM_CORE_ENGINE_POOLING_H

#include "core/engine/micro_panels.h"
#include "core/model/model.h"
#include "core/plan/pyramid_plan.h"

struct ppm_pooling {
    uint64_t model_id;
    struct pyramid_plan plan; /* only the tables that pooling needs are filled in */
    struct ppm_shape shape;
    size_t planes_pooled;
    void *memory; /* all of it, this struct included; NULL: the caller's */
    float *scratch;
    struct micro_panels pooled[BRANCHES_MAX]; /* as in struct section_state */
};

/* Bytes of a ppm_pooling for n maps, and of its means alone, saturating. */
size_t pooling_bytes(const struct pyramid_plan *plan, size_t n);
size_t pooled_bytes(const struct pyramid_plan *plan, size_t n);

/* Whether it belongs to this model and to x. */
bool pooling_fits(const struct ppm_pooling *pooling, const struct ppm_model *model,
                  const struct ppm_tensor *x);

#endif
