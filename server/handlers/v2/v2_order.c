/* v2_order.c - see v2_order.h. */
#include "server/handlers/v2/v2_order.h"
#include "server/codec/json/json.h"
#include "server/codec/negotiate.h"
#include "server/codec/raw/raw.h"
#include "server/codec/v2/v2.h"

#include <jansson.h>
#include <string.h>

enum http_next v2_refuse_type(struct http_request *request, bool may_have_bytes)
{
    const char *type = http_header(request, "Content-Type");
    const struct codec_form *form = codec_form_of_type(type);
    if (!type || (request->has_content_length && request->content_length == 0) ||
        form == &codec_json || (form == &codec_raw && may_have_bytes))
        return HTTP_PROCEED;
    return http_problem(request, 415,
                        "Content-Type: found %.60s, expected %s%s%s (curl: -H 'Content-Type: %s')",
                        type, codec_json.media_type, may_have_bytes ? " or " : "",
                        may_have_bytes ? codec_raw.media_type : "", codec_json.media_type);
}

enum http_next v2_refuse_version(struct http_request *request)
{
    const char *version = request->arguments[1];
    if (!*version || strcmp(version, V2_VERSION) == 0)
        return HTTP_PROCEED;
    return http_problem(request, 404,
                        "found no version \"%.64s\" of model \"%.64s\", expected "
                        "version " V2_VERSION ", the only one",
                        version, request->arguments[0]);
}

enum http_next v2_order_begin(struct http_request *request)
{
    return v2_refuse_type(request, false);
}

json_t *v2_read_body(struct http_request *request)
{
    const size_t bytes = request->body_bytes;
    json_error_t cause = {0};
    json_t *root = NULL;
    if (bytes == 0)
        root = ppm_json_load("{}", 2, &cause);
    else if (!memchr(request->body, '\0', bytes))
        root = ppm_json_load(request->body, bytes, &cause);
    if (json_is_object(root))
        return root;
    json_decref(root);
    const char *kind = ppm_looks_like(request->body, bytes);
    if (json_error_code(&cause) == json_error_out_of_memory)
        http_problem(request, 503, "out of memory");
    else if (kind && strcmp(kind, "JSON") != 0)
        http_problem(request, 400, "the body begins with %s, expected a JSON object, {...}", kind);
    else
        http_problem(request, 400,
                     "the body is not a JSON object, expected one of at most %d bytes",
                     V2_ORDER_BYTES_MAX);
    return NULL;
}
