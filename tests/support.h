/*
 * support.h - helpers for several tests: a folder, models and weights written into it,
 * tensors read and compared.
 *
 * A suite whose tests write files says
 *     TestSuite(name, .init = support_open_folder, .fini = support_close_folder);
 * All of these fail the running test on system errors.
 */
#ifndef PPM_TESTS_SUPPORT_H
#define PPM_TESTS_SUPPORT_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The struct ppm_sizes of one input: its N, C, H and W, or its shape. */
#define SIZES(...)      SIZES_OF(((struct ppm_shape){__VA_ARGS__}))
#define SIZES_OF(shape) (&(struct ppm_sizes){.inputs = {shape}, .count = 1})

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- files ---- */

/* Makes a new folder for this test; removes it and everything in it. */
void support_open_folder(void);
void support_close_folder(void);

/* FOLDER/name. The string is valid until the eighth call from now. */
const char *support_path(const char *name);

/* Writes FOLDER/name and returns its path. */
const char *support_write(const char *name, const void *bytes, size_t size);

/* The same for JSON text, with every ' replaced by a ". */
const char *support_write_json(const char *name, const char *json);

/* The bytes of any file, NUL-terminated; the caller frees them. */
char *support_read(const char *path, size_t *ret_size);

/* ---- weights and models ---- */

/* One tensor of a safetensors file; the shape ends with the first 0. */
struct support_weights {
    const char *name, *dtype; /* "F32", "F16", "BF16", "F64", "I64" */
    size_t shape[5];
    const void *values; /* as in the file; NULL: zeros */
};

/* Writes FOLDER/name with count consecutive tensors, and returns its path. */
const char *support_write_safetensors(const char *name, const struct support_weights *tensors,
                                      size_t count);

/* The same from a header's text (' for ") and data_bytes zeros after it: for invalid headers. */
const char *support_write_header(const char *name, const char *header, size_t data_bytes);

/* Writes text to FOLDER/model.json and loads that model. */
struct ppm_model *support_load(const char *json, struct ppm_error *error);

/* The same, but the test fails unless it succeeds. */
struct ppm_model *support_load_ok(const char *json);

/* ---- tensors ---- */

/* A float32 tensor, 4-d, of that shape; values are copied, or random in [-2, 2) if NULL. */
struct ppm_tensor support_tensor(struct ppm_shape shape, enum ppm_layout layout,
                                 const float *values);

/* Reads a .npy file of float32 or int32 with its axes in that layout. */
struct ppm_tensor support_load_npy(const char *path, enum ppm_layout layout);

/* A copy in the other layout. */
struct ppm_tensor support_other_layout(const struct ppm_tensor *tensor);

size_t support_elements(const struct ppm_tensor *tensor);

/* Whether two tensors have the same axes, layout, dtype and bits. */
bool support_is_same(const struct ppm_tensor *a, const struct ppm_tensor *b);

/* The largest |found - expected| of any element over the largest |expected|; for int32 the share
 * of elements that differ. INFINITY if axes, layout or dtype differ, or only one of two values is
 * NaN. */
double support_difference(const struct ppm_tensor *found, const struct ppm_tensor *expected);

/* Deterministic numbers in [-2, 2). */
void support_random(float *ret, size_t count, uint64_t seed);

/* ---- halves: float16 has 10 bits of fraction, bfloat16 7 ---- */

/* The value by the formula of IEEE 754. */
float support_half_value(uint16_t half, int fraction_bits);

/* The half nearest to a value, which is not NaN; the even one of two. */
uint16_t support_nearest_half(float value, int fraction_bits);

#endif
