/* compressed.h - bytes to and from gzip and zlib's format, by zlib's own simplest means. */
#ifndef PPM_TESTS_COMPRESSED_H
#define PPM_TESTS_COMPRESSED_H

#include <stddef.h>

enum compressed_format { COMPRESSED_ZLIB = 15, COMPRESSED_GZIP = 31, COMPRESSED_RAW = -15 };

/* bytes as one stream; the caller frees it. */
char *compressed_make(enum compressed_format format, const void *bytes, size_t count,
                      size_t *ret_count);

/* What one stream of at most max bytes holds, '\0' behind it; the caller frees it. NULL: these
 * bytes are not one, and no more. */
char *compressed_read(enum compressed_format format, const void *bytes, size_t count, size_t max,
                      size_t *ret_count);

#endif
