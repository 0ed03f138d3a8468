/* warm_up.c - see warm_up.h. */
#include "server/models/warm_up.h"
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/models/runs.h"
#include "server/observe/log.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

struct warm_up {
    struct executor_job job; /* first: a job is cast to its warm_up */
    const struct ppm_model *model;
    const struct ppm_progress *progress;
    const struct ppm_sizes *sizes;
    struct ppm_costs costs;
    struct ppm_tensor inputs[PPM_INPUTS_MAX], y;
    struct ppm_error error;
    sem_t is_done;
};

static bool is_cancelled(const struct executor_job *job)
{
    const struct ppm_progress *progress = ((const struct warm_up *)job)->progress;
    return progress->is_cancelled && progress->is_cancelled(progress->context);
}

static void drop(struct executor_job *job)
{
    struct warm_up *warm_up = (struct warm_up *)job;
    ppm_fail(&warm_up->error, PPM_CANCELLED, "cancelled before it began");
    sem_post(&warm_up->is_done);
}

static void run(struct executor_job *job, int threads)
{
    struct warm_up *warm_up = (struct warm_up *)job;
    if (is_cancelled(job)) {
        drop(job);
        return;
    }
    const struct ppm_run_options options = {.threads = threads,
                                            .is_cancelled = warm_up->progress->is_cancelled,
                                            .cancel_context = warm_up->progress->context};
    runs_run(warm_up->model, warm_up->inputs, warm_up->sizes, &warm_up->costs, &options,
             &warm_up->y, &warm_up->error);
    sem_post(&warm_up->is_done);
}

static const struct executor_kind kind = {.run = run, .is_stale = is_cancelled, .drop = drop};

static bool take_zeros(struct ppm_tensor *input)
{
    const struct ppm_shape s = input->shape;
    const size_t bytes = s.n * s.c * s.h * s.w * sizeof(float);
    input->data = buffer_take(bytes);
    return input->data && memset(input->data, 0, bytes);
}

/* In buffers like those of the first request. */
static void run_zeros(struct warm_up *warm_up, struct executor *executor)
{
    bool has_memory = true;
    for (size_t i = 0; i < warm_up->sizes->count && has_memory; i++)
        has_memory = take_zeros(&warm_up->inputs[i]);
    warm_up->y.data = buffer_take(warm_up->costs.output_bytes);
    if (has_memory && warm_up->y.data) {
        executor_submit(executor, &warm_up->job);
        while (sem_wait(&warm_up->is_done) != 0)
            ; /* a signal came */
    } else {
        ppm_fail(&warm_up->error, PPM_NO_MEMORY, "out of memory");
    }
    for (size_t i = 0; i < warm_up->sizes->count; i++)
        buffer_give(warm_up->inputs[i].data);
    buffer_give(warm_up->y.data);
}

enum { SIZES_TEXT_BYTES = PPM_INPUTS_MAX * 96 };

/* "1 x 4 x 30 x 30", of several inputs with " and " between them. */
static const char *sizes_text(const struct ppm_sizes *sizes, char ret_text[SIZES_TEXT_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < sizes->count; i++) {
        const struct ppm_shape s = sizes->inputs[i];
        used +=
            (size_t)snprintf(ret_text + used, SIZES_TEXT_BYTES - used, "%s%zu x %zu x %zu x %zu",
                             i > 0 ? " and " : "", s.n, s.c, s.h, s.w);
    }
    return ret_text;
}

