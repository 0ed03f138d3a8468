/* compute.c - see compute.h. */
#include "server/handlers/inference/compute.h"
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/base/memory.h"
#include "server/handlers/inference/abandon.h"
#include "server/handlers/inference/arrival.h"
#include "server/handlers/inference/decode.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/models/runs.h"
#include "server/observe/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds since *since_ms, which becomes now. */
static double lap_ms(const struct http_request *request, double *since_ms)
{
    const double begun_ms = *since_ms;
    *since_ms = http_elapsed_ms(request);
    return *since_ms - begun_ms;
}

static struct inference *next_of(const struct inference *inference)
{
    return (struct inference *)inference->job.next;
}

/* ---- answering ---- */

/* The request has its response, or took too long and gets an error. Frees what is not needed any
 * more, and answers: the inference must not be touched again. */
static void finish(struct inference *inference)
{
    struct http_request *request = inference->request;
    if (!request->is_given_up &&
        (atomic_load(&inference->is_abandoned) || http_is_past(&inference->deadline)))
        inference_give_up(inference, METRICS_COMPUTE);
    inference_free_inputs(inference);
    inference_forget_arrival(inference);
    inference_free_reader(inference);
    http_drop_body(request);
    const size_t body_bytes = request->response.body_bytes;
    http_keep(request, size_max(inference->answer_bytes, body_bytes));
    if (inference->is_queued)
        http_answer(request);
}

static void give_up(struct inference *inference, enum metrics_stage stage)
{
    inference_give_up(inference, stage);
    finish(inference);
}

/* Memory for an answer: room for a head, then y, unless y_data is set. */
static char *allocate_answer(const struct inference *inference, struct ppm_tensor *y,
                             struct ppm_error *error)
{
    const size_t y_bytes = inference->y_data ? 0 : inference->costs.output_bytes;
    char *memory = buffer_take(inference->head_bytes_max + y_bytes + stages_bytes(inference));
    if (memory)
        y->data = inference->y_data ? inference->y_data : memory + inference->head_bytes_max;
    else
        ppm_fail(error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", y_bytes);
    return memory;
}

/* Responds with y, which is in memory after room for a head. Takes memory over. */
static void answer(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct http_request *request = inference->request;
    double since_ms = http_elapsed_ms(request);
    y->is_batch = inference->inputs[0].is_batch;
    inference->protocol->respond(inference, y, memory, threads);
    inference->record.encode_ms = lap_ms(request, &since_ms);
    finish(inference);
}

static void answer_error(struct inference *inference, const struct ppm_error *error)
{
    if (error->status == PPM_CANCELLED) {
        give_up(inference, METRICS_COMPUTE);
        return;
    }
    http_problem_of(inference->request, error);
    finish(inference);
}

/* ---- computing ---- */

/* y = model(inputs) for a whole batch of these sizes and costs. pooling may be NULL. */
static enum ppm_status compute(struct inference *batch, const struct ppm_tensor *inputs,
                               const struct ppm_sizes *sizes, const struct ppm_costs *costs,
                               const struct ppm_pooling *pooling, int threads, struct ppm_tensor *y,
                               struct ppm_error *error)
{
    struct inference_stages *stages = batch->stages;
    if (stages && stages_place(batch, y, error) != PPM_OK)
        return error->status;
    const struct ppm_run_options options = {
        .threads = threads,
        .is_cancelled = inference_is_abandoned,
        .cancel_context = batch,
        .ret_times = stages ? &stages->times : NULL,
        .pooling = pooling,
        .stages = stages ? &stages->list : NULL,
        .output_h = batch->image ? batch->image->wanted_h : 0,
        .output_w = batch->image ? batch->image->wanted_w : 0,
    };
    if (batch->image)
        return runs_run_image(batch->model, &batch->image->pixels, &batch->image->costs, &options,
                              y, error);
    return runs_run(batch->model, inputs, sizes, costs, &options, y, error);
}

static void run_one(struct inference *inference, int threads)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    double since_ms = http_elapsed_ms(request);
    char *memory = allocate_answer(inference, &y, &error);
    if (memory)
        compute(inference, inference->inputs, &inference->sizes, &inference->costs,
                inference->arrival.pooling, threads, &y, &error);
    inference->record.compute_ms = lap_ms(request, &since_ms);
    if (error.status == PPM_OK) {
        answer(inference, &y, memory, threads);
        return;
    }
    buffer_give(memory);
    answer_error(inference, &error);
}

/* A batch in one run: copies of all maps, one after the other. */
struct together {
    struct ppm_costs costs;
    struct ppm_sizes sizes;
    size_t bytes; /* taken from the budget, besides what each member has taken */
    struct ppm_tensor inputs[PPM_INPUTS_MAX], y;
};

static void give_inputs(struct together *all)
{
    for (size_t i = 0; i < all->sizes.count; i++)
        buffer_give(all->inputs[i].data);
}

/* The index-th input of all members. False: no memory. */
static bool gather_input(const struct inference *batch, size_t count, size_t index,
                         struct ppm_tensor *ret_input)
{
    const struct ppm_shape s = batch->inputs[index].shape;
    const size_t bytes = s.n * s.c * s.h * s.w * sizeof(float);
    *ret_input = batch->inputs[index];
    ret_input->shape.n *= count;
    char *to = ret_input->data = buffer_take(bytes * count);
    for (; to && batch; batch = next_of(batch), to += bytes)
        memcpy(to, batch->inputs[index].data, bytes);
    return to != NULL;
}

