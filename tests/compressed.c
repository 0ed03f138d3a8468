/* compressed.c - see compressed.h. */
#include "tests/compressed.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

char *compressed_make(enum compressed_format format, const void *bytes, size_t count,
                      size_t *ret_count)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)count};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    const size_t max = deflateBound(&z, count);
    char *made = malloc(max);
    z.next_out = (Bytef *)made;
    z.avail_out = (uInt)max;
    if (!made || deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    *ret_count = z.total_out;
    deflateEnd(&z);
    return made;
}

char *compressed_read(enum compressed_format format, const void *bytes, size_t count, size_t max,
                      size_t *ret_count)
{
    char *made = calloc(1, max + 1);
    z_stream z = {.next_in = (Bytef *)(uintptr_t)bytes,
                  .avail_in = (uInt)count,
                  .next_out = (Bytef *)made,
                  .avail_out = (uInt)max};
    if (!made || inflateInit2(&z, format) != Z_OK)
        abort();
    const int result = inflate(&z, Z_FINISH);
    *ret_count = z.total_out;
    const int is_one = result == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    if (is_one)
        return made;
    free(made);
    return NULL;
}
