/* routes.c - the table of routes, and what several handlers say. */
#include "server/handlers/handlers.h"

#include <stdio.h>

const struct http_route handlers_routes[] = {
    {"POST", "/ppm", infer_begin, NULL, infer_finish, infer_release, false},
    {"POST", "/ppm/{model}", infer_begin, NULL, infer_finish, infer_release, false},
    {"GET", "/ppm", NULL, NULL, describe_finish, NULL, false},
    {"GET", "/ppm/{model}", NULL, NULL, describe_finish, NULL, false},
    {"GET", "/healthz", NULL, NULL, healthz_finish, NULL, true},
    {"GET", "/readyz", NULL, NULL, readyz_finish, NULL, true},
    {"GET", "/metrics", NULL, NULL, metrics_finish, NULL, false},
    {0},
};

bool handlers_no_such_model(struct http_request *request, const struct registry *registry)
{
    char names[300];
    registry_names(registry, names, sizeof names);
    return http_problem(request, 404, "found no model \"%.64s\", expected one of: %s",
                        request->argument, names);
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
