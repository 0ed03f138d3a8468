/* compress.c - see compress.h. */
#include "server/http/compress.h"
#include "server/http/coding.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    BODY_BYTES_MIN = 1024,      /* a smaller body is one packet anyway */
    DEFLATER_BYTES = 272 << 10, /* zlib's own: windows and tables */
    HERE_BYTES_MAX = 1 << 18,   /* on the server's threads: 2 ms */
    SLICE_BYTES = 1 << 16,      /* between two choices of a strategy */
    ROOM_BYTES_MAX = 1 << 30,
    MAX_WINDOW_BITS = 15,
    GZIP_WINDOW_BITS = 16 + MAX_WINDOW_BITS,
    MEMORY_LEVEL = 8, /* zlib's default */
};

/* Whether most 32-bit words equal the one before, as in maps of classes or constant channels. */
static bool repeats_itself(const char *slice, size_t bytes)
{
    const size_t words = bytes / sizeof(uint32_t);
    size_t equal = 0;
    uint32_t before = 0, word;
    for (size_t i = 0; i < words; i++, before = word) {
        memcpy(&word, slice + i * sizeof word, sizeof word);
        equal += word == before;
    }
    return equal > words / 2;
}

/* Whether it is text. A fifth of random bytes are letters. */
static bool is_text(const char *slice, size_t bytes)
{
    size_t letters = 0;
    for (size_t i = 0; i < bytes; i++)
        letters += (unsigned char)((slice[i] | 0x20) - 'a') < 26 ? 1 : 0;
    return letters > bytes / 3;
}

/* Other numbers hardly repeat, so a search for repeated strings finds nothing. Coding frequent
 * bytes gains as much, in a quarter of the time. */
static int choose_strategy(const char *slice, size_t bytes)
{
    return repeats_itself(slice, bytes) || is_text(slice, bytes) ? Z_DEFAULT_STRATEGY : Z_RLE;
}

static bool is_unwanted(const struct http_request *request)
{
    return http_is_past(&request->deadline) ||
           (request->is_unwanted && request->is_unwanted(request->state));
}

/* Feeds the body to z, slice by slice. False: it does not shrink, or is not wanted any more. */
static bool deflate_slices(z_stream *z, const struct http_request *request)
{
    const struct http_response *response = &request->response;
    size_t left = response->body_bytes, room = response->body_bytes - 1;
    for (const char *slice = response->body;; slice += SLICE_BYTES) {
        const bool is_last = left <= SLICE_BYTES;
        const size_t bytes = is_last ? left : SLICE_BYTES;
        z->avail_out = (uInt)size_min(room, ROOM_BYTES_MAX);
        const uInt given = z->avail_out;
        if (deflateParams(z, Z_BEST_SPEED, choose_strategy(slice, bytes)) != Z_OK)
            return false;
        z->next_in = (Bytef *)(uintptr_t)slice;
        z->avail_in = (uInt)bytes;
        const int result = deflate(z, is_last ? Z_FINISH : Z_NO_FLUSH);
        if (is_last)
            return result == Z_STREAM_END;
        if (result != Z_OK || z->avail_in > 0 || is_unwanted(request))
            return false;
        room -= given - z->avail_out;
        left -= bytes;
    }
}

/* Returns the size of the compressed body, at ret. 0: it does not shrink, or there is no memory. */
static size_t deflate_body(const struct http_request *request, enum http_coding coding, char *ret)
{
    z_stream z = {.next_out = (Bytef *)ret};
    const int window_bits = coding == HTTP_GZIP ? GZIP_WINDOW_BITS : MAX_WINDOW_BITS;
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, window_bits, MEMORY_LEVEL, Z_RLE) != Z_OK)
        return 0;
    const bool is_smaller = deflate_slices(&z, request);
    const size_t bytes = z.total_out;
    deflateEnd(&z);
    return is_smaller ? bytes : 0;
}

bool http_compress_as(struct http_request *request, enum http_coding coding)
{
    struct http_response *response = &request->response;
    const size_t held_bytes = request->reserved_bytes, body_bytes = response->body_bytes;
    if (coding == HTTP_IDENTITY || body_bytes < BODY_BYTES_MIN ||
        !http_reserve(request, body_bytes + DEFLATER_BYTES))
        return false;
    char *body = malloc(body_bytes);
    const size_t bytes = body ? deflate_body(request, coding, body) : 0;
    http_keep(request, held_bytes);
    if (bytes == 0) {
        free(body);
        return false;
    }
    char *shrunk = realloc(body, bytes);
    http_respond(request, response->status, response->content_type, shrunk ? shrunk : body, bytes);
    http_add_header(request, "Content-Encoding", "%s", http_coding_name(coding));
    http_add_header(request, "Vary", "Accept-Encoding");
    return true;
}

bool http_compress_here(struct http_request *request)
{
    const size_t bytes = request->response.body_bytes;
    return bytes >= BODY_BYTES_MIN && bytes <= HERE_BYTES_MAX &&
           strcmp(request->method, "HEAD") != 0 && http_compress(request);
}

bool http_compress(struct http_request *request)
{
    return http_compress_as(request, http_wanted_coding(request));
}

bool http_will_compress(const struct http_request *request, size_t body_bytes)
{
    return body_bytes >= BODY_BYTES_MIN && http_wanted_coding(request) != HTTP_IDENTITY;
}
