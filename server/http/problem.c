/* problem.c - a response that is an error. */
#include "server/base/memory.h"
#include "server/http/counts.h"
#include "server/http/error_body.h"
#include "server/http/http.h"
#include "server/http/target.h"

#include <stdio.h>
#include <string.h>

/* In a second, the queue of a server whose jobs take milliseconds has moved on. */
enum { RETRY_AFTER_S = 1 };

/* The body is a constant, and is not freed. */
static void respond_without_memory(struct http_request *request, const struct http_error_form *form)
{
    http_respond_within(request, 503, form->content_type, NULL,
                        (char *)(uintptr_t)form->without_memory, strlen(form->without_memory));
}

enum http_next http_problem(struct http_request *request, unsigned status, const char *format, ...)
{
    const struct http_error_form *form = http_error_form(request->server, request->path);
    char detail[PPM_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    http_make_printable(detail);
    char *body = form->write(&status, detail, request->target);
    if (body)
        http_respond(request, status, form->content_type, body, strlen(body));
    else
        respond_without_memory(request, form);
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
        http_count_refusal(request->server, HTTP_TOO_LARGE);
        return http_problem(
            request, 413,
            "this request needs %zu bytes, including its body, expected at most %zu "
            "(memory_max_bytes)",
            request->wanted_bytes, memory_max_bytes);
    }
    http_count_refusal(request->server, HTTP_NO_MEMORY);
    return http_problem(request, 503,
                        "other requests use all the memory that is configured "
                        "(memory_max_bytes); try again");
}
