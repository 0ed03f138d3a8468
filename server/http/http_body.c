/* http_body.c - a request's body, collected in one piece of memory, inflated while it arrives. */
#include "server/buffers.h"
#include "server/http/http_private.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    BODY_START_BYTES = 1 << 16,
    ROOM_BYTES_MAX = 1 << 30,
    ALIGNMENT_BYTES = 64,
    INFLATER_BYTES = 48 << 10, /* zlib's own: 7 KiB and a window of 32, and ours */
    MAX_WINDOW_BITS = 15,
    GZIP_WINDOW_BITS = 16 + MAX_WINDOW_BITS,
};

struct http_inflater {
    z_stream stream;
    enum http_coding coding;
    bool is_open;       /* stream is to be closed */
    bool is_at_end;     /* of a stream */
    size_t streams;     /* that have ended; of gzip there may be several */
    size_t taken_bytes; /* of the body, as it was sent */
    struct ppm_error error;
};

/* ---- room ---- */

/* The smallest of body_max_bytes, its half, its quarter ... that holds so much: old and new memory
 * together, as far as they are written to, are within body_max_bytes. */
static size_t capacity_for(const struct http_request *request, size_t needed)
{
    size_t capacity = request->server->options.body_max_bytes;
    while (capacity / 2 >= needed && capacity / 2 >= BODY_START_BYTES)
        capacity /= 2;
    return capacity;
}

/* Makes room for bytes more; a body of unknown length grows by doubling. */
static bool grow_body(struct http_request *request, size_t bytes)
{
    const size_t needed = request->body_bytes + bytes;
    if (needed <= request->body_capacity)
        return true;
    size_t capacity =
        request->has_content_length ? request->content_length : capacity_for(request, needed);
    capacity = capacity < needed ? needed : capacity;
    if (!request->has_content_length && !http_reserve(request, capacity - request->body_capacity))
        return false;
    const size_t before = -request->body_aligned_at % ALIGNMENT_BYTES;
    char *memory = buffer_take(before + capacity);
    if (!memory)
        return false;
    if (request->body)
        memcpy(memory + before, request->body, request->body_bytes);
    buffer_give(request->body_memory);
    request->body_memory = memory;
    request->body = memory + before;
    request->body_capacity = capacity;
    return true;
}

/* Why the body cannot be kept with bytes more of it, as a status; 0: it can. */
static unsigned refuse_body(struct http_request *request, size_t bytes)
{
    if (bytes > request->server->options.body_max_bytes - request->body_bytes)
        return 413;
    return grow_body(request, bytes) ? 0 : 503;
}

/* ---- inflating; what may refuse returns a status, or 0 ---- */

bool http_inflate(struct http_request *request, enum http_coding coding)
{
    request->inflater = calloc(1, sizeof *request->inflater);
    if (!request->inflater)
        return false;
    request->inflater->coding = coding;
    request->has_content_length = false;
    return true;
}

static unsigned open_inflater(struct http_request *request)
{
    struct http_inflater *inflater = request->inflater;
    const int window_bits = inflater->coding == HTTP_GZIP ? GZIP_WINDOW_BITS : MAX_WINDOW_BITS;
    if (!http_reserve(request, INFLATER_BYTES) || !grow_body(request, 1) ||
        inflateInit2(&inflater->stream, window_bits) != Z_OK)
        return 503;
    inflater->is_open = true;
    return 0;
}

static void close_inflater(struct http_inflater *inflater)
{
    if (inflater && inflater->is_open)
        inflateEnd(&inflater->stream);
    if (inflater)
        inflater->is_open = false;
}

void http_free_inflater(struct http_request *request)
{
    close_inflater(request->inflater);
    free(request->inflater);
    request->inflater = NULL;
}

static unsigned refuse_what_follows(struct http_inflater *inflater)
{
    ppm_fail(&inflater->error, PPM_MALFORMED,
             "found bytes behind the end of the body's %s data, expected none",
             http_coding_name(inflater->coding));
    return 400;
}

static unsigned refuse_data(struct http_inflater *inflater)
{
    const z_stream *z = &inflater->stream;
    if (inflater->streams > 0 && z->total_out == 0)
        return refuse_what_follows(inflater);
    ppm_fail(&inflater->error, PPM_MALFORMED,
             "the body's %s data are corrupt: found %s within %zu bytes, expected %s",
             http_coding_name(inflater->coding), z->msg ? z->msg : "a preset dictionary",
             inflater->taken_bytes,
             inflater->coding == HTTP_GZIP ? "gzip's format (RFC 1952)"
                                           : "zlib's format (RFC 1950)");
    return 400;
}