/* False: no memory. */
static bool gather(const struct inference *batch, size_t count, struct together *ret)
{
    struct ppm_error ignored = {0};
    struct together all = {.sizes = batch->sizes};
    for (size_t i = 0; i < all.sizes.count; i++)
        all.sizes.inputs[i].n *= count;
    if (ppm_model_costs(batch->model, &all.sizes, batch->inputs[0].layout, (int)batch->app->threads,
                        &all.costs, &ignored) != PPM_OK ||
        __builtin_add_overflow(all.costs.input_bytes, all.costs.working_bytes, &all.bytes) ||
        !memory_take(all.bytes))
        return false;
    bool has_memory = true;
    for (size_t i = 0; i < all.sizes.count && has_memory; i++)
        has_memory = gather_input(batch, count, i, &all.inputs[i]);
    all.y.data = has_memory ? buffer_take(all.costs.output_bytes) : NULL;
    if (!all.y.data) {
        give_inputs(&all);
        memory_give(all.bytes);
        return false;
    }
    *ret = all;
    return true;
}

/* Answers one member of a batch with a copy of its maps, which start at from. */
static void answer_copy(struct inference *inference, const struct ppm_tensor *batch_y,
                        const char *from, int threads)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = *batch_y;
    assert(from);
    char *memory = allocate_answer(inference, &y, &error);
    if (!memory) {
        answer_error(inference, &error);
        return;
    }
    y.shape = inference->costs.output;
    memcpy(y.data, from, inference->costs.output_bytes);
    answer(inference, &y, memory, threads);
}

static void run_together(struct inference *batch, struct together *all, int threads)
{
    struct ppm_error error = {0};
    const double begun_s = clock_now_s();
    const size_t output_bytes = batch->costs.output_bytes;
    compute(batch, all->inputs, &all->sizes, &all->costs, NULL, threads, &all->y, &error);
    give_inputs(all);
    size_t at = 0;
    for (struct inference *next; batch; batch = next, at += output_bytes) {
        next = next_of(batch);
        batch->job.next = NULL; /* from here on each is abandoned separately */
        batch->record.compute_ms = 1e3 * (clock_now_s() - begun_s);
        if (error.status == PPM_OK)
            answer_copy(batch, &all->y, (const char *)all->y.data + at, threads);
        else
            answer_error(batch, &error);
    }
    buffer_give(all->y.data);
    memory_give(all->bytes);
}

/* Decodes x and reserves memory. False: the inference was answered. */
static bool prepare(struct inference *inference)
{
    struct http_request *request = inference->request;
    if (inference_decode(inference) != HTTP_PROCEED) {
        finish(inference);
        return false;
    }
    const size_t pooled_bytes = inference->arrival.pooling ? inference->costs.pooled_bytes : 0;
    if (!http_reserve(request, inference->needed_bytes - pooled_bytes)) {
        http_refuse_memory(request);
        finish(inference);
        return false;
    }
    return true;
}

/* In one run, or one by one if there is no memory for that. */
static void run_batch(struct inference *batch, size_t count, int threads)
{
    struct together all;
    const bool is_together = count > 1 && gather(batch, count, &all);
    const size_t runs = is_together ? 1 : count;
    for (struct inference *one = batch; one; one = next_of(one))
        one->record.together = is_together ? count : 1;
    for (size_t i = 0; i < runs; i++)
        metrics_batch(batch->info.name, is_together ? count : 1);
    if (is_together) {
        run_together(batch, &all, threads);
        return;
    }
    for (struct inference *next; batch; batch = next) {
        next = next_of(batch);
        batch->job.next = NULL;
        run_one(batch, threads);
    }
}

void inference_run(struct inference *inference)
{
    struct http_request *request = inference->request;
    inference->record.queue_ms = http_elapsed_ms(request) - inference->queued_ms;
    if (prepare(inference))
        run_batch(inference, 1, 1);
}

static void drop(struct executor_job *job)
{
    struct inference *inference = (struct inference *)job;
    struct http_request *request = inference->request;
    inference->record.queue_ms = http_elapsed_ms(request) - inference->queued_ms;
    give_up(inference, METRICS_QUEUE);
}

/* False: nobody waits for it any more, and it was answered. */
static bool leave_queue(struct inference *inference)
{
    struct http_request *request = inference->request;
    const size_t compute_ms = inference->app->settings.compute_timeout_ms;
    if (inference_is_stale(&inference->job)) {
        drop(&inference->job);
        return false;
    }
    inference->record.queue_ms = http_elapsed_ms(request) - inference->queued_ms;
    inference->deadline = http_deadline_in(request, compute_ms, "compute_timeout_ms");
    return true;
}

static void run_jobs(struct executor_job *job, int threads)
{
    struct inference *batch = NULL;
    struct executor_job **last = NULL;
    size_t count = 0;
    for (struct executor_job *next; job; job = next) {
        struct inference *inference = (struct inference *)job;
        next = job->next;
        job->next = NULL;
        if (!leave_queue(inference) || !prepare(inference))
            continue;
        if (last)
            *last = job;
        else
            batch = inference;
        last = &job->next;
        count++;
    }
    if (batch)
        run_batch(batch, count, threads);
}

static bool are_alike(const struct executor_job *job, const struct executor_job *other)
{
    const struct inference *a = (const struct inference *)job, *b = (const struct inference *)other;
    return a->model == b->model && a->inputs[0].layout == b->inputs[0].layout &&
           a->sizes.is_soft == b->sizes.is_soft &&
           memcmp(&a->sizes, &b->sizes, offsetof(struct ppm_sizes, is_soft)) == 0;
}

const struct executor_kind inference_kind = {
    .run = run_jobs, .are_alike = are_alike, .is_stale = inference_is_stale, .drop = drop};
