/* cors.c - which pages of other origins may use this server from a browser (WHATWG Fetch, CORS). */
#include "server/http/cors.h"
#include "server/base/field_value.h"
#include "server/http/find_route.h"
#include "server/http/http_server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

/* Headers that this server reads in a request, and that a page may read in an answer. The
 * application's are added to both. In the order of strcmp. */
static const char *const request_headers[] = {
    "Accept",    "Authorization", "Content-Encoding",     "Content-Type",
    "X-Api-Key", "X-Request-Id",  "X-Request-Timeout-Ms", "traceparent",
    NULL};
static const char *const answer_headers[] = {"Retry-After", "Server-Timing", "X-Request-Id",
                                             "traceparent", NULL};
#define PREFLIGHT_LASTS_S "3600"

enum { NAMES_BYTES = HTTP_HEADER_VALUE_BYTES };

/* Both lists as one, "a, b, c". */
static void join_names(const char *const *own, const char *const *others, char ret[NAMES_BYTES])
{
    size_t at = 0;
    *ret = '\0';
    while ((*own || *others) && at < NAMES_BYTES) {
        const bool is_own = !*others || (*own && strcmp(*own, *others) < 0);
        const char *name = is_own ? *own++ : *others++;
        at += (size_t)snprintf(ret + at, NAMES_BYTES - at, "%s%s", at ? ", " : "", name);
    }
}

static bool is_any(const char *origins)
{
    return strcmp(origins, "*") == 0;
}

/* Whether the list contains the origin. */
static bool is_listed(const char *origins, const char *origin)
{
    const size_t bytes = strlen(origin);
    struct span list = span_of(origins), element;
    while (field_next_element(&list, &element))
        if (element.bytes == bytes && memcmp(element.start, origin, bytes) == 0)
            return true;
    return false;
}

bool http_is_allowed_origin(const struct http_request *request, const char *origin)
{
    const char *origins = request->server->options.settings.cors_origins;
    return is_any(origins) || is_listed(origins, origin);
}

/* The value of Access-Control-Allow-Origin; NULL: the request's origin may not read the answer. */
static const char *allowed_origin(const struct http_request *request)
{
    const char *origins = request->server->options.settings.cors_origins;
    const char *origin = http_header(request, "Origin");
    if (!origin || !http_is_allowed_origin(request, origin))
        return NULL;
    return is_any(origins) ? "*" : origin;
}

bool http_add_cors(const struct http_request *request, struct MHD_Response *response)
{
    const char *origins = request->server->options.settings.cors_origins;
    const char *origin = allowed_origin(request);
    if (*origins && !is_any(origins) &&
        MHD_add_response_header(response, "Vary", "Origin") != MHD_YES)
        return false;
    if (!origin)
        return true;
    char names[NAMES_BYTES];
    join_names(answer_headers, request->server->options.application->answer_headers, names);
    return MHD_add_response_header(response, "Access-Control-Allow-Origin", origin) == MHD_YES &&
           MHD_add_response_header(response, "Access-Control-Expose-Headers", names) == MHD_YES;
}

enum http_next http_answer_preflight(struct http_request *request)
{
    const struct http_application *application = request->server->options.application;
    char allow[HTTP_ALLOW_BYTES], names[NAMES_BYTES];
    http_argument arguments[HTTP_ARGUMENTS_MAX];
    if (strcmp(request->method, "OPTIONS") != 0 || !allowed_origin(request) ||
        !http_header(request, "Access-Control-Request-Method"))
        return HTTP_PROCEED;
    http_find_route(application->routes, request->method, request->path, arguments, allow);
    if (!*allow)
        return HTTP_PROCEED;
    http_add_header(request, "Access-Control-Allow-Methods", "%s", allow);
    join_names(request_headers, application->headers, names);
    http_add_header(request, "Access-Control-Allow-Headers", "%s", names);
    http_add_header(request, "Access-Control-Max-Age", PREFLIGHT_LASTS_S);
    http_respond(request, 204, NULL, NULL, 0);
    return HTTP_RESPOND;
}
