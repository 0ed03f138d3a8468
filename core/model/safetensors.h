/*
 * safetensors.h - reads tensors of a safetensors file (https://github.com/huggingface/safetensors):
 * 8 bytes of little-endian header length, a JSON header, then the tensors' bytes.
 *
 * The file is read, never mapped: a truncated mapping is a SIGBUS. The header must describe the
 * rest of the file exactly: offsets contiguous from 0 to its end, each range the size that dtype
 * and shape say.
 */
#ifndef PPM_CORE_MODEL_SAFETENSORS_H
#define PPM_CORE_MODEL_SAFETENSORS_H

#include "core/ppm.h"

struct safetensors; /* an open file and its checked header */

enum { SAFETENSORS_RANK_MAX = 8 };

struct safetensors_entry {
    const char *name;  /* valid while the file is open */
    const char *dtype; /* "F32", "BF16", "I64", ... */
    size_t shape[SAFETENSORS_RANK_MAX];
    size_t rank;
    uint64_t begin, end; /* bytes after the header */
};

/* NULL with PPM_BAD_CONFIG or PPM_NO_MEMORY if the file cannot be opened or is not a safetensors
 * file. progress may abandon reads, and must outlive the file; or NULL. */
struct safetensors *safetensors_open(const char *path, const struct ppm_progress *progress,
                                     struct ppm_error *error);
void safetensors_close(struct safetensors *file);

/* The entry named name, or NULL. */
const struct safetensors_entry *safetensors_find(const struct safetensors *file, const char *name);

/* The index-th entry in the order of the file, or NULL past the last. */
const struct safetensors_entry *safetensors_entry(const struct safetensors *file, size_t index);

/* ret[count] = the entry's values as float32. PPM_BAD_CONFIG unless dtype is F32, F16 or BF16. */
enum ppm_status safetensors_read(struct safetensors *file, const struct safetensors_entry *entry,
                                 float *ret, struct ppm_error *error);

#endif
