/* problem.c - errors as RFC 9457 problem details. */
#include "server/base/memory.h"
#include "server/http/http_private.h"
#include "server/observe/metrics.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {499, "Client Closed Request"}, /* nobody reads it; for the log and the metrics */
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

void http_make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
            *text = '?';
}

char *http_copy_target(const char *target)
{
    char *copy = malloc(3 * strlen(target) + 1), *at = copy;
    if (!copy)
        return NULL;
    for (; *target; target++) {
        if ((unsigned char)*target > 0x20 && (unsigned char)*target < 0x7f)
            *at++ = *target;
        else
            at += sprintf(at, "%%%02X", (unsigned char)*target);
    }
    *at = '\0';
    return copy;
}

/* Retry in a second: the queue of a server that computes for milliseconds has moved on by then. */
enum { RETRY_AFTER_S = 1 };

bool http_is_v2(const char *target)
{
    return strncmp(target, "/v2", 3) == 0 && strchr("/?", target[3]);
}

const char *http_problem_type(bool is_v2)
{
    return is_v2 ? "application/json" : "application/problem+json";
}

/* What needs no memory; the body is not freed. */
static void respond_without_memory(struct http_request *request)
{
    static char body[] =
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
        "\"detail\":\"out of memory\",\"instance\":\"about:blank\"}";
    static char v2_body[] = "{\"error\":\"out of memory\"}";
    const bool is_v2 = http_is_v2(request->path);
    char *text = is_v2 ? v2_body : body;
    http_respond_within(request, 503, http_problem_type(is_v2), NULL, text, strlen(text));
}

char *http_problem_text(bool is_v2, unsigned status, const char *detail, const char *instance)
{
    json_t *problem = is_v2 ? json_pack("{s:s}", "error", detail)
                            : json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
                                        http_reason(status), "status", (int)status, "detail",
                                        detail, "instance", instance);
    char *text = problem ? ppm_json_text(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    return text;
}

enum http_next http_problem(struct http_request *request, unsigned status, const char *format, ...)
{
    const bool is_v2 = http_is_v2(request->path);
    char detail[PPM_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    http_make_printable(detail);
    if (is_v2 && status == 422)
        status = 400;

    char *body = http_problem_text(is_v2, status, detail, request->target);
    if (body)
        http_respond(request, status, http_problem_type(is_v2), body, strlen(body));
    else
        respond_without_memory(request);
    if (request->response.status == 503)
        http_add_header(request, "Retry-After", "%d", RETRY_AFTER_S);
    http_compress_here(request);
    return HTTP_RESPOND;
}

enum http_next http_problem_of(struct http_request *request, const struct ppm_error *error)
{
    static const unsigned statuses[] = {
        [PPM_OK] = 500,         [PPM_MALFORMED] = 400, [PPM_UNFIT] = 422,     [PPM_TOO_LARGE] = 413,
        [PPM_BAD_CONFIG] = 500, [PPM_IO] = 500,        [PPM_NO_MEMORY] = 503, [PPM_CANCELLED] = 504,
    };
    return http_problem(request, statuses[error->status], "%s", error->text);
}

enum http_next http_refuse_memory(struct http_request *request)
{
    const size_t memory_max_bytes = memory_max();
    if (request->wanted_bytes > memory_max_bytes) {
        metrics_rejected(METRICS_TOO_LARGE);
        return http_problem(request, 413,
                            "this request takes %zu bytes, its body included, expected at most %zu "
                            "(memory_max_bytes)",
                            request->wanted_bytes, memory_max_bytes);
    }
    metrics_rejected(METRICS_MEMORY);
    return http_problem(request, 503,
                        "the requests in flight hold all the memory that is configured "
                        "(memory_max_bytes); try again");
}
