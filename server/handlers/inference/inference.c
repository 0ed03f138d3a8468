/*
 * inference.c - what all protocols do with a request to compute, but for computing it: begin, read
 * JSON, check a shape, choose where it is computed, give everything back. compute.c does the rest.
 */
#include "server/handlers/inference/inference.h"
#include "server/base/memory.h"
#include "server/observe/metrics.h"

#include <stdlib.h>
#include <string.h>

enum { READ_AHEAD_BYTES = 1 << 16 }; /* of JSON, at a time */

/* To wake another thread and be woken by it takes as long. */
static const double quick_us = 30;

/* Decoding and encoding, a byte of JSON and a number of it, and compressing that. */
static const double json_byte_us = 0.002, json_number_us = 0.03, deflated_number_us = 0.08;

/* ---- begin ---- */

enum http_next inference_choose_model(struct inference *inference, const char *name)
{
    struct codec_expectation *expectation = &inference->expectation;
    inference->model = registry_find(inference->registry, name);
    if (!inference->model) {
        inference->request->model = NULL;
        return handlers_no_such_model(inference->request, inference->registry, name);
    }
    ppm_model_info(inference->model, &inference->info);
    inference->request->model = inference->info.name;
    expectation->channels = inference->info.channels;
    expectation->model = inference->info.name;
    if (!expectation->layout_is_explicit)
        expectation->layout = inference->info.layout;
    return HTTP_PROCEED;
}

struct inference *inference_begin(struct http_request *request,
                                  const struct inference_protocol *protocol, size_t bytes)
{
    struct app *app = request->context;
    struct inference *inference = calloc(1, bytes);
    if (!inference) {
        http_problem(request, 503, "out of memory");
        return NULL;
    }
    request->state = inference;
    inference->protocol = protocol;
    inference->head_bytes_max = CODEC_HEAD_BYTES_MAX;
    inference->free_x = free;
    inference->job.kind = &inference_kind;
    inference->request = request;
    inference->app = app;
    inference->deadline = request->deadline;
    inference->cancel = (struct codec_cancel){inference_is_abandoned, inference};
    inference->expectation.cancel = &inference->cancel;
    request->is_unwanted = inference_is_abandoned;
    inference->registry = served_hold(&app->served);
    if (inference_choose_model(inference, request->arguments[0]) != HTTP_PROCEED)
        return NULL;
    if (atomic_load(&app->is_refusing)) {
        metrics_rejected(METRICS_DRAINING);
        http_problem(request, 503, "the server is stopping; try another one");
        return NULL;
    }
    return inference;
}

/* A PNG shows one map: of a batch, what else the client accepts. */
static enum http_next refuse_png(struct inference *inference, size_t maps)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    if (inference->answer_form != CODEC_PNG || maps == 1 ||
        codec_negotiate(accept, inference->form, CODEC_AS_TENSOR, &inference->answer_form))
        return HTTP_PROCEED;
    return http_problem(request, 406,
                        "Accept: found %.60s for a batch of %zu, but a PNG shows one map; expected "
                        "a batch of 1, or one of %s, %s or %s",
                        accept, maps, codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                        codec_media_type(CODEC_RAW));
}

/* Sets needed_bytes: to compute and to answer it, beside its body. False: more than can be counted.
 */
static bool add_needs(struct inference *inference, struct ppm_shape shape,
                      const struct ppm_costs *costs)
{
    size_t *ret_bytes = &inference->needed_bytes;
    const enum codec_form form = inference->answer_form;
    const size_t writing_bytes = form == CODEC_PNG ? CODEC_PNG_WORKING_BYTES : 0;
    const size_t text_bytes =
        codec_is_in_place(form)
            ? 0
            : codec_encoded_bytes_max(form, costs->output_bytes / sizeof(float));
    return !__builtin_add_overflow(costs->working_bytes, text_bytes, ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, inference->head_bytes_max, ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, writing_bytes, ret_bytes) &&
           (!inference->stages || stages_add_needs(inference, shape, costs->output_bytes));
}

/* curl -d leaves line ends and zero bytes out of a file. */
static const char *curl_hint(const struct http_request *request, size_t expected_bytes)
{
    const char *agent = http_header(request, "User-Agent");
    const bool is_curl = agent && strncmp(agent, "curl/", strlen("curl/")) == 0;
    return is_curl && request->content_length < expected_bytes
               ? "; curl's --data-binary sends a file as it is, -d leaves bytes out"
               : "";
}

enum http_next inference_refuse_shape(struct inference *inference, const struct ppm_tensor *x)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    struct ppm_costs costs;
    const size_t memory_max_bytes = memory_max();
    if (ppm_model_costs(inference->model, x->shape, x->layout, (int)inference->app->threads, &costs,
                        &error) != PPM_OK)
        return http_problem_of(request, &error);
    if (refuse_png(inference, x->shape.n) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (!add_needs(inference, x->shape, &costs) || inference->needed_bytes > memory_max_bytes) {
        metrics_rejected(METRICS_TOO_LARGE);
        return http_problem(request, 413,
                            "this input takes %zu MiB to compute and answers %zu MiB, expected at "
                            "most %zu MiB in all (memory_max_bytes)",
                            costs.working_bytes >> 20,
                            (costs.output_bytes + stages_bytes(inference)) >> 20,
                            memory_max_bytes >> 20);
    }
    const enum codec_dtype dtype = inference->expectation.dtype;
    const size_t body_bytes = costs.input_bytes / sizeof(float) * codec_dtype_bytes(dtype);
    if (inference->form == CODEC_RAW && request->has_content_length &&
        request->content_length != body_bytes)
        return http_problem(request, 400,
                            "the body has %zu byte%s, expected the %zu of the shape's %s values%s",
                            request->content_length, ppm_plural(request->content_length),
                            body_bytes, codec_dtype_name(dtype), curl_hint(request, body_bytes));
    inference->costs = costs;
    return HTTP_PROCEED;
}

