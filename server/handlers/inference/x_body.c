/* x_body.c - see x_body.h. */
#include "server/handlers/inference/x_body.h"
#include "server/codec/axes.h"
#include "server/handlers/inference/decode.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/shape_check.h"
#include "server/handlers/tensor_fields.h"

enum http_next inference_refuse_axes(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    const char *text;
    if (handlers_read_shape(request, &text) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (!text && !inference->form->is_bare)
        return HTTP_PROCEED;
    if (!text)
        return http_problem(
            request, 400,
            "a raw body needs a shape: expected ?shape=1,%zu,30,30 or the header X-Tensor-Shape",
            inference->info.inputs[0].channels);
    if (codec_parse_shape(text, inference->axes, &expectation->axis_count, &error) != PPM_OK)
        return http_problem_of(request, &error);
    expectation->axes = inference->axes;
    return HTTP_PROCEED;
}

enum http_next inference_refuse_raw_shape(struct inference *inference)
{
    const struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    if (inference_refuse_axes(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (ppm_tensor_from_axes(inference->axes, expectation->axis_count, expectation->layout, &tensor,
                             &error) != PPM_OK)
        return http_problem_of(inference->request, &error);
    return inference_refuse_shape(inference, &tensor);
}

enum http_next inference_refuse_body(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    const double begun_ms = http_elapsed_ms(request);
    codec_look(inference->form, request->body, request->body_bytes, &inference->expectation,
               &inference->inputs[0], &error);
    inference->record.decode_ms += http_elapsed_ms(request) - begun_ms;
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    if (inference->inputs[0].shape.n > 0)
        return inference->costs.one_thread_us == 0
                   ? inference_refuse_shape(inference, inference->inputs)
                   : HTTP_PROCEED;
    return inference_is_read_at_once(inference, request->body_bytes) ? inference_decode(inference)
                                                                     : HTTP_PROCEED;
}
