/* several_body.c - see several_body.h. */
#include "server/handlers/inference/several_body.h"
#include "server/codec/raw/raw.h"
#include "server/codec/raw/safetensors_read.h"
#include "server/handlers/inference/shape_check.h"
#include "server/handlers/tensor_fields.h"

enum http_next several_refuse_head(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_model_info *info = &inference->info;
    const char *shape;
    if (inference->form != &codec_raw)
        return http_problem(
            request, 415,
            "Content-Type: found %.60s, but model \"%s\" takes %zu inputs, expected "
            "%s, one safetensors file with a tensor for each, or POST "
            "/v2/models/%s/infer",
            inference->form->media_type, info->name, info->input_count, codec_raw.media_type,
            info->name);
    if (handlers_read_shape(request, &shape) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (shape || inference->expectation.dtype_is_explicit)
        return http_problem(request, 400,
                            "%s: found %.60s, but model \"%s\" takes %zu inputs, expected neither "
                            "shape nor dtype: the body, one safetensors file, says both",
                            shape ? "shape" : "dtype",
                            shape ? shape : codec_dtype_name(inference->expectation.dtype),
                            info->name, info->input_count);
    return HTTP_PROCEED;
}

static enum ppm_status find(const struct inference *inference, struct codec_safetensor *ret_tensors,
                            struct ppm_error *error)
{
    const struct http_request *request = inference->request;
    return codec_safetensors_read(request->body, request->body_bytes, inference->info.inputs,
                                  inference->info.input_count, &inference->expectation, ret_tensors,
                                  error);
}

enum http_next several_look(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_safetensor tensors[PPM_INPUTS_MAX];
    struct ppm_error error = {0};
    const double begun_ms = http_elapsed_ms(request);
    find(inference, tensors, &error);
    inference->record.decode_ms += http_elapsed_ms(request) - begun_ms;
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    for (size_t i = 0; i < inference->info.input_count; i++)
        inference->inputs[i] = tensors[i].tensor;
    return inference_refuse_axis_counts(inference) == HTTP_PROCEED
               ? inference_refuse_shape(inference, inference->inputs)
               : HTTP_RESPOND;
}

/* Those that are not in the body as they are computed with. */
enum http_next several_decode(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_safetensor tensors[PPM_INPUTS_MAX];
    struct ppm_error error = {0};
    find(inference, tensors, &error);
    for (size_t i = 0; i < inference->info.input_count && error.status == PPM_OK; i++) {
        const struct ppm_shape s = inference->inputs[i].shape;
        const size_t count = s.n * s.c * s.h * s.w;
        if (inference->inputs[i].data)
            continue;
        if (!http_reserve(request, count * sizeof(float)))
            return http_refuse_memory(request);
        inference_take_input(inference, i, &error);
        if (error.status == PPM_OK)
            codec_decode_slices(tensors[i].dtype, tensors[i].bytes, count, &inference->cancel,
                                inference->inputs[i].data, &error);
    }
    return error.status == PPM_OK ? HTTP_PROCEED : http_problem_of(request, &error);
}
