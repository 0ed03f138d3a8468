/* body_check.c - see body_check.h. */
#include "server/http/body_check.h"
#include "server/base/memory.h"
#include "server/http/counts.h"
#include "server/http/http_body.h"
#include "server/http/idle.h"
#include "server/http/turn.h"

enum { INFLATED_STEPS = 4 }; /* of 64 KiB at most, by a thread that has other connections */

/* " (body_max_bytes)" if that is the limit. */
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
        return http_problem(request, 413, "the body has %zu byte%s, expected none for %s %s",
                            request->content_length, ppm_plural(request->content_length),
                            request->route->method, request->route->pattern);
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

/* Inflates a small body at once. A large one, on a route that takes such, is left to another
 * thread.
 */
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
