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
 *
 * Or the values of any entries of a network, by name. All of them are computed by the literal
 * graph, from the inputs on, which takes many times as long as a run.
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
    size_t node;                     /* private */
};

struct ppm_stages {
    size_t count;
    bool are_entries;                          /* by name, instead of the pyramids' */
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

/* The same of the entries that names lists, "stem,network.3": network.<k> is the k-th entry, named
 * or not. PPM_MALFORMED for a model that is no network; PPM_UNFIT, naming it, for an entry that is
 * not there, comes twice or is not computed, or whose values are never seen without those of the
 * norm after it. */
enum ppm_status ppm_model_entries(const struct ppm_model *model, const struct ppm_sizes *sizes,
                                  enum ppm_layout layout, bool is_batch, const char *names,
                                  struct ppm_stages *ret_stages, struct ppm_error *error);

/* Places their data in memory, one after the other: stages->bytes, aligned as floats are. The
 * caller keeps it, and frees it. */
void ppm_stages_place(struct ppm_stages *stages, void *memory);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop

#endif
