/* v2_statistics.c - see v2_statistics.h. */
#include "server/handlers/v2/v2_statistics.h"
#include "server/codec/v2/v2.h"
#include "server/handlers/app.h"
#include "server/handlers/respond.h"
#include "server/handlers/v2/v2_models.h"
#include "server/observe/metrics.h"

#include <jansson.h>

static json_t *duration(unsigned long long count, double seconds)
{
    return json_pack("{s:I, s:I}", "count", (json_int_t)count, "ns", (json_int_t)(1e9 * seconds));
}

/* The runs of batches of this size. sum is over their requests, so it is divided by the size. */
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
    return v2_respond_model(request, model_statistics);
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
