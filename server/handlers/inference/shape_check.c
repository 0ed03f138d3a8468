/* shape_check.c - see shape_check.h. */
#include "server/handlers/inference/shape_check.h"
#include "server/base/memory.h"
#include "server/codec/negotiate.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/observe/metrics.h"

#include <string.h>

struct ppm_sizes inference_sizes(const struct inference *inference, const struct ppm_tensor *inputs)
{
    struct ppm_sizes sizes = ppm_sizes_of(inputs, inference->info.input_count);
    sizes.output_h = inference->sizes.output_h;
    sizes.output_w = inference->sizes.output_w;
    return sizes;
}

enum http_next inference_refuse_axis_counts(struct inference *inference)
{
    const struct ppm_model_info *info = &inference->info;
    const struct ppm_tensor *inputs = inference->inputs;
    for (size_t i = 1; i < info->input_count; i++)
        if (inputs[i].is_batch != inputs[0].is_batch)
            return http_problem(inference->request, 400,
                                "shape: found %d axes of %.80s and %d of %.80s, expected as many",
                                inputs[0].is_batch ? 4 : 3, info->inputs[0].name,
                                inputs[i].is_batch ? 4 : 3, info->inputs[i].name);
    return HTTP_PROCEED;
}

/* A form for labels has one map. For a batch, chooses another form that the client accepts. */
static enum http_next refuse_maps(struct inference *inference, size_t maps)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    const struct codec_form *form = inference->answer_form;
    char list[CODEC_LIST_BYTES];
    if (form->labels_max == 0 || maps == 1)
        return HTTP_PROCEED;
    inference->answer_form = codec_negotiate(accept, inference->preferred, CODEC_ANY_TENSOR);
    if (inference->answer_form)
        return HTTP_PROCEED;
    return http_problem(request, 406,
                        "Accept: found %.60s for a batch of %zu, but a %s shows one map; expected "
                        "a batch of 1, or one of %s",
                        accept, maps, form->name,
                        codec_list(CODEC_ANY_TENSOR, CODEC_FLOAT32, list));
}

/* Sets needed_bytes. False: overflow, or what *error says. */
static bool add_needs(struct inference *inference, const struct ppm_sizes *sizes,
                      const struct ppm_costs *costs, struct ppm_error *error)
{
    size_t *ret_bytes = &inference->needed_bytes;
    const struct codec_form *form = inference->answer_form;
    const size_t text_bytes =
        form->head ? 0 : codec_encoded_bytes_max(form, costs->output_bytes / sizeof(float));
    return !__builtin_add_overflow(costs->working_bytes, text_bytes, ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, inference->head_bytes_max, ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, form->working_bytes, ret_bytes) &&
           (!inference->stages || stages_add_needs(inference, sizes, costs->output_bytes, error));
}

/* curl -d drops line ends and zero bytes of a file. */
static const char *curl_hint(const struct http_request *request, size_t expected_bytes)
{
    const char *agent = http_header(request, "User-Agent");
    const bool is_curl = agent && strncmp(agent, "curl/", strlen("curl/")) == 0;
    return is_curl && request->content_length < expected_bytes
               ? "; curl's --data-binary sends a file as it is, -d leaves bytes out"
               : "";
}

enum http_next inference_refuse_shape(struct inference *inference, const struct ppm_tensor *inputs)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    struct ppm_costs costs;
    const struct ppm_sizes sizes = inference_sizes(inference, inputs);
    const size_t memory_max_bytes = memory_max();
    if (ppm_model_costs(inference->model, &sizes, inputs->layout, (int)inference->app->threads,
                        &costs, &error) != PPM_OK)
        return http_problem_of(request, &error);
    if (refuse_maps(inference, inputs->shape.n) != HTTP_PROCEED)
        return HTTP_RESPOND;
    const bool is_counted = add_needs(inference, &sizes, &costs, &error);
    if (error.status != PPM_OK && error.status != PPM_TOO_LARGE)
        return http_problem_of(request, &error);
    if (!is_counted || inference->needed_bytes > memory_max_bytes) {
        metrics_rejected(METRICS_TOO_LARGE);
        return http_problem(request, 413,
                            "this input takes %zu MiB to compute and its answer %zu MiB, expected "
                            "at most %zu MiB in all (memory_max_bytes)",
                            costs.working_bytes >> 20,
                            (costs.output_bytes + stages_bytes(inference)) >> 20,
                            memory_max_bytes >> 20);
    }
    const enum codec_dtype dtype = inference->expectation.dtype;
    const size_t body_bytes = costs.input_bytes / sizeof(float) * codec_dtype_bytes(dtype);
    if (inference->form->is_bare && sizes.count == 1 && request->has_content_length &&
        request->content_length != body_bytes)
        return http_problem(request, 400,
                            "the body has %zu byte%s, expected the %zu of the shape's %s values%s",
                            request->content_length, ppm_plural(request->content_length),
                            body_bytes, codec_dtype_name(dtype), curl_hint(request, body_bytes));
    inference->sizes = sizes;
    inference->costs = costs;
    return HTTP_PROCEED;
}
