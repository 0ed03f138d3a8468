/* http_body.c - see http_body.h. */
#include "server/http/http_body.h"
#include "server/base/buffers.h"
#include "server/http/http_server.h"
#include "server/http/turn.h"

#include <assert.h>
#include <string.h>

enum {
    BODY_START_BYTES = 1 << 14,
    ALIGNMENT_BYTES = 64,
    KNOWN_GROWTH = 8,   /* of a body whose length is known: one byte in seven is copied once */
    UNKNOWN_GROWTH = 2, /* of others, which might end right after they have grown */
};

/* ---- room ---- */

size_t http_body_bytes_max(const struct http_request *request)
{
    const size_t of_route = request->route->body_bytes_max,
                 of_all = request->server->options.settings.body_max_bytes;
    return size_min(of_route, of_all);
}

/* The smallest of most, most / growth, most / growth^2, ... that holds the needed bytes. So a body
 * takes less than growth times what has come of it; and old and new memory together, as far as they
 * are written to, take no more than most. */
static size_t capacity_for(size_t most, size_t growth, size_t needed)
{
    size_t capacity = most;
    while (capacity / growth >= needed && capacity / growth >= BODY_START_BYTES)
        capacity /= growth;
    return capacity;
}

bool http_grow_body(struct http_request *request, size_t bytes)
{
    const size_t needed = request->body_bytes + bytes;
    if (needed <= request->body_capacity)
        return true;
    const size_t capacity =
        request->content_length >= needed
            ? capacity_for(request->content_length, KNOWN_GROWTH, needed)
            : capacity_for(http_body_bytes_max(request), UNKNOWN_GROWTH, needed);
    assert(capacity >= needed);
    const size_t before = -request->body_aligned_at % ALIGNMENT_BYTES;
    if (!http_reserve(request, capacity - request->body_capacity))
        return false;
    char *memory = buffer_take(before + capacity);
    if (!memory) {
        http_keep(request, request->reserved_bytes - (capacity - request->body_capacity));
        return false;
    }
    if (request->body)
        memcpy(memory + before, request->body, request->body_bytes);
    buffer_give(request->body_memory);
    request->body_memory = memory;
    request->body = memory + before;
    request->body_capacity = capacity;
    return true;
}

/* ---- what arrives ---- */

void http_drop_body(struct http_request *request)
{
    buffer_give(request->body_memory);
    request->body_memory = request->body = NULL;
}

/* Appends the piece. Returns 0, or the status of a refusal. */
static unsigned keep_piece(struct http_request *request, const char *piece, size_t bytes)
{
    if (bytes > http_body_bytes_max(request) - request->body_bytes)
        return 413;
    if (!http_grow_body(request, bytes))
        return 503;
    memcpy(request->body + request->body_bytes, piece, bytes);
    request->body_bytes += bytes;
    return 0;
}

/* It is not wanted any more. */
static void forget_body(struct http_request *request)
{
    http_drop_body(request);
    http_keep(request, request->reserved_bytes - request->body_capacity);
    request->body_bytes = request->body_capacity = 0;
}

void http_take_body(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->body_refusal != 0 || request->is_refused)
        return;
    request->body_refusal = keep_piece(request, piece, bytes);
    if (request->body_refusal != 0) {
        forget_body(request);
    } else if (request->route->arrived && !request->is_compressed && http_begin_work(request)) {
        request->is_refused = request->route->arrived(request) == HTTP_RESPOND;
        http_end_work();
        if (request->is_refused)
            forget_body(request);
    }
}
