/* routes.c - the table of routes, and what several handlers say. */
#include "server/handlers/inference/inference.h"
#include "server/handlers/v2/v2.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MODEL   "/v2/models/{model}"
#define VERSION MODEL "/versions/{version}"
#define REGIONS "/v2/systemsharedmemory"
#define REGION  REGIONS "/region/{region}"

/* What the query of a request to compute, or of a question about a shape, may say. */
static const char infer_parameters[] = "shape layout dtype out_dtype stages";
static const char shape_parameters[] = "shape layout";
static const char no_parameters[] = "";

/* A question; what a model is; the page, and health checks, whose queries may say anything, since
 * browsers and balancers add to them; a request to compute; an order of a few words of JSON. The
 * first four have no bodies. */
#define GET(pattern, finish)                                                                       \
    {                                                                                              \
        "GET", pattern, NULL, NULL, finish, NULL, no_parameters, false, false, 0                   \
    }
#define DESCRIBE(pattern)                                                                          \
    {                                                                                              \
        "GET", pattern, NULL, NULL, describe_finish, NULL, shape_parameters, false, false, 0       \
    }
#define PAGE(pattern)                                                                              \
    {                                                                                              \
        "GET", pattern, NULL, NULL, page_finish, NULL, NULL, true, false, 0                        \
    }
#define HEALTH(pattern, finish)                                                                    \
    {                                                                                              \
        "GET", pattern, NULL, NULL, finish, NULL, NULL, true, true, 0                              \
    }
#define INFER(pattern)                                                                             \
    {                                                                                              \
        "POST", pattern, infer_begin, infer_arrived, inference_finish, inference_release,          \
            infer_parameters, false, false, HTTP_BODY_ANY                                          \
    }
#define V2_INFER(pattern)                                                                          \
    {                                                                                              \
        "POST", pattern, v2_infer_begin, v2_infer_arrived, inference_finish, v2_infer_release,     \
            shape_parameters, false, false, HTTP_BODY_ANY                                          \
    }
#define DO(pattern, finish)                                                                        \
    {                                                                                              \
        "POST", pattern, v2_order_begin, NULL, finish, NULL, no_parameters, false, false,          \
            V2_ORDER_BYTES_MAX                                                                     \
    }

const struct http_route handlers_routes[] = {
    INFER("/ppm"),
    INFER("/ppm/{model}"),
    DESCRIBE("/ppm"),
    DESCRIBE("/ppm/{model}"),
    HEALTH("/healthz", healthz_finish),
    HEALTH("/readyz", readyz_finish),
    {"GET", "/metrics", NULL, NULL, metrics_finish, NULL, no_parameters, false, true, 0},
    GET("/openapi.json", openapi_finish),
    PAGE("/"),
    PAGE("/page/{file}"),
    GET("/v2", v2_server_finish),
    HEALTH("/v2/health/live", v2_live_finish),
    HEALTH("/v2/health/ready", v2_ready_finish),
    GET("/v2/models/stats", v2_stats_finish),
    GET(MODEL, v2_model_finish),
    GET(MODEL "/ready", v2_model_ready_finish),
    GET(MODEL "/config", v2_model_config_finish),
    GET(MODEL "/stats", v2_model_stats_finish),
    V2_INFER(MODEL "/infer"),
    GET(VERSION, v2_model_finish),
    GET(VERSION "/ready", v2_model_ready_finish),
    GET(VERSION "/config", v2_model_config_finish),
    GET(VERSION "/stats", v2_model_stats_finish),
    V2_INFER(VERSION "/infer"),
    DO("/v2/repository/index", v2_index_finish),
    DO("/v2/repository/models/{model}/load", v2_load_finish),
    DO("/v2/repository/models/{model}/unload", v2_unload_finish),
    GET(REGIONS "/status", v2_regions_finish),
    GET(REGION "/status", v2_region_finish),
    DO(REGION "/register", v2_register_finish),
    DO(REGION "/unregister", v2_unregister_finish),
    DO(REGIONS "/unregister", v2_unregister_all_finish),
    {0},
};

enum http_next handlers_respond_json(struct http_request *request, json_t *json)
{
    char *text = json ? ppm_json_text(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "application/json", text, strlen(text));
    http_compress_here(request);
    return HTTP_RESPOND;
}

void handlers_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

enum http_next handlers_no_such_model(struct http_request *request, const struct registry *registry,
                                      const char *name)
{
    char names[300];
    registry_names(registry, names, sizeof names);
    return http_problem(request, 404, "found no model \"%.64s\", expected one of: %s", name, names);
}

/* What the query says, or the header of the same meaning. Refused where they disagree. */
static enum http_next read_either(struct http_request *request, const char *parameter,
                                  const char *header, const char **ret_value, const char **ret_name)
{
    const char *asked = http_query(request, parameter);
    const char *sent = header ? http_header(request, header) : NULL;
    sent = sent && *sent ? sent : NULL; /* as in what was copied from an answer of JSON */
    *ret_value = asked ? asked : sent;
    *ret_name = asked ? parameter : header;
    if (!asked || !sent || strcmp(asked, sent) == 0)
        return HTTP_PROCEED;
    return http_problem(
        request, 400,
        "%s: found \"%.40s\" in the query and \"%.40s\" in the header %s, expected the "
        "same or one of them",
        parameter, asked, sent, header);
}

enum http_next handlers_read_shape(struct http_request *request, const char **ret_text)
{
    const char *name;
    return read_either(request, "shape", "X-Tensor-Shape", ret_text, &name);
}

enum http_next handlers_read_layout(struct http_request *request, enum ppm_layout standard,
                                    enum ppm_layout *ret_layout, bool *ret_is_explicit)
{
    const char *value, *name;
    if (read_either(request, "layout", "X-Tensor-Layout", &value, &name) != HTTP_PROCEED)
        return HTTP_RESPOND;
    *ret_layout = standard;
    *ret_is_explicit = value != NULL;
    if (!value || ppm_layout_from_name(value, ret_layout))
        return HTTP_PROCEED;
    return http_problem(request, 400, "%s: found \"%.40s\", expected NCHW or NHWC", name, value);
}

enum http_next handlers_read_dtype(struct http_request *request, const char *parameter,
                                   const char *header, enum codec_dtype *ret_dtype,
                                   bool *ret_is_explicit)
{
    const char *value, *name;
    if (read_either(request, parameter, header, &value, &name) != HTTP_PROCEED)
        return HTTP_RESPOND;
    *ret_dtype = CODEC_FLOAT32;
    *ret_is_explicit = value != NULL;
    if (!value || codec_dtype_from_name(value, ret_dtype))
        return HTTP_PROCEED;
    return http_problem(request, 400, "%s: found \"%.40s\", expected float32, float16 or bfloat16",
                        name, value);
}