/* The memory that sizes take, with their inputs. */
static enum ppm_status count_bytes(const struct ppm_model_info *info, const struct ppm_model *model,
                                   const struct ppm_sizes *sizes, int threads,
                                   struct ppm_costs *ret_costs, size_t *ret_bytes,
                                   struct ppm_error *error)
{
    struct ppm_error unfit = {0};
    char text[SIZES_TEXT_BYTES];
    if (ppm_model_costs(model, sizes, info->layout, threads, ret_costs, &unfit) != PPM_OK)
        return ppm_fail(error, unfit.status, "%s: warm_up: %s", info->name, unfit.text);
    if (__builtin_add_overflow(ret_costs->input_bytes, ret_costs->working_bytes, ret_bytes) ||
        *ret_bytes > memory_max())
        return ppm_fail(error, PPM_BAD_CONFIG,
                        "%s: warm_up: found a shape %s that takes %zu MiB, expected at most %zu "
                        "MiB (memory_max_bytes)",
                        info->name, sizes_text(sizes, text), *ret_bytes >> 20, memory_max() >> 20);
    return PPM_OK;
}

/* True: warm. False without an error: requests in flight hold the memory. */
static bool warm_sizes(const struct ppm_model *model, const struct ppm_sizes *sizes,
                       struct executor *executor, const struct ppm_progress *progress,
                       struct ppm_error *error)
{
    size_t bytes = 0;
    struct ppm_model_info info;
    char text[SIZES_TEXT_BYTES];
    ppm_model_info(model, &info);
    struct warm_up warm_up = {
        .job = {.kind = &kind}, .model = model, .progress = progress, .sizes = sizes};
    for (size_t i = 0; i < sizes->count; i++)
        warm_up.inputs[i] =
            (struct ppm_tensor){.shape = sizes->inputs[i], .layout = info.layout, .is_batch = true};
    if (count_bytes(&info, model, sizes, executor_threads(executor), &warm_up.costs, &bytes,
                    error) != PPM_OK)
        return false;
    if (!memory_take(bytes)) {
        log_line(LOG_WARN,
                 "%s is not warmed up for %s: requests hold the memory (memory_max_bytes)",
                 info.name, sizes_text(sizes, text));
        return false;
    }
    sem_init(&warm_up.is_done, 0, 0);
    run_zeros(&warm_up, executor);
    sem_destroy(&warm_up.is_done);
    memory_give(bytes);
    if (warm_up.error.status != PPM_OK)
        ppm_fail(error, warm_up.error.status, "%s: warm_up: %s", info.name, warm_up.error.text);
    return warm_up.error.status == PPM_OK;
}

static size_t warm_all(const struct ppm_model *model, struct executor *executor,
                       const struct ppm_progress *progress, struct ppm_error *error)
{
    size_t shapes = 0;
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    for (size_t k = 0; k < info.warm_up_count && error->status == PPM_OK; k++)
        shapes += warm_sizes(model, &info.warm_up[k], executor, progress, error) ? 1 : 0;
    return shapes;
}

enum ppm_status warm_up(struct registry *registry, struct executor *executor,
                        const struct ppm_progress *progress, struct warm_up_report *ret_report,
                        struct ppm_error *error)
{
    struct warm_up_report report = {0};
    const double start_s = clock_now_s();
    for (size_t i = 0; i < registry_count(registry) && error->status == PPM_OK; i++)
        report.shapes += warm_all(registry_entry(registry, i).model, executor, progress, error);
    report.ms = 1e3 * (clock_now_s() - start_s);
    if (error->status == PPM_OK)
        *ret_report = report;
    return error->status;
}

enum ppm_status warm_up_model(const struct ppm_model *model, struct executor *executor,
                              const struct ppm_progress *progress, struct ppm_error *error)
{
    warm_all(model, executor, progress, error);
    return error->status;
}

enum ppm_status warm_up_check(struct registry *registry, int threads, struct ppm_error *error)
{
    for (size_t i = 0; i < registry_count(registry); i++) {
        size_t bytes;
        struct ppm_costs costs;
        struct ppm_model_info info;
        const struct ppm_model *model = registry_entry(registry, i).model;
        ppm_model_info(model, &info);
        for (size_t k = 0; k < info.warm_up_count; k++)
            if (count_bytes(&info, model, &info.warm_up[k], threads, &costs, &bytes, error) !=
                PPM_OK)
                return error->status;
    }
    return PPM_OK;
}
