/* weights.h - where the values of a model come from: a safetensors file, or a seed. */
#ifndef PPM_CORE_MODEL_WEIGHTS_H
#define PPM_CORE_MODEL_WEIGHTS_H

#include "core/model/layers.h"

/* The configuration's "weights". */
struct weights_spec {
    bool is_given;
    char file[4096]; /* path as opened; empty: random */
    char prefix[NAME_BYTES];
    bool kernels_are_hwio;
    uint64_t seed;
};

/* Reads the member "weights" of a model. Models of layers without weights need none. */
enum ppm_status weights_configure(const json_t *root, const struct json_place *place,
                                  struct weights_spec *ret_spec, struct ppm_error *error);

struct weights_source;

/* progress may abandon reads, and must outlive the source; or NULL. */
struct weights_source *weights_open(const struct weights_spec *spec,
                                    const struct ppm_progress *progress, struct ppm_error *error);
void weights_close(struct weights_source *source);

/* Random tensors are uniform in [low, high). */
struct weights_range {
    double low, high;
};

/* ret[count] = the tensor "prefix + name + suffix", whose shape must be shape[rank] (the product is
 * count). A rank 4 shape is OIHW; a file of HWIO kernels is permuted into it. */
enum ppm_status weights_read(struct weights_source *source, const char *name, const char *suffix,
                             const size_t *shape, size_t rank, struct weights_range range,
                             float *ret, struct ppm_error *error);

/* Whether the source has the tensor with exactly this shape (rank 1). Random sources do. */
bool weights_has(struct weights_source *source, const char *name, const char *suffix, size_t count);

#endif
