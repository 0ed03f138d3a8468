/* warm_up.c - see warm_up.h. */
#include "server/warm_up.h"
#include "server/buffers.h"
#include "server/clock.h"

#include <semaphore.h>
#include <string.h>

struct warm_up {
    struct executor_job job; /* first: a job is its struct warm_up */
    const struct ppm_model *model;
    struct registry *registry;
    struct ppm_engine *engine; /* NULL: one that is free when it runs */
    const struct ppm_progress *progress;
    struct ppm_tensor x, y;
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
    struct ppm_engine *engine =
        warm_up->engine ? warm_up->engine : registry_take_engine(warm_up->registry);
    ppm_engine_run(engine, warm_up->model, &warm_up->x, &options, &warm_up->y, &warm_up->error);
    if (!warm_up->engine)
        registry_give_engine(warm_up->registry, engine);
    sem_post(&warm_up->is_done);
}

static const struct executor_kind kind = {.run = run, .is_stale = is_cancelled, .drop = drop};

static void run_on_engine(struct warm_up *warm_up, struct ppm_engine *engine,
                          struct executor *executor)
{
    warm_up->engine = engine;
    executor_submit(executor, &warm_up->job);
    while (sem_wait(&warm_up->is_done) != 0)
        ; /* a signal came */
}

/* Zeros for an input, and room for its answer: buffers as the first request will want them. */
static enum ppm_status take_buffers(struct warm_up *warm_up, struct ppm_error *error)
{
    struct ppm_costs costs;
    if (ppm_model_costs(warm_up->model, warm_up->x.shape, &costs, error) != PPM_OK)
        return error->status;
    warm_up->x.data = buffer_take(costs.input_bytes);
    warm_up->y.data = buffer_take(costs.output_bytes);
    if (!warm_up->x.data || !warm_up->y.data)
        return ppm_fail(error, PPM_NO_MEMORY, "out of memory");
    memset(warm_up->x.data, 0, costs.input_bytes);
    return PPM_OK;
}

/* On each of so many engines, or on any where engines is NULL. */
static enum ppm_status warm_shape(const struct ppm_model *model, struct ppm_shape shape,
                                  struct registry *registry, struct ppm_engine **engines,
                                  size_t engine_count, struct executor *executor,
                                  const struct ppm_progress *progress, struct ppm_error *error)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    struct warm_up warm_up = {.job = {.kind = &kind},
                              .model = model,
                              .registry = registry,
                              .progress = progress,
                              .x = {.shape = shape, .layout = info.layout, .is_batch = true}};
    sem_init(&warm_up.is_done, 0, 0);
    take_buffers(&warm_up, &warm_up.error);
    for (size_t i = 0; i < engine_count && warm_up.error.status == PPM_OK; i++)
        run_on_engine(&warm_up, engines ? engines[i] : NULL, executor);
    if (warm_up.error.status != PPM_OK)
        ppm_fail(error, warm_up.error.status, "%s: warm_up: %s", info.name, warm_up.error.text);
    buffer_give(warm_up.x.data);
    buffer_give(warm_up.y.data);
    sem_destroy(&warm_up.is_done);
    return error->status;
}

enum ppm_status warm_up(struct registry *registry, struct executor *executor,
                        const struct ppm_progress *progress, struct warm_up_report *ret_report,
                        struct ppm_error *error)
{
    struct warm_up_report report = {0};
    const double start_s = clock_now_s();
    size_t engine_count;
    struct ppm_engine **engines = registry_engines(registry, &engine_count);
    for (size_t i = 0; i < registry_count(registry); i++) {
        struct ppm_model_info info;
        const struct ppm_model *model = registry_entry(registry, i).model;
        ppm_model_info(model, &info);
        for (size_t k = 0; k < info.warm_up_count; k++, report.shapes++)
            if (warm_shape(model, info.warm_up[k], registry, engines, engine_count, executor,
                           progress, error) != PPM_OK)
                return error->status;
    }
    report.ms = 1e3 * (clock_now_s() - start_s);
    *ret_report = report;
    return PPM_OK;
}

enum ppm_status warm_up_model(const struct ppm_model *model, struct registry *registry,
                              struct executor *executor, const struct ppm_progress *progress,
                              struct ppm_error *error)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    for (size_t k = 0; k < info.warm_up_count && error->status == PPM_OK; k++)
        warm_shape(model, info.warm_up[k], registry, NULL, 1, executor, progress, error);
    return error->status;
}
