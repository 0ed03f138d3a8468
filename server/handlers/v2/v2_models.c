/* v2_models.c - see v2_models.h. */
#include "server/handlers/v2/v2_models.h"
#include "server/codec/v2/v2.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"
#include "server/handlers/v2/v2_order.h"

#include <jansson.h>

/* ---- the server ---- */

enum http_next v2_server_finish(struct http_request *request)
{
    const struct app *app = request->context;
    json_t *extensions = json_pack("[s, s, s, s]", "binary_tensor_data", "model_configuration",
                                   "schedule_policy", "statistics");
    if (app->settings.allow_model_control)
        handlers_append(&extensions, json_string("model_repository"));
    if (app->settings.allow_shared_memory)
        handlers_append(&extensions, json_string("system_shared_memory"));
    return handlers_respond_json(request,
                                 json_pack("{s:s, s:s, s:o}", "name", "ppm-server", "version",
                                           PPM_VERSION, "extensions", extensions));
}

enum http_next v2_live_finish(struct http_request *request)
{
    return handlers_respond_json(request, json_pack("{s:b}", "live", 1));
}

enum http_next v2_ready_finish(struct http_request *request)
{
    const struct app *app = request->context;
    if (atomic_load(&app->is_ready))
        return handlers_respond_json(request, json_pack("{s:b}", "ready", 1));
    return http_problem(request, 503, "the server is %s",
                        atomic_load(&app->is_leaving) ? "stopping" : "starting");
}

/* ---- a model ---- */

enum http_next v2_respond_model(struct http_request *request, v2_describe_model *describe)
{
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    const struct ppm_model *model = registry_find(registry, request->arguments[0]);
    struct ppm_model_info info;
    if (!model) {
        handlers_no_such_model(request, registry, request->arguments[0]);
    } else if (v2_refuse_version(request) == HTTP_PROCEED) {
        ppm_model_info(model, &info);
        handlers_respond_json(request, describe(&info));
    }
    registry_release(registry);
    return HTTP_RESPOND;
}

/* [-1, C, -1, -1]: -1 is a free size. */
static json_t *axes_json(size_t channels, enum ppm_layout layout)
{
    const json_int_t c = (json_int_t)channels, free_axis = -1;
    return layout == PPM_NCHW ? json_pack("[I, I, I, I]", free_axis, c, free_axis, free_axis)
                              : json_pack("[I, I, I, I]", free_axis, free_axis, free_axis, c);
}

static const char *output_type(const struct ppm_model_info *info)
{
    return info->output_dtype == PPM_INT32 ? "INT32" : "FP32";
}

/* [{"name": "x", "datatype": "FP32", "shape": [-1, C, -1, -1]}], with the keys and the type of
 * KServe or of Triton. */
static json_t *inputs_json(const struct ppm_model_info *info, const char *type_key,
                           const char *type, const char *axes_key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < info->input_count; i++)
        handlers_append(&list,
                        json_pack("{s:s, s:s, s:o}", "name", info->inputs[i].name, type_key, type,
                                  axes_key, axes_json(info->inputs[i].channels, info->layout)));
    return list;
}

static json_t *metadata(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:[s], s:s, s:o, s:[{s:s, s:s, s:o}]}", "name", info->name, "versions",
                     V2_VERSION, "platform", "ppm-server", "inputs",
                     inputs_json(info, "datatype", "FP32", "shape"), "outputs", "name", "y",
                     "datatype", output_type(info), "shape",
                     axes_json(info->output_channels, info->layout));
}

enum http_next v2_model_finish(struct http_request *request)
{
    return v2_respond_model(request, metadata);
}

static json_t *readiness(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:b}", "name", info->name, "ready", 1);
}

enum http_next v2_model_ready_finish(struct http_request *request)
{
    return v2_respond_model(request, readiness);
}

/* The part of Triton's ModelConfig that clients read. */
static json_t *configuration(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:[{s:s, s:s, s:o}]}", "name", info->name,
                     "platform", "ppm-server", "backend", "ppm-server", "max_batch_size", 0,
                     "input", inputs_json(info, "data_type", "TYPE_FP32", "dims"), "output", "name",
                     "y", "data_type", info->output_dtype == PPM_INT32 ? "TYPE_INT32" : "TYPE_FP32",
                     "dims", axes_json(info->output_channels, info->layout));
}

enum http_next v2_model_config_finish(struct http_request *request)
{
    return v2_respond_model(request, configuration);
}

/* ---- all models ---- */

enum http_next v2_index_finish(struct http_request *request)
{
    json_t *wanted = v2_read_body(request);
    if (!wanted)
        return HTTP_RESPOND;
    const bool only_ready = json_is_true(json_object_get(wanted, "ready"));
    json_decref(wanted);
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    json_t *list = json_array();
    for (size_t i = 0; i < registry_count(registry); i++) {
        const struct registry_entry entry = registry_entry(registry, i);
        if (entry.model || !only_ready)
            handlers_append(&list,
                            json_pack("{s:s, s:s, s:s, s:s}", "name", entry.name, "version",
                                      V2_VERSION, "state", entry.model ? "READY" : "UNAVAILABLE",
                                      "reason", entry.model ? "" : "unloaded"));
    }
    registry_release(registry);
    return handlers_respond_json(request, list);
}
