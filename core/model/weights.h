/* weights.h - where the values of a model come from, and whether they are still wanted. */
#ifndef PPM_CORE_MODEL_WEIGHTS_H
#define PPM_CORE_MODEL_WEIGHTS_H

#include "core/internal.h"

/* ---- model.c: a load that may be abandoned ---- */

/* PPM_CANCELLED when progress, which may be NULL, says so. */
enum ppm_status load_check(const struct ppm_progress *progress, struct ppm_error *error);

/* ---- weights.c: where the values of a model come from ---- */

struct weights_source; /* a safetensors file, or a seed */

/* progress outlives it and may abandon what it reads; or NULL. */
struct weights_source *weights_open(const struct weights_spec *spec,
                                    const struct ppm_progress *progress, struct ppm_error *error);
void weights_close(struct weights_source *source);

/* What a random tensor is drawn from: uniform in [low, high). */
struct weights_range {
    double low, high;
};

/* ret[count] = the tensor "prefix + name + suffix", whose shape must be shape[rank] (the product is
 * count). A rank 4 shape is OIHW; a file of HWIO kernels is permuted into it. */
enum ppm_status weights_read(struct weights_source *source, const char *name, const char *suffix,
                             const size_t *shape, size_t rank, struct weights_range range,
                             float *ret, struct ppm_error *error);

/* Whether the source holds the tensor with exactly this shape (rank 1). Random sources do. */
bool weights_has(struct weights_source *source, const char *name, const char *suffix, size_t count);

#endif
