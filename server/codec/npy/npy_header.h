/*
 * npy_header.h - the header of a .npy file, versions 1 to 3.
 */
#ifndef PPM_SERVER_CODEC_NPY_NPY_HEADER_H
#define PPM_SERVER_CODEC_NPY_NPY_HEADER_H

#include "core/ppm.h"

#include <stdbool.h>
#include <stddef.h>

enum { CODEC_NPY_MAGIC_BYTES = 6 };
extern const char codec_npy_magic[]; /* \x93NUMPY */

enum codec_npy_dtype { CODEC_NPY_FLOAT16, CODEC_NPY_FLOAT32, CODEC_NPY_FLOAT64 };

/* Whether a body begins as a .npy file does. */
bool codec_is_npy_file(const char *body, size_t body_bytes);

struct codec_npy_header {
    enum codec_npy_dtype dtype;
    const char *descr; /* its name: "<f4" */
    size_t element_bytes;
    bool is_fortran;
    size_t axes[4];
    size_t axis_count; /* 3 or 4 */
    size_t bytes;      /* before the data; at most the body's */
};

/* PPM_MALFORMED if it is no header, or has a dtype or axes that are not read here. The extents may
 * still be 0, and their product may overflow. */
enum ppm_status codec_npy_read_header(const char *body, size_t body_bytes,
                                      struct codec_npy_header *ret_header, struct ppm_error *error);

#endif
