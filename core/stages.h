/*
 * stages.h - intermediate results: ppm.h includes it.
 *
 * The values between x and y, to compare with another framework, in the order of the graph at the
 * top of ppm.h:
 *
 *     cascade               [N, C,  H,  W ]  x after the rounds of a cascade, if the model is one
 *     branch.<i>.pooled      [N, C,  ph, pw]  p_i
 *     branch.<i>.output      [N, Ci, ph, pw]  r_i
 *     branch.<i>.upsampled   [N, Ci, H,  W ]  u_i
 *     head                  [N, Ch, H,  W ]  before the output stage, if there is one
 *
 * In a network, the name of its entry, or network.<k>, precedes the names of a pyramid's branches:
 * ppm.branch.0.pooled. Before them comes the map that the pyramid reads, ppm.input. Pyramids that
 * are a sum or a cascade, or have more than a 1x1 conv and layers of single pixels in a branch,
 * have none; nor do those of which only the size is needed, which are not computed.
 *
 * Those of the branches are computed by the literal graph, summed in double precision. The head and
 * what a pyramid of a network reads are the run's own.
 */
#ifndef PPM_CORE_STAGES_H
#define PPM_CORE_STAGES_H

#include "core/ppm.h"

#pragma GCC visibility push(default) /* as in ppm.h */

#ifdef __cplusplus
extern "C" {
#endif

enum { PPM_STAGES_MAX = 3 * 64 + 32, PPM_STAGE_NAME_BYTES = 176 };

struct ppm_stage {
    char name[PPM_STAGE_NAME_BYTES]; /* "branch.0.pooled" */
    struct ppm_tensor tensor;        /* float32, in the inputs' layout */
};

struct ppm_stages {
    size_t count;
    size_t bytes;                              /* of all their data */
    size_t working_bytes;                      /* that computing them takes in addition */
    struct ppm_stage list[PPM_STAGES_MAX + 1]; /* with room for the caller to append y */
};

/* Lists the intermediate results for inputs in this layout, without data; is_batch: with the N
 * axis. PPM_UNFIT, PPM_TOO_LARGE and PPM_NO_MEMORY as for ppm_model_costs; PPM_UNFIT also for more
 * results than PPM_STAGES_MAX. */
enum ppm_status ppm_model_stages(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                 enum ppm_layout layout, bool is_batch,
                                 struct ppm_stages *ret_stages, struct ppm_error *error);

/* Places their data in memory, one after the other: stages->bytes, aligned as floats are. The
 * caller keeps it, and frees it. */
void ppm_stages_place(struct ppm_stages *stages, void *memory);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif
