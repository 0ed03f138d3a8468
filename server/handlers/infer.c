/*
 * infer.c - POST /ppm: one tensor in, one tensor out.
 *
 * begin decides all that the request's head allows, before a byte of its body is read; finish has
 * the whole body, and queues what is to be computed. compute.c does it.
 */
#include "server/handlers/inference.h"

#include <stdlib.h>

/* To wake another thread and be woken by it takes as long. */
static const double quick_us = 30;

/* Decoding and encoding, a byte of JSON and a number of it. */
static const double json_byte_us = 0.002, json_number_us = 0.03;

/* ---- what the head allows ---- */

/* The forms that head's Content-Type and Accept ask for. True: refused. */
static bool refuse_forms(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *type = http_header(request, "Content-Type"),
               *accept = http_header(request, "Accept");
    if (!type || !codec_form_from_media_type(type, &inference->form))
        return http_problem(request, 415, "Content-Type: found %.60s, expected %s, %s or %s",
                            type && *type ? type : "none", codec_media_type(CODEC_JSON),
                            codec_media_type(CODEC_NPY), codec_media_type(CODEC_RAW));
    if (!codec_negotiate(accept, inference->form, &inference->answer_form))
        return http_problem(request, 406, "Accept: found %.60s, expected one of %s, %s or %s",
                            accept, codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                            codec_media_type(CODEC_RAW));
    return false;
}

bool inference_refuse_shape(struct inference *inference, struct ppm_shape shape)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    struct ppm_costs costs;
    const size_t memory_max_bytes = inference->service->settings.memory_max_bytes;
    if (ppm_model_costs(inference->model, shape, &costs, &error) != PPM_OK)
        return http_problem_of(request, &error);
    const size_t elements = costs.output_bytes / sizeof(float);
    if (__builtin_add_overflow(costs.working_bytes,
                               codec_encoded_bytes_max(inference->answer_form, elements),
                               &inference->needed_bytes) ||
        inference->needed_bytes > memory_max_bytes) {
        metrics_rejected(METRICS_TOO_LARGE);
        return http_problem(request, 413,
                            "this input takes %zu MiB to compute and answers %zu MiB, expected at "
                            "most %zu MiB in all (memory_max_bytes)",
                            costs.working_bytes >> 20, costs.output_bytes >> 20,
                            memory_max_bytes >> 20);
    }
    if (inference->form == CODEC_RAW && request->has_content_length &&
        request->content_length != costs.input_bytes)
        return http_problem(request, 400,
                            "the body has %zu bytes, expected the %zu of the shape's float32 "
                            "values",
                            request->content_length, costs.input_bytes);
    inference->costs = costs;
    return false;
}

/* A raw body's shape stands in the head: ?shape= or X-Tensor-Shape. True: refused. */
static bool refuse_raw_shape(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    const char *text = http_query(request, "shape");
    if (!text)
        text = http_header(request, "X-Tensor-Shape");
    if (inference->form != CODEC_RAW)
        return false;
    if (!text)
        return http_problem(request, 400,
                            "a raw body needs its shape: expected ?shape=1,%zu,30,30 or the header "
                            "X-Tensor-Shape",
                            inference->info.channels);
    if (codec_parse_shape(text, inference->axes, &expectation->axis_count, &error) != PPM_OK ||
        ppm_tensor_from_axes(inference->axes, expectation->axis_count, expectation->layout, &tensor,
                             &error) != PPM_OK)
        return http_problem_of(request, &error);
    expectation->axes = inference->axes;
    return inference_refuse_shape(inference, tensor.shape);
}

/* ---- where it is computed ---- */

/* Whether the thread that has the request computes it sooner than it could hand it over. */
static bool is_quick(const struct inference *inference)
{
    const struct ppm_costs *costs = &inference->costs;
    double us = costs->one_thread_us + costs->weights_us;
    if (inference->answer_form == CODEC_JSON)
        us += json_number_us * (double)costs->output_bytes / sizeof(float);
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

static bool refuse_full_queue(struct inference *inference)
{
    if (executor_reserve(inference->service->executor, &inference->job))
        return false;
    metrics_rejected(METRICS_QUEUE_FULL);
    return http_problem(inference->request, 503, "%zu requests are waiting already (queue_max)",
                        inference->service->settings.queue_max);
}

bool infer_begin(struct http_request *request)
{
    struct service *service = request->context;
    struct inference *inference = calloc(1, sizeof *inference);
    if (!inference)
        return http_problem(request, 503, "out of memory");
    request->state = inference;
    inference->job.kind = &inference_kind;
    inference->request = request;
    inference->service = service;
    inference->registry = service_registry(service);
    inference->model = registry_find(inference->registry, request->argument);
    if (!inference->model)
        return handlers_no_such_model(request, inference->registry);
    ppm_model_info(inference->model, &inference->info);
    request->model = inference->info.name;
    inference->expectation.channels = inference->info.channels;
    inference->expectation.model = inference->info.name;
    if (atomic_load(&service->is_refusing)) {
        metrics_rejected(METRICS_DRAINING);
        return http_problem(request, 503, "the server is stopping; try another one");
    }
    if (refuse_forms(inference))
        return true;
    if (!handlers_query_layout(request, inference->info.layout, &inference->expectation.layout,
                               &inference->expectation.layout_is_explicit))
        return true;
    if (refuse_raw_shape(inference))
        return true;
    return !is_quick(inference) && refuse_full_queue(inference);
}

/* What can be known of x without work; a little JSON is read here and now. True: refused. */
static bool refuse_body(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    const double begun_ms = http_elapsed_ms(request);
    codec_look(inference->form, request->body, request->body_bytes, &inference->expectation,
               &inference->x, &error);
    request->decode_ms += http_elapsed_ms(request) - begun_ms;
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    if (inference->x.shape.n > 0)
        return inference->costs.one_thread_us == 0 &&
               inference_refuse_shape(inference, inference->x.shape);
    return json_byte_us * (double)inference_unread_bytes(inference) < quick_us &&
           inference_decode(inference);
}

void infer_arrived(struct http_request *request)
{
    struct inference *inference = request->state;
    const double begun_ms = http_elapsed_ms(request);
    inference_read_on(inference);
    request->decode_ms += http_elapsed_ms(request) - begun_ms;
}

bool infer_finish(struct http_request *request)
{
    struct inference *inference = request->state;
    struct service *service = inference->service;
    if (refuse_body(inference))
        return true;
    inference->queued_ms = http_elapsed_ms(request);
    if (is_quick(inference)) {
        executor_release(service->executor, &inference->job);
        inference->deadline = request->deadline;
        inference_run(inference);
        return true;
    }
    if (refuse_full_queue(inference))
        return true;
    inference->is_queued = true;
    inference->deadline =
        http_deadline_in(request, service->settings.queue_timeout_ms, "queue_timeout_ms");
    inference->job.may_batch = inference->x.shape.n > 0 && pays_in_batches(&inference->costs);
    http_answer_later(request);
    executor_submit(service->executor, &inference->job);
    return false;
}

void infer_release(struct http_request *request)
{
    struct inference *inference = request->state;
    if (!inference)
        return;
    executor_release(inference->service->executor, &inference->job);
    free(inference->x_memory);
    codec_json_free(inference->reader);
    registry_release(inference->registry);
    free(inference);
}
