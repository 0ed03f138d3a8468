/*
 * infer.c - POST /ppm: one tensor in, one tensor out.
 *
 * begin decides all that the request's head allows; finish queues the whole body; the executor's
 * thread decodes, computes, encodes and answers.
 */
#include "server/codec/codec.h"
#include "server/handlers/handlers.h"
#include "server/serve.h"

#include <stdlib.h>

#define MEMORY_IS_TAKEN                                                                            \
    "the requests in flight hold all the memory that is configured (memory_max_bytes); try again"

/* A request on its way, from begin to release. */
struct inference {
    struct executor_job job; /* first: a job is its inference */
    struct http_request *request;
    struct service *service;
    struct registry *registry; /* held, so that a reload leaves the model alone */
    const struct ppm_model *model;
    struct ppm_model_info info;
    enum codec_form form, answer_form;
    struct codec_expectation expectation;
    size_t axes[4]; /* those of the query or header, for a raw body */
    double queued_ms;
};

static void run_inference(struct executor_job *job);

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

/* Checks a shape that is known against the model, the limits and the bytes announced. True:
 * refused; else *ret_needed_bytes is what computing and answering it takes. */
static bool refuse_shape(struct inference *inference, const struct ppm_tensor *tensor,
                         size_t *ret_needed_bytes)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    struct ppm_costs costs;
    const size_t memory_max_bytes = inference->service->settings.memory_max_bytes;
    size_t needed;
    if (ppm_model_costs(inference->model, tensor->shape, &costs, &error) != PPM_OK)
        return http_problem_of(request, &error);
    const size_t elements = costs.output_bytes / sizeof(float);
    if (__builtin_add_overflow(costs.working_bytes,
                               codec_encoded_bytes_max(inference->answer_form, elements),
                               &needed) ||
        needed > memory_max_bytes)
        return http_problem(request, 413,
                            "this input takes %zu MiB to compute and answers %zu MiB, expected at "
                            "most %zu MiB in all (memory_max_bytes)",
                            costs.working_bytes >> 20, costs.output_bytes >> 20,
                            memory_max_bytes >> 20);
    if (inference->form == CODEC_RAW && request->has_content_length &&
        request->content_length != costs.input_bytes)
        return http_problem(request, 400,
                            "the body has %zu bytes, expected the %zu of the shape's float32 "
                            "values",
                            request->content_length, costs.input_bytes);
    *ret_needed_bytes = needed;
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
    size_t needed_bytes;
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
    return refuse_shape(inference, &tensor, &needed_bytes);
}

bool infer_begin(struct http_request *request)
{
    struct service *service = request->context;
    struct inference *inference = calloc(1, sizeof *inference);
    if (!inference)
        return http_problem(request, 503, "out of memory");
    request->state = inference;
    inference->job.run = run_inference;
    inference->request = request;
    inference->service = service;
    inference->registry = service_registry(service);
    inference->model = registry_find(inference->registry, request->argument);
    if (!inference->model)
        return handlers_no_such_model(request, inference->registry);
    ppm_model_info(inference->model, &inference->info);
    inference->expectation.channels = inference->info.channels;
    inference->expectation.model = inference->info.name;
    if (atomic_load(&service->is_refusing))
        return http_problem(request, 503, "the server is stopping; try another one");
    if (refuse_forms(inference))
        return true;
    if (!handlers_query_layout(request, inference->info.layout, &inference->expectation.layout,
                               &inference->expectation.layout_is_explicit))
        return true;
    if (refuse_raw_shape(inference))
        return true;
    if (executor_is_full(service->executor))
        return http_problem(request, 503, "%zu requests are waiting already (queue_max)",
                            service->settings.queue_max);
    return false;
}

bool infer_finish(struct http_request *request)
{
    struct inference *inference = request->state;
    if (!executor_reserve(inference->service->executor))
        return http_problem(request, 503, "%zu requests are waiting already (queue_max)",
                            inference->service->settings.queue_max);
    inference->queued_ms = http_elapsed_ms(request);
    http_answer_later(request);
    executor_submit(inference->service->executor, &inference->job);
    return false;
}

void infer_release(struct http_request *request)
{
    struct inference *inference = request->state;
    if (inference)
        registry_release(inference->registry);
    free(inference);
}

static bool should_stop(void *context)
{
    const struct http_request *request = context;
    return http_is_past_deadline(request) || http_client_is_gone(request);
}

static void describe_answer(struct http_request *request, const struct ppm_tensor *y,
                            enum codec_form form)
{
    size_t axes[4];
    size_t count = ppm_tensor_axes(y, axes);
    if (form == CODEC_JSON)
        return;
    if (count == 4)
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu,%zu", axes[0], axes[1], axes[2],
                        axes[3]);
    else
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu", axes[0], axes[1], axes[2]);
    http_add_header(request, "X-Tensor-Dtype", "%s", ppm_dtype_name(y->dtype));
    http_add_header(request, "X-Tensor-Layout", "%s", ppm_layout_name(y->layout));
}

/* body -> x -> y -> response */
static void compute(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_run_options options = {.threads = (int)inference->service->threads,
                                            .is_cancelled = should_stop,
                                            .cancel_context = request};
    struct ppm_error error = {0};
    struct ppm_tensor x = {0}, y = {0};
    size_t needed_bytes = 0;
    struct codec_bytes answer = {0};
    /* An element has 4 bytes once it is decoded, and at least 2 in any body. */
    if (!http_reserve(request, 2 * request->body_bytes)) {
        http_problem(request, 503, MEMORY_IS_TAKEN);
        return;
    }
    if (codec_decode(inference->form, request->body, request->body_bytes, &inference->expectation,
                     &x, &error) != PPM_OK) {
        http_problem_of(request, &error);
        return;
    }
    free(request->body);
    request->body = NULL;
    if (refuse_shape(inference, &x, &needed_bytes))
        goto out;
    if (!http_reserve(request, needed_bytes)) {
        http_problem(request, 503, MEMORY_IS_TAKEN);
        goto out;
    }
    if (ppm_engine_run(inference->service->engine, inference->model, &x, &options, &y, &error) ==
        PPM_OK) {
        describe_answer(request, &y, inference->answer_form);
        codec_encode(inference->answer_form, &y, inference->info.name, &answer, &error);
    }
    if (error.status == PPM_OK)
        http_respond(request, 200, codec_media_type(inference->answer_form), answer.data,
                     answer.size);
    else if (error.status == PPM_CANCELLED && !http_is_past_deadline(request))
        http_problem(request, 499, "the client closed its side of the connection");
    else if (error.status == PPM_CANCELLED)
        http_problem(request, 504, "the answer took more than %zu ms (request_timeout_ms)",
                     inference->service->settings.request_timeout_ms);
    else
        http_problem_of(request, &error);
out:
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    http_keep(request, request->response.body_bytes);
}

static void run_inference(struct executor_job *job)
{
    struct inference *inference = (struct inference *)job;
    struct http_request *request = inference->request;
    const double begun_ms = http_elapsed_ms(request);
    request->queue_ms = begun_ms - inference->queued_ms;
    if (http_is_past_deadline(request))
        http_problem(request, 504, "still waiting after %zu ms (request_timeout_ms)",
                     inference->service->settings.request_timeout_ms);
    else
        compute(inference);
    request->compute_ms = http_elapsed_ms(request) - begun_ms;
    http_answer(request);
}
