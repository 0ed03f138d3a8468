/* compressed.h - bytes to and from gzip and zlib format, with zlib's simplest functions. */
#ifndef PPM_TESTS_COMPRESSED_H
#define PPM_TESTS_COMPRESSED_H

#include <stddef.h>

enum compressed_format { COMPRESSED_ZLIB = 15, COMPRESSED_GZIP = 31, COMPRESSED_RAW = -15 };

/* bytes as one stream; the caller frees it. */
char *compressed_make(enum compressed_format format, const void *bytes, size_t count,
                      size_t *ret_count);

/* The contents of one stream of at most max bytes, NUL-terminated; the caller frees it. NULL: the
 * bytes are not exactly one stream. */
char *compressed_read(enum compressed_format format, const void *bytes, size_t count, size_t max,
                      size_t *ret_count);

#endif