/* ---- JSON ---- */

/* codec_json_options.reserve, for an inference. */
static bool reserve_numbers(void *context, size_t bytes)
{
    struct inference *inference = context;
    inference->lacks_budget = !http_reserve(inference->request, bytes);
    return !inference->lacks_budget;
}

struct codec_json_reader *inference_reader(struct inference *inference, const char *list)
{
    const struct http_request *request = inference->request;
    const struct codec_json_options options = {
        .list = list,
        .body_bytes_max = request->has_content_length ? request->content_length
                                                      : inference->app->settings.body_max_bytes,
        .reserve = reserve_numbers,
        .context = inference,
        .cancel = &inference->cancel};
    if (!inference->reader)
        inference->reader = codec_json_create(&options);
    return inference->reader;
}

void inference_read_ahead(struct inference *inference, size_t bytes)
{
    const size_t left = codec_json_left(inference->reader, bytes);
    const size_t later = left > READ_AHEAD_BYTES ? left - READ_AHEAD_BYTES : 0;
    codec_json_feed(inference->reader, inference->request->body, bytes - later);
}

bool inference_is_read_at_once(const struct inference *inference, size_t bytes)
{
    const size_t left = inference->reader ? codec_json_left(inference->reader, bytes) : bytes;
    return json_byte_us * (double)left < quick_us;
}

enum http_next inference_refuse_json(struct inference *inference, const struct ppm_error *error)
{
    if (error->status == PPM_NO_MEMORY && inference->lacks_budget)
        return http_refuse_memory(inference->request);
    return http_problem_of(inference->request, error);
}

/* ---- where it is computed ---- */

/* Whether the thread that has the request computes it sooner than it could hand it over. */
static bool is_quick(const struct inference *inference)
{
    const struct ppm_costs *costs = &inference->costs;
    double us = costs->one_thread_us + costs->weights_us;
    if (inference->request->is_compressed)
        return false; /* nor could it inflate the body in that time */
    if (inference->answer_form == CODEC_PNG)
        return false; /* to set zlib up alone takes as long */
    if (inference->stages)
        return false; /* the literal graph's are slow */
    const double numbers = (double)costs->output_bytes / sizeof(float);
    if (inference->answer_form == CODEC_JSON)
        us += json_number_us * numbers;
    const bool may_compress =
        inference->answer_form == CODEC_JSON || inference->protocol->compresses_bytes;
    if (us < quick_us && may_compress &&
        http_will_compress(inference->request, costs->output_bytes))
        us += deflated_number_us * numbers;
    return us > 0 && us < quick_us;
}

/* Whether the weights take so long to come from memory that it is worth the copies to and from a
 * batch to have them come once. */
static bool pays_in_batches(const struct ppm_costs *costs)
{
    const double copied_bytes = 2.0 * (double)(costs->input_bytes + costs->output_bytes);
    const double copies_us = copied_bytes / 10000; /* 10 GB/s */
    return costs->weights_us - copies_us > 0.25 * costs->one_thread_us;
}

static enum http_next refuse_place(struct inference *inference)
{
    metrics_rejected(METRICS_QUEUE_FULL);
    return http_problem(inference->request, 503,
                        "the queue is full: %zu waiting (queue_max); try again",
                        inference->app->settings.queue_max);
}

enum http_next inference_refuse_full_queue(struct inference *inference)
{
    const bool has_place = is_quick(inference) || !executor_is_full(inference->app->executor);
    return has_place ? HTTP_PROCEED : refuse_place(inference);
}

static enum http_next submit(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct app *app = inference->app;
    inference->queued_ms = http_elapsed_ms(request);
    if (is_quick(inference)) {
        inference->deadline = request->deadline;
        inference_run(inference);
        return HTTP_RESPOND;
    }
    if (inference_refuse_full_queue(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    inference->is_queued = true;
    inference->deadline =
        http_deadline_in(request, app->settings.queue_timeout_ms, "queue_timeout_ms");
    inference->job.may_batch =
        inference->x.shape.n > 0 && !inference->stages && pays_in_batches(&inference->costs);
    inference->job.alone_s = 1e-6 * (inference->costs.one_thread_us + inference->costs.weights_us);
    http_answer_later(request);
    if (!executor_offer(app->executor, &inference->job)) { /* others came first */
        refuse_place(inference);
        http_answer(request);
    }
    return HTTP_LATER;
}

enum http_next inference_finish(struct http_request *request)
{
    struct inference *inference = request->state;
    const enum http_next next =
        request->is_compressed ? HTTP_PROCEED : inference->protocol->look(inference);
    return next == HTTP_PROCEED ? submit(inference) : next;
}

void inference_release(struct http_request *request)
{
    struct inference *inference = request->state;
    if (!inference)
        return;
    inference_free_x(inference);
    inference_forget_arrival(inference);
    codec_json_free(inference->reader);
    free(inference->stages);
    registry_release(inference->registry);
    free(inference);
}
