/*
 * plan.h - everything that follows from a model and the sizes of its inputs: computed once, kept
 * for the next request of those sizes. It takes O(H + W) time and memory for each step.
 */
#ifndef PPM_CORE_PLAN_PLAN_H
#define PPM_CORE_PLAN_PLAN_H

#include "core/model/model.h"
#include "core/plan/map.h"
#include "core/plan/pace.h"
#include "core/plan/places.h"
#include "core/plan/section_plan.h"
#include "core/plan/step_plan.h"

struct planned_step {
    const struct step *step;
    struct section_plan section; /* if it is one; otherwise: */
    struct step_plan own;
};

struct plan {
    uint64_t model_id;
    const struct spec *spec;
    const struct program *program; /* the model's */
    const struct simd_ops *simd;   /* the model's */
    struct geometry g;             /* of a batch of one */
    double map_us;                 /* roughly how long one thread takes for a map */
    bool has_output;               /* an output stage follows the steps */

    struct ppm_shape *shapes; /* [nodes], of a batch of one */
    struct map_size *sizes;   /* [nodes]: their h and w */
    struct planned_step *steps;
    struct pyramid_plan *pyramids; /* of the sections that have one, in order */
    struct places places;
    uint32_t *output_low; /* [W of the output], if it is resized: simd_taps */
    float *output_weight;
};

/* In two blocks of memory: with the plan's arrays, and its tables. */
struct ppm_plan {
    struct plan plan; /* never changed */
    struct pace pace;
    struct map *maps;           /* [nodes]: of the run that uses it */
    void *tables;               /* NULL: none, or it is an outline */
    size_t tables_bytes, bytes; /* of all */
};

/* Without its tables: for its sizes. PPM_UNFIT and PPM_TOO_LARGE as geometry_of. The caller frees
 * it with ppm_plan_free. */
struct ppm_plan *plan_outline(const struct ppm_model *model, const struct geometry *geometry,
                              struct ppm_error *error);

/* PPM_CANCELLED if the run is abandoned meanwhile. */
struct ppm_plan *plan_create(const struct ppm_model *model, const struct geometry *geometry,
                             const struct run *run, struct ppm_error *error);

/* The geometry of a batch that the plan was made for; false: sizes, channels or the model are
 * others, or they differ between inputs. */
bool plan_geometry(const struct ppm_plan *plan, const struct ppm_model *model,
                   const struct ppm_sizes *sizes, struct geometry *ret_geometry);

/* Values that the steps of a network and its output stage read and write, for a map. Those of steps
 * without a convolution are what they cost. */
double plan_values(const struct plan *plan);

/* The pyramid that pools an input, as it arrives; NULL: none does. */
const struct pyramid_plan *plan_first_pyramid(const struct plan *plan);

/* Whether a step other than a section reads a value, or adds it: those take NCHW alone. */
bool plan_needs_nchw(const struct plan *plan, size_t value);

#endif
