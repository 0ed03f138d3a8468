/* http_body.c - a request's body, collected in one piece of memory that grows as it arrives. */
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/http/http_private.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODY_START_BYTES = 1 << 14,
    ALIGNMENT_BYTES = 64,
    KNOWN_GROWTH = 8,   /* of a body that said how long it is: a byte in seven is copied once */
    UNKNOWN_GROWTH = 2, /* of others, which might end right after they have grown */
    INFLATED_STEPS = 4, /* of 64 KiB at most, by a thread that has other connections */
};

/* ---- room ---- */

size_t http_body_bytes_max(const struct http_request *request)
{
    const size_t of_route = request->route->body_bytes_max,
                 of_all = request->server->options.body_max_bytes;
    return of_route < of_all ? of_route : of_all;
}

/* The smallest of most, its growth-th part, that of that ... that holds as many bytes: a body takes
 * less than growth times what has come of it, and old and new memory together, as far as they are
 * written to, no more than most. */
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

/* Why the body cannot be kept with the piece, as a status; 0: it has been. */
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

void http_take_body(struct http_request *request, const char *piece, size_t bytes)
{
    if (request->body_refusal != 0)
        return;
    request->body_refusal = keep_piece(request, piece, bytes);
    if (request->body_refusal != 0) {
        http_drop_body(request);
        http_keep(request, request->reserved_bytes - request->body_capacity);
        request->body_bytes = request->body_capacity = 0;
    } else if (request->route->arrived && !request->is_compressed && http_begin_work(request)) {
        request->route->arrived(request);
        http_end_work();
    }
}

/* ---- turns ---- */

/* A thread serves its connections in turn, so whatever it does for each of them, all others wait
 * for. */
static _Thread_local struct {
    const struct http_request *first; /* whose work began the turn */
    double since_s, begun_s;
    double spent_s;
} turn;

static const double turn_s = 0.02, work_of_a_turn_s = 0.005;

bool http_begin_work(const struct http_request *request)
{
    turn.begun_s = clock_now_s();
    if (turn.first == request || turn.begun_s - turn.since_s > turn_s) {
        turn.first = request;
        turn.since_s = turn.begun_s;
        turn.spent_s = 0;
    }
    return turn.spent_s < work_of_a_turn_s;
}

void http_end_work(void)
{
    turn.spent_s += clock_now_s() - turn.begun_s;
}

void http_forget_turn(const struct http_request *request)
{
    if (turn.first == request)
        turn.first = NULL;
}

/* ---- what is refused ---- */

/* " (body_max_bytes)" where that is what bounds a body. */
static const char *setting_of_max(const struct http_request *request)
{
    const bool is_setting = http_body_bytes_max(request) < request->route->body_bytes_max;
    return is_setting ? " (body_max_bytes)" : "";
}

enum http_next http_check_length(struct http_request *request)
{
    const size_t bytes_max = http_body_bytes_max(request);
    if (request->content_length <= bytes_max)
        return HTTP_PROCEED;
    http_count_refusal(request->server, HTTP_TOO_LARGE);
    if (bytes_max == 0)
        return http_problem(request, 413, "the body has %zu bytes, expected none for %s %s",
                            request->content_length, request->route->method,
                            request->route->pattern);
    return http_problem(request, 413, "the body has %zu bytes, expected at most %zu%s",
                        request->content_length, bytes_max, setting_of_max(request));
}

enum http_next http_check_claim(struct http_request *request)
{
    const size_t bytes = request->content_length, bytes_max = memory_max();
    const size_t taken = memory_taken();
    if (bytes > bytes_max) {
        http_count_refusal(request->server, HTTP_TOO_LARGE);
        return http_problem(request, 413,
                            "the body has %zu bytes, expected at most %zu (memory_max_bytes)",
                            bytes, bytes_max);
    }
    const size_t room = bytes_max - bytes;
    if (bytes == 0 || taken <= room || taken - room <= http_idle_bytes(request->server))
        return HTTP_PROCEED;
    return http_refuse_memory(request);
}

static enum http_next refuse_excess(struct http_request *request)
{
    const size_t bytes_max = http_body_bytes_max(request);
    http_count_refusal(request->server, HTTP_TOO_LARGE);
    if (bytes_max == 0)
        return http_problem(request, 413, "found a body, expected none for %s %s",
                            request->route->method, request->route->pattern);
    return http_problem(request, 413, "the body has more than %zu bytes%s", bytes_max,
                        setting_of_max(request));
}

static bool has_had_its_steps(void *steps_left)
{
    return (*(int *)steps_left)-- == 0;
}

/* Inflates a small body here and now; where bodies may be large and this one is, a thread that
 * computes does. */
static enum http_next inflate_here(struct http_request *request)
{
    struct ppm_error error = {0};
    int steps_left = http_begin_work(request) ? INFLATED_STEPS : 0;
    const bool may_be_large = request->route->body_bytes_max == HTTP_BODY_ANY;
    http_inflate_body(request, may_be_large ? has_had_its_steps : NULL, &steps_left, &error);
    http_end_work();
    if (error.status == PPM_OK || error.status == PPM_CANCELLED)
        return HTTP_PROCEED;
    return http_refuse_inflation(request, &error);
}

enum http_next http_check_body(struct http_request *request)
{
    switch (request->body_refusal) {
    case 0:
        return request->is_compressed ? inflate_here(request) : HTTP_PROCEED;
    case 413:
        return refuse_excess(request);
    default:
        return http_refuse_memory(request);
    }
}
