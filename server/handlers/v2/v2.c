/*
 * v2.c - the Open Inference Protocol v2, but for inference: what the server and its models are, how
 * they fare, and which of them are loaded. Formats are those of KServe's and Triton's servers.
 */
#include "server/handlers/v2/v2.h"
#include "server/base/clock.h"
#include "server/observe/metrics.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum http_next v2_refuse_type(struct http_request *request, bool may_have_bytes)
{
    const char *type = http_header(request, "Content-Type");
    enum codec_form form;
    if (!type || (request->has_content_length && request->content_length == 0) ||
        (codec_form_from_media_type(type, &form) &&
         (form == CODEC_JSON || (form == CODEC_RAW && may_have_bytes))))
        return HTTP_PROCEED;
    return http_problem(request, 415,
                        "Content-Type: found %.60s, expected application/json%s (curl: -H "
                        "'Content-Type: application/json')",
                        type, may_have_bytes ? " or application/octet-stream" : "");
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

/* ---- the server ---- */

enum http_next v2_server_finish(struct http_request *request)
{
    const struct app *app = request->context;
    json_t *extensions =
        json_pack("[s, s, s]", "binary_tensor_data", "model_configuration", "statistics");
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

/* What a handler of one model makes; NULL: no memory. */
typedef json_t *describe_model(const struct ppm_model_info *info);

static enum http_next respond_model(struct http_request *request, describe_model *describe)
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

/* [-1, C, -1, -1]: what is free is -1. */
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

static json_t *metadata(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:[s], s:s, s:[{s:s, s:s, s:o}], s:[{s:s, s:s, s:o}]}", "name",
                     info->name, "versions", V2_VERSION, "platform", "ppm-server", "inputs", "name",
                     "x", "datatype", "FP32", "shape", axes_json(info->channels, info->layout),
                     "outputs", "name", "y", "datatype", output_type(info), "shape",
                     axes_json(info->output_channels, info->layout));
}

enum http_next v2_model_finish(struct http_request *request)
{
    return respond_model(request, metadata);
}

static json_t *readiness(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:b}", "name", info->name, "ready", 1);
}

enum http_next v2_model_ready_finish(struct http_request *request)
{
    return respond_model(request, readiness);
}

/* Triton's ModelConfig, as far as clients look at it. */
static json_t *configuration(const struct ppm_model_info *info)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:[{s:s, s:s, s:o}], s:[{s:s, s:s, s:o}]}", "name",
                     info->name, "platform", "ppm-server", "backend", "ppm-server",
                     "max_batch_size", 0, "input", "name", "x", "data_type", "TYPE_FP32", "dims",
                     axes_json(info->channels, info->layout), "output", "name", "y", "data_type",
                     info->output_dtype == PPM_INT32 ? "TYPE_INT32" : "TYPE_FP32", "dims",
                     axes_json(info->output_channels, info->layout));
}

enum http_next v2_model_config_finish(struct http_request *request)
{
    return respond_model(request, configuration);
}

/* ---- statistics ---- */

static json_t *duration(unsigned long long count, double seconds)
{
    return json_pack("{s:I, s:I}", "count", (json_int_t)count, "ns", (json_int_t)(1e9 * seconds));
}

/* Of each run of so many requests; the sums are those of its requests. */
static json_t *batch_json(size_t size, const struct metrics_sum *sum)
{
    const double requests = (double)size;
    const unsigned long long runs = (sum->count + size - 1) / size;
    return json_pack("{s:I, s:o, s:o, s:o}", "batch_size", (json_int_t)size, "compute_input",
                     duration(runs, sum->decode_s / requests), "compute_infer",
                     duration(runs, sum->compute_s / requests), "compute_output",
                     duration(runs, sum->encode_s / requests));
}

static json_t *batches_json(const struct metrics_model *model, unsigned long long *ret_runs)
{
    json_t *list = json_array();
    *ret_runs = 0;
    for (size_t size = 1; size <= METRICS_TOGETHER_MAX; size++) {
        const struct metrics_sum *sum = &model->together[size];
        if (sum->count == 0)
            continue;
        *ret_runs += (sum->count + size - 1) / size;
        handlers_append(&list, batch_json(size, sum));
    }
    return list;
}

