/* inflate.c - a compressed body, once all of it has come: gzip and deflate. */
#include "server/http/inflate.h"
#include "server/base/buffers.h"
#include "server/base/field_value.h"
#include "server/http/coding.h"
#include "server/http/counts.h"
#include "server/http/http_body.h"

#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

enum {
    STEP_BYTES = 1 << 16,      /* in or out, between two calls of is_cancelled */
    INFLATER_BYTES = 48 << 10, /* zlib's own: 7 KiB and a window of 32, and ours */
    MAX_WINDOW_BITS = 15,
    GZIP_WINDOW_BITS = 16 + MAX_WINDOW_BITS,
};

struct http_inflater {
    z_stream stream;
    enum http_coding coding;
    bool is_open;   /* stream is to be closed */
    bool is_at_end; /* of a stream */
    size_t streams; /* that have ended; gzip may have several */
    void *memory;   /* that contains the body as it was sent */
    const char *sent;
    size_t sent_bytes, sent_capacity;
    size_t taken_bytes; /* of sent */
};

bool http_expect_compressed(struct http_request *request, enum http_coding coding)
{
    request->inflater = calloc(1, sizeof *request->inflater);
    if (!request->inflater)
        return false;
    request->inflater->coding = coding;
    request->is_compressed = true;
    request->has_content_length = false;
    return true;
}

/* Takes over the body as it was sent; the inflated bytes become the body. */
static enum ppm_status open_inflater(struct http_request *request, struct ppm_error *error)
{
    struct http_inflater *inflater = request->inflater;
    const int window_bits = inflater->coding == HTTP_GZIP ? GZIP_WINDOW_BITS : MAX_WINDOW_BITS;
    if (!http_reserve(request, INFLATER_BYTES))
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to inflate the body");
    if (inflateInit2(&inflater->stream, window_bits) != Z_OK) {
        http_keep(request, request->reserved_bytes - INFLATER_BYTES);
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to inflate the body");
    }
    inflater->is_open = true;
    inflater->memory = request->body_memory;
    inflater->sent = request->body;
    inflater->sent_bytes = request->body_bytes;
    inflater->sent_capacity = request->body_capacity;
    request->body_memory = request->body = NULL;
    request->body_bytes = request->body_capacity = 0;
    request->content_length = 0;
    return PPM_OK;
}

static void close_inflater(struct http_request *request)
{
    struct http_inflater *inflater = request->inflater;
    if (!inflater->is_open)
        return;
    inflateEnd(&inflater->stream);
    inflater->is_open = false;
    buffer_give(inflater->memory);
    inflater->memory = NULL;
    http_keep(request, request->reserved_bytes - inflater->sent_capacity - INFLATER_BYTES);
}

void http_free_inflater(struct http_request *request)
{
    if (request->inflater)
        close_inflater(request);
    free(request->inflater);
    request->inflater = NULL;
}

/* ---- refusals ---- */

static enum ppm_status refuse_what_follows(const struct http_inflater *inflater,
                                           struct ppm_error *error)
{
    return ppm_fail(error, PPM_MALFORMED,
                    "found bytes after the end of the body's %s data, expected none",
                    http_coding_name(inflater->coding));
}

static enum ppm_status refuse_data(const struct http_inflater *inflater, struct ppm_error *error)
{
    const z_stream *z = &inflater->stream;
    if (inflater->streams > 0 && z->total_out == 0)
        return refuse_what_follows(inflater, error);
    return ppm_fail(error, PPM_MALFORMED,
                    "the body's %s data is corrupt: found %s within %zu bytes, expected %s",
                    http_coding_name(inflater->coding), z->msg ? z->msg : "a preset dictionary",
                    inflater->taken_bytes,
                    inflater->coding == HTTP_GZIP ? "gzip's format (RFC 1952)"
                                                  : "zlib's format (RFC 1950)");
}

static enum ppm_status refuse_cut(const struct http_inflater *inflater, struct ppm_error *error)
{
    if (inflater->streams > 0 && inflater->stream.total_out == 0)
        return refuse_what_follows(inflater, error);
    return ppm_fail(
        error, PPM_MALFORMED,
        "the body ends after %zu byte%s, in the middle of its %s data, expected all of it",
        inflater->taken_bytes, ppm_plural(inflater->taken_bytes),
        http_coding_name(inflater->coding));
}

/* ---- inflating ---- */

/* Makes room for at least one more byte. */
static enum ppm_status make_room(struct http_request *request, struct ppm_error *error)
{
    const size_t bytes_max = http_body_bytes_max(request);
    if (request->body_bytes < request->body_capacity)
        return PPM_OK;
    if (request->body_bytes == bytes_max)
        return ppm_fail(error, PPM_TOO_LARGE, "the body has more than %zu bytes%s once inflated",
                        bytes_max,
                        bytes_max < request->route->body_bytes_max ? " (body_max_bytes)" : "");
    if (!http_grow_body(request, 1))
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for the inflated body");
    return PPM_OK;
}

