/* cors.c - which pages of other origins may use this server from a browser (WHATWG Fetch, CORS). */
#include "server/base/field_value.h"
#include "server/http/http_private.h"

#include <string.h>

/* What the server reads of a request, and what a page may read of an answer. */
static const char request_headers[] =
    "Accept, Authorization, Content-Encoding, Content-Type, Inference-Header-Content-Length, "
    "X-Api-Key, X-Request-Id, X-Request-Timeout-Ms, X-Tensor-Dtype, X-Tensor-Layout, "
    "X-Tensor-Shape, traceparent";
static const char answer_headers[] =
    "Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id, X-Tensor-Dtype, "
    "X-Tensor-Layout, X-Tensor-Shape, traceparent";
#define PREFLIGHT_LASTS_S "3600"

static bool is_any(const char *origins)
{
    return strcmp(origins, "*") == 0;
}

/* Whether a list with commas holds the origin. */
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
    const char *origins = request->server->options.cors_origins;
    return is_any(origins) || is_listed(origins, origin);
}

/* What is to stand in Access-Control-Allow-Origin; NULL: the request's origin may not read. */
static const char *allowed_origin(const struct http_request *request)
{
    const char *origins = request->server->options.cors_origins;
    const char *origin = http_header(request, "Origin");
    if (!origin || !http_is_allowed_origin(request, origin))
        return NULL;
    return is_any(origins) ? "*" : origin;
}

bool http_add_cors(const struct http_request *request, struct MHD_Response *response)
{
    const char *origins = request->server->options.cors_origins;
    const char *origin = allowed_origin(request);
    if (*origins && !is_any(origins) &&
        MHD_add_response_header(response, "Vary", "Origin") != MHD_YES)
        return false;
    return !origin ||
           (MHD_add_response_header(response, "Access-Control-Allow-Origin", origin) == MHD_YES &&
            MHD_add_response_header(response, "Access-Control-Expose-Headers", answer_headers) ==
                MHD_YES);
}

enum http_next http_answer_preflight(struct http_request *request)
{
    char allow[HTTP_ALLOW_BYTES];
    http_argument arguments[HTTP_ARGUMENTS_MAX];
    if (strcmp(request->method, "OPTIONS") != 0 || !allowed_origin(request) ||
        !http_header(request, "Access-Control-Request-Method"))
        return HTTP_PROCEED;
    http_find_route(request->server->options.routes, request->method, request->path, arguments,
                    allow);
    if (!*allow)
        return HTTP_PROCEED;
    http_add_header(request, "Access-Control-Allow-Methods", "%s", allow);
    http_add_header(request, "Access-Control-Allow-Headers", "%s", request_headers);
    http_add_header(request, "Access-Control-Max-Age", PREFLIGHT_LASTS_S);
    http_respond(request, 204, NULL, NULL, 0);
    return HTTP_RESPOND;
}