static unsigned refuse_cut(struct http_inflater *inflater)
{
    if (inflater->streams > 0 && inflater->stream.total_out == 0)
        return refuse_what_follows(inflater);
    ppm_fail(&inflater->error, PPM_MALFORMED,
             "the body ends after %zu bytes, within its %s data, expected all of them",
             inflater->taken_bytes, http_coding_name(inflater->coding));
    return 400;
}

/* Inflates what the room there is holds. */
static unsigned inflate_step(struct http_request *request, bool *ret_has_moved)
{
    struct http_inflater *inflater = request->inflater;
    z_stream *z = &inflater->stream;
    const size_t left = request->body_capacity - request->body_bytes;
    const uInt room = (uInt)(left < ROOM_BYTES_MAX ? left : ROOM_BYTES_MAX), given = z->avail_in;
    z->next_out = (Bytef *)request->body + request->body_bytes;
    z->avail_out = room;
    const int result = inflate(z, Z_NO_FLUSH);
    const uInt made = room - z->avail_out, taken = given - z->avail_in;
    *ret_has_moved = made > 0 || taken > 0;
    request->body_bytes += made;
    inflater->taken_bytes += taken;
    inflater->is_at_end = result == Z_STREAM_END;
    inflater->streams += inflater->is_at_end;
    if (result == Z_MEM_ERROR)
        return 503;
    return result == Z_OK || result == Z_BUF_ERROR || inflater->is_at_end ? 0
                                                                          : refuse_data(inflater);
}

static unsigned inflate_piece(struct http_request *request, const char *piece, size_t bytes)
{
    struct http_inflater *inflater = request->inflater;
    z_stream *z = &inflater->stream;
    unsigned status = inflater->is_open ? 0 : open_inflater(request);
    z->next_in = (Bytef *)(uintptr_t)piece;
    z->avail_in = (uInt)bytes;
    while (status == 0 && z->avail_in > 0) {
        bool has_moved;
        if (inflater->is_at_end && inflater->coding != HTTP_GZIP)
            return refuse_what_follows(inflater);
        if (inflater->is_at_end)
            inflateReset(z);
        status = inflate_step(request, &has_moved);
        if (status == 0 && !has_moved) {
            assert(request->body_bytes == request->body_capacity);
            status = refuse_body(request, 1);
        }
    }
    return status;
}

/* What zlib has read and not yet written, or had no room for. */
static unsigned inflate_rest(struct http_request *request)
{
    unsigned status = 0;
    while (status == 0 && !request->inflater->is_at_end) {
        bool has_moved;
        status = inflate_step(request, &has_moved);
        if (status == 0 && !has_moved)
            status = request->body_bytes < request->body_capacity ? refuse_cut(request->inflater)
                                                                  : refuse_body(request, 1);
    }
    return status;
}

/* ---- all of it ---- */

void http_drop_body(struct http_request *request)
{
    buffer_give(request->body_memory);
    request->body_memory = request->body = NULL;
}

static void give_up_body(struct http_request *request)
{
    close_inflater(request->inflater);
    http_drop_body(request);
    request->body_bytes = request->body_capacity = 0;
}

static unsigned keep_piece(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->inflater)
        return inflate_piece(request, piece, bytes);
    const unsigned status = refuse_body(request, bytes);
    if (status == 0) {
        memcpy(request->body + request->body_bytes, piece, bytes);
        request->body_bytes += bytes;
    }
    return status;
}

void http_take_body(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->body_refusal != 0)
        return;
    request->body_refusal = keep_piece(request, piece, bytes);
    if (request->body_refusal != 0)
        give_up_body(request);
    else if (request->route->arrived)
        request->route->arrived(request);
}

void http_end_body(struct http_request *request)
{
    struct http_inflater *inflater = request->inflater;
    if (!inflater || !inflater->is_open)
        return;
    request->body_refusal = inflate_rest(request);
    close_inflater(inflater);
    http_keep(request, request->reserved_bytes - INFLATER_BYTES);
    if (request->body_refusal != 0)
        give_up_body(request);
}

bool http_refuse_data(struct http_request *request)
{
    return http_problem_of(request, &request->inflater->error);
}
