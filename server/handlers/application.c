/* application.c - routes, headers, errors and times: what server/http/ serves. */
#include "server/handlers/application.h"
#include "server/handlers/record.h"
#include "server/handlers/routes.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const char *const headers[] = {"Inference-Header-Content-Length", "X-Tensor-Dtype",
                                      "X-Tensor-Layout", "X-Tensor-Shape", NULL};
static const char *const header_prefixes[] = {"Inference-Header-", "X-Image-", "X-Tensor-", NULL};
static const char *const answer_headers[] = {"Inference-Header-Content-Length",
                                             "X-Image-Size",
                                             "X-Tensor-Dtype",
                                             "X-Tensor-Layout",
                                             "X-Tensor-Shape",
                                             NULL};

/* ---- errors below /v1 and /v2, as their protocols write them ---- */

/* They know no 422. */
static char *write_error(unsigned *status, const char *detail, const char *instance)
{
    json_t *error = json_pack("{s:s}", "error", detail);
    char *text = error ? ppm_json_text(error, JSON_COMPACT) : NULL;
    (void)instance;
    json_decref(error);
    if (*status == 422)
        *status = 400;
    return text;
}

static const struct http_error_form protocol_errors = {
    .content_type = "application/json",
    .write = write_error,
    .without_memory = "{\"error\":\"out of memory\"}",
};

static const struct http_error_form *error_form(const char *path)
{
    const bool is_protocol = strncmp(path, "/v1", 3) == 0 || strncmp(path, "/v2", 3) == 0;
    return is_protocol && strchr("/?", path[3]) ? &protocol_errors : NULL;
}

/* ---- times ---- */

/* Milliseconds to the microsecond; "%.3f" takes several times as long. */
struct duration {
    long ms, us;
};
static struct duration duration_of(double ms)
{
    const long us = (long)(1e3 * ms + 0.5);
    return (struct duration){us / 1000, us % 1000};
}

static void write_timing(const struct http_request *request, char *ret_text, size_t bytes)
{
    static const struct record none;
    const struct record *record = request && request->record ? request->record : &none;
    const struct duration queue = duration_of(record->queue_ms),
                          compute = duration_of(record->compute_ms),
                          decode = duration_of(record->decode_ms),
                          encode = duration_of(record->encode_ms);
    snprintf(ret_text, bytes,
             "queue;dur=%ld.%03ld, compute;dur=%ld.%03ld, decode;dur=%ld.%03ld, "
             "encode;dur=%ld.%03ld",
             queue.ms, queue.us, compute.ms, compute.us, decode.ms, decode.us, encode.ms,
             encode.us);
}

const struct http_application handlers_application = {
    .routes = handlers_routes,
    .guide = "POST /ppm, /v2/models/{model}/infer (Open Inference Protocol) or "
             "/v1/models/{model}:predict (KServe v1, TensorFlow Serving) computes, GET /ppm "
             "describes",
    .headers = headers,
    .header_prefixes = header_prefixes,
    .answer_headers = answer_headers,
    .error_form = error_form,
    .write_timing = write_timing,
};
