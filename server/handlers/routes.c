/* routes.c - the table of routes, and what several handlers say. */
#include "server/handlers/inference.h"
#include "server/handlers/v2.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MODEL   "/v2/models/{model}"
#define VERSION MODEL "/versions/{version}"
#define REGIONS "/v2/systemsharedmemory"
#define REGION  REGIONS "/region/{region}"

/* A question, and an order of a few words of JSON. */
#define GET(pattern, finish)                                                                       \
    {                                                                                              \
        "GET", pattern, NULL, NULL, finish, NULL, false                                            \
    }
#define DO(pattern, finish)                                                                        \
    {                                                                                              \
        "POST", pattern, v2_small_begin, NULL, finish, NULL, false                                 \
    }
#define INFER(pattern)                                                                             \
    {                                                                                              \
        "POST", pattern, v2_infer_begin, v2_infer_arrived, v2_infer_finish, v2_infer_release,      \
            false                                                                                  \
    }

const struct http_route handlers_routes[] = {
    {"POST", "/ppm", infer_begin, infer_arrived, infer_finish, inference_release, false},
    {"POST", "/ppm/{model}", infer_begin, infer_arrived, infer_finish, inference_release, false},
    {"GET", "/ppm", NULL, NULL, describe_finish, NULL, false},
    {"GET", "/ppm/{model}", NULL, NULL, describe_finish, NULL, false},
    {"GET", "/healthz", NULL, NULL, healthz_finish, NULL, true},
    {"GET", "/readyz", NULL, NULL, readyz_finish, NULL, true},
    {"GET", "/metrics", NULL, NULL, metrics_finish, NULL, false},
    {"GET", "/openapi.json", NULL, NULL, openapi_finish, NULL, false},
    {"GET", "/", NULL, NULL, page_finish, NULL, true},
    {"GET", "/page/{file}", NULL, NULL, page_finish, NULL, true},
    GET("/v2", v2_server_finish),
    {"GET", "/v2/health/live", NULL, NULL, v2_live_finish, NULL, true},
    {"GET", "/v2/health/ready", NULL, NULL, v2_ready_finish, NULL, true},
    GET("/v2/models/stats", v2_stats_finish),
    GET(MODEL, v2_model_finish),
    GET(MODEL "/ready", v2_model_ready_finish),
    GET(MODEL "/config", v2_model_config_finish),
    GET(MODEL "/stats", v2_model_stats_finish),
    INFER(MODEL "/infer"),
    GET(VERSION, v2_model_finish),
    GET(VERSION "/ready", v2_model_ready_finish),
    GET(VERSION "/config", v2_model_config_finish),
    GET(VERSION "/stats", v2_model_stats_finish),
    INFER(VERSION "/infer"),
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

bool handlers_respond_json(struct http_request *request, json_t *json)
{
    char *text = json ? ppm_json_text(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return http_problem(request, 503, "out of memory");
    http_respond(request, 200, "application/json", text, strlen(text));
    return true;
}

void handlers_append(json_t **list, json_t *item)
{
    if (json_array_append_new(*list, item) == 0)
        return;
    json_decref(*list);
    *list = NULL;
}

bool handlers_no_such_model(struct http_request *request, const struct registry *registry,
                            const char *name)
{
    char names[300];
    registry_names(registry, names, sizeof names);
    return http_problem(request, 404, "found no model \"%.64s\", expected one of: %s", name, names);
}

bool handlers_query_layout(struct http_request *request, enum ppm_layout standard,
                           enum ppm_layout *ret_layout, bool *ret_is_explicit)
{
    const char *name = http_query(request, "layout");
    *ret_layout = standard;
    *ret_is_explicit = name != NULL;
    if (!name || ppm_layout_from_name(name, ret_layout))
        return true;
    http_problem(request, 400, "layout: found \"%.40s\", expected NCHW or NHWC", name);
    return false;
}

bool handlers_query_dtype(struct http_request *request, const char *parameter,
                          enum codec_dtype *ret_dtype, bool *ret_is_explicit)
{
    const char *name = http_query(request, parameter);
    *ret_dtype = CODEC_FLOAT32;
    *ret_is_explicit = name != NULL;
    if (!name || codec_dtype_from_name(name, ret_dtype))
        return true;
    http_problem(request, 400, "%s: found \"%.40s\", expected float32, float16 or bfloat16",
                 parameter, name);
    return false;
}