static json_t *statistics(const char *name)
{
    struct metrics_model model;
    unsigned long long runs;
    metrics_of_model(name, &model);
    const struct metrics_sum *good = &model.succeeded, *bad = &model.failed;
    json_t *batches = batches_json(&model, &runs);
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}, s:o}", "name", name,
        "version", V2_VERSION, "last_inference", (json_int_t)(1e3 * model.last_s),
        "inference_count", (json_int_t)good->count, "execution_count", (json_int_t)runs,
        "inference_stats", "success", duration(good->count, good->request_s), "fail",
        duration(bad->count, bad->request_s), "queue", duration(good->count, good->queue_s),
        "compute_input", duration(good->count, good->decode_s), "compute_infer",
        duration(good->count, good->compute_s), "compute_output",
        duration(good->count, good->encode_s), "cache_hit", duration(0, 0), "cache_miss",
        duration(0, 0), "batch_stats", batches);
}

static json_t *model_statistics(const struct ppm_model_info *info)
{
    return json_pack("{s:[o]}", "model_stats", statistics(info->name));
}

enum http_next v2_model_stats_finish(struct http_request *request)
{
    return respond_model(request, model_statistics);
}

enum http_next v2_stats_finish(struct http_request *request)
{
    struct app *app = request->context;
    struct registry *registry = served_hold(&app->served);
    json_t *list = json_array();
    for (size_t i = 0; i < registry_count(registry); i++)
        if (registry_entry(registry, i).model)
            handlers_append(&list, statistics(registry_entry(registry, i).name));
    registry_release(registry);
    return handlers_respond_json(request, json_pack("{s:o}", "model_stats", list));
}

/* ---- the repository ---- */

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

/* A load is abandoned at its request's deadline, and when the server stops. */
static bool is_abandoned(void *context)
{
    const struct http_request *request = context;
    const struct app *app = request->context;
    return http_is_past(&request->deadline) || atomic_load(&app->is_leaving);
}

static void refuse_abandoned(struct http_request *request)
{
    if (http_is_past(&request->deadline))
        http_problem(request, 504, "not loaded after %zu ms (%s)", request->deadline.ms,
                     request->deadline.setting);
    else
        http_problem(request, 503, "the server is stopping; try another one");
}

static void change_model(struct http_request *request, bool is_loaded)
{
    struct app *app = request->context;
    struct ppm_error error = {0};
    const struct ppm_progress progress = {.is_cancelled = is_abandoned, .context = request};
    served_change_model(&app->served, app->executor, request->arguments[0], is_loaded, &progress,
                        &error);
    atomic_flag_clear(&app->is_changing_model);
    if (error.status == PPM_OK)
        handlers_respond_json(request, json_object());
    else if (error.status == PPM_CANCELLED)
        refuse_abandoned(request);
    else
        http_problem(request,
                     error.status == PPM_UNFIT       ? 404
                     : error.status == PPM_NO_MEMORY ? 503
                                                     : 400,
                     "%s", error.text);
    http_answer(request);
}

static void *load(void *request)
{
    change_model(request, true);
    return NULL;
}

static void *unload(void *request)
{
    change_model(request, false);
    return NULL;
}

/* To read a model takes long, and HTTP threads are for those who wait meanwhile. */
static enum http_next start_change(struct http_request *request, void *(*change)(void *request))
{
    pthread_t thread;
    pthread_attr_t attributes;
    struct app *app = request->context;
    if (!app->settings.allow_model_control)
        return http_problem(request, 403,
                            "loading and unloading models by request is off, expected the setting "
                            "allow_model_control");
    if (atomic_flag_test_and_set(&app->is_changing_model))
        return http_problem(request, 503, "another model is being loaded or unloaded; try again");
    http_answer_later(request);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, change, request) != 0) {
        atomic_flag_clear(&app->is_changing_model);
        http_problem(request, 503, "no thread could be started for it");
        http_answer(request);
    }
    pthread_attr_destroy(&attributes);
    return HTTP_LATER;
}

enum http_next v2_load_finish(struct http_request *request)
{
    return start_change(request, load);
}

enum http_next v2_unload_finish(struct http_request *request)
{
    return start_change(request, unload);
}
