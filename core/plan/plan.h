/*
 * plan.h - everything that follows from a model and the H and W of its input: computed once, kept
 * for the next request of that shape. It takes O(H + W) time and memory.
 */
#ifndef PPM_CORE_PLAN_PLAN_H
#define PPM_CORE_PLAN_PLAN_H

#include "core/model/model.h"
#include "core/plan/pace.h"
#include "core/plan/section_plan.h"

struct plan {
    uint64_t model_id;
    const struct spec *spec;
    const struct simd_ops *simd; /* the model's */
    struct geometry g;           /* of a batch of one */
    double map_us;               /* roughly how long one thread takes for a map */
    struct section_plan section;
    struct pyramid_plan pyramid; /* of the section */
    uint32_t *output_low;        /* [W of the output], if it is resized: simd_taps */
    float *output_weight;
};

/* In one block of memory with its tables. */
struct ppm_plan {
    struct plan plan; /* never changed */
    struct pace pace;
};

/* Everything except the tables, which takes no memory; and the bytes of the whole, saturating.
 * A plan holds pointers to itself: it may not be copied. */
void plan_begin(struct plan *ret_plan, const struct ppm_model *model,
                const struct geometry *geometry);
size_t plan_bytes(const struct ppm_model *model, const struct geometry *geometry);

/* PPM_CANCELLED if the run is abandoned meanwhile. */
struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error);

#endif
