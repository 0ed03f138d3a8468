/* http_body.c - a request's body, collected in one piece of memory. */
#include "server/buffers.h"
#include "server/http/http_private.h"

#include <string.h>

enum { CHUNKED_BODY_START_BYTES = 1 << 16, ALIGNMENT_BYTES = 64 };

/* Makes room for bytes more; a body without Content-Length grows by doubling. */
static bool grow_body(struct http_request *request, size_t bytes)
{
    size_t needed = request->body_bytes + bytes, capacity = request->body_capacity;
    if (needed <= capacity)
        return true;
    if (request->has_content_length)
        capacity = request->content_length;
    else
        capacity = capacity ? 2 * capacity : CHUNKED_BODY_START_BYTES;
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

void http_take_body(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->body_refusal == 0)
        request->body_refusal = refuse_body(request, bytes);
    if (request->body_refusal == 0) {
        memcpy(request->body + request->body_bytes, piece, bytes);
        request->body_bytes += bytes;
        if (request->route->arrived)
            request->route->arrived(request);
        return;
    }
    http_drop_body(request);
    request->body_bytes = request->body_capacity = 0;
}

void http_drop_body(struct http_request *request)
{
    buffer_give(request->body_memory);
    request->body_memory = request->body = NULL;
}
