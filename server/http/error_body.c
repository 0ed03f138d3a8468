/* error_body.c - see error_body.h. */
#include "server/http/error_body.h"
#include "server/http/http_server.h"

#include <jansson.h>

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
    {499, "Client Closed Request"}, /* never read; for the application's counts */
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

/* ---- RFC 9457 ---- */

static char *write_problem(unsigned *status, const char *detail, const char *instance)
{
    json_t *problem =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title", http_reason(*status),
                  "status", (int)*status, "detail", detail, "instance", instance);
    char *text = problem ? ppm_json_text(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    return text;
}

static const struct http_error_form problem_details = {
    .content_type = "application/problem+json",
    .write = write_problem,
    .without_memory = "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
                      "\"detail\":\"out of memory\",\"instance\":\"about:blank\"}",
};

const struct http_error_form *http_error_form(const struct http_server *server, const char *path)
{
    const struct http_application *application = server->options.application;
    const struct http_error_form *form =
        application && application->error_form ? application->error_form(path) : NULL;
    return form ? form : &problem_details;
}