static uInt step_of(size_t bytes)
{
    return (uInt)size_min(bytes, STEP_BYTES);
}

/* Inflates STEP_BYTES at most. */
static enum ppm_status inflate_step(struct http_request *request, struct ppm_error *error)
{
    struct http_inflater *inflater = request->inflater;
    z_stream *z = &inflater->stream;
    const uInt given = step_of(inflater->sent_bytes - inflater->taken_bytes),
               room = step_of(request->body_capacity - request->body_bytes);
    z->next_in = (Bytef *)(uintptr_t)(inflater->sent + inflater->taken_bytes);
    z->avail_in = given;
    z->next_out = (Bytef *)request->body + request->body_bytes;
    z->avail_out = room;
    const int result = inflate(z, Z_NO_FLUSH);
    request->body_bytes += room - z->avail_out;
    inflater->taken_bytes += given - z->avail_in;
    inflater->is_at_end = result == Z_STREAM_END;
    inflater->streams += inflater->is_at_end;
    if (result == Z_MEM_ERROR)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory to inflate the body");
    if (result != Z_OK && result != Z_BUF_ERROR && !inflater->is_at_end)
        return refuse_data(inflater, error);
    const bool has_moved = z->avail_in < given || z->avail_out < room || inflater->is_at_end;
    return has_moved ? PPM_OK : refuse_cut(inflater, error);
}

/* Starts the next of several streams. */
static enum ppm_status begin_stream(struct http_inflater *inflater, struct ppm_error *error)
{
    if (inflater->coding != HTTP_GZIP)
        return refuse_what_follows(inflater, error);
    inflateReset(&inflater->stream);
    inflater->is_at_end = false;
    return PPM_OK;
}

static enum ppm_status inflate_all(struct http_request *request, bool (*is_cancelled)(void *),
                                   void *context, struct ppm_error *error)
{
    struct http_inflater *inflater = request->inflater;
    while (!inflater->is_at_end || inflater->taken_bytes < inflater->sent_bytes) {
        if (is_cancelled && is_cancelled(context))
            return ppm_fail(error, PPM_CANCELLED, "the body was not inflated to its end");
        if ((inflater->is_at_end && begin_stream(inflater, error) != PPM_OK) ||
            make_room(request, error) != PPM_OK || inflate_step(request, error) != PPM_OK)
            return error->status;
    }
    return PPM_OK;
}

enum ppm_status http_inflate_body(struct http_request *request, bool (*is_cancelled)(void *),
                                  void *context, struct ppm_error *error)
{
    const bool is_open = request->inflater->is_open;
    if (is_open || request->body_bytes > 0) {
        if ((!is_open && open_inflater(request, error) != PPM_OK) ||
            inflate_all(request, is_cancelled, context, error) != PPM_OK)
            return error->status;
        close_inflater(request);
    }
    request->is_compressed = false;
    return PPM_OK;
}

enum http_next http_refuse_inflation(struct http_request *request, const struct ppm_error *error)
{
    if (error->status == PPM_NO_MEMORY)
        return http_refuse_memory(request);
    if (error->status == PPM_TOO_LARGE)
        http_count_refusal(request->server, HTTP_TOO_LARGE);
    return http_problem_of(request, error);
}

/* ---- Content-Encoding ---- */

struct content_encoding {
    const char *value;
    unsigned fields;
};

static enum MHD_Result look_for_encoding(void *context, enum MHD_ValueKind kind, const char *name,
                                         const char *value)
{
    struct content_encoding *found = context;
    (void)kind;
    if (strcasecmp(name, "Content-Encoding") == 0) {
        found->fields++;
        found->value = value ? value : "";
    }
    return MHD_YES;
}

enum http_next http_check_coding(struct http_request *request)
{
    struct content_encoding found = {.value = ""};
    enum http_coding coding = HTTP_IDENTITY;
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, look_for_encoding, &found);
    const struct span name = span_trimmed(span_of(found.value));
    if (found.fields > 1 || (name.bytes > 0 && !http_find_coding(name, &coding))) {
        http_add_header(request, "Accept-Encoding", "gzip, deflate");
        return http_problem(
            request, 415,
            "Content-Encoding: found %.60s, expected gzip or deflate, only one of them",
            found.fields > 1 ? "several headers" : found.value);
    }
    if (coding == HTTP_IDENTITY || http_expect_compressed(request, coding))
        return HTTP_PROCEED;
    return http_problem(request, 503, "out of memory");
}
