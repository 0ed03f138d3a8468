/* tensor_body.c - see tensor_body.h. */
#include "server/handlers/inference/tensor_body.h"
#include "server/base/buffers.h"
#include "server/codec/negotiate.h"
#include "server/handlers/inference/answer_form.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/several_body.h"
#include "server/handlers/inference/shape_check.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/inference/x_body.h"
#include "server/handlers/tensor_fields.h"

#include <stdlib.h>
#include <string.h>

/* ---- the head ---- */

/* Reads ?dtype=, of the body, and ?out_dtype=, of the answer. */
static enum http_next refuse_dtypes(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    char list[CODEC_LIST_BYTES];
    if (handlers_read_dtype(request, "dtype", "X-Tensor-Dtype", &expectation->dtype,
                            &expectation->dtype_is_explicit) != HTTP_PROCEED ||
        inference_read_out_dtype(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (!inference->form->is_text || expectation->dtype == CODEC_FLOAT32)
        return HTTP_PROCEED;
    return http_problem(request, 400,
                        "dtype: found %s for a %s body, whose numbers are float32; expected no "
                        "dtype, or a body of %s",
                        codec_dtype_name(expectation->dtype), inference->form->name,
                        codec_list(CODEC_BODY, expectation->dtype, list));
}

/* Checks the head against the model. */
static enum http_next refuse_for_model(struct inference *inference)
{
    if (inference_refuse_answer(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference->info.input_count > 1 ? several_refuse_head(inference) : HTTP_PROCEED;
}

/* ---- x ---- */

/* Chooses the model that the body names, unless the URL names another. */
static enum http_next refuse_model(struct inference *inference, const char *name)
{
    struct http_request *request = inference->request;
    const char *in_url = request->arguments[0];
    if (*name && *in_url && strcmp(name, in_url) != 0)
        return http_problem(request, 400,
                            "model: found \"%.128s\" in the body and \"%.128s\" in the URL, "
                            "expected them to agree",
                            name, in_url);
    if (*name && !*in_url && inference_choose_model(inference, name) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference->may_name_model ? refuse_for_model(inference) : HTTP_PROCEED;
}

static enum http_next decode_stream(struct inference *inference)
{
    const struct http_request *request = inference->request;
    const struct codec_stream *stream = inference->form->stream;
    struct codec_reader *reader = inference_reader(inference, NULL);
    struct codec_members members = {.axis_count = 0};
    struct ppm_error error = {0};
    if (!reader)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory to read %s", inference->form->name);
    else if (stream->members(reader, request->body, request->body_bytes, &members, &error) ==
             PPM_OK) {
        if (refuse_model(inference, members.model) != HTTP_PROCEED)
            return HTTP_RESPOND;
        stream->finish(reader, request->body, &members, &inference->expectation,
                       &inference->inputs[0], &error);
    }
    return error.status == PPM_OK ? HTTP_PROCEED : inference_refuse_json(inference, &error);
}

static enum http_next decode_whole(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    /* A decoded element has 4 bytes, and at least 2 in a body. */
    const size_t x_bytes =
        inference->inputs[0].shape.n > 0 ? inference->costs.input_bytes : 2 * request->body_bytes;
    if (!http_reserve(request, x_bytes))
        return http_refuse_memory(request);
    if (inference->inputs[0].shape.n > 0)
        inference_take_input(inference, 0, &error);
    if (error.status == PPM_OK)
        codec_decode(inference->form, request->body, request->body_bytes, &inference->expectation,
                     &inference->inputs[0], &error);
    return error.status == PPM_OK ? HTTP_PROCEED : http_problem_of(request, &error);
}

static enum http_next decode(struct inference *inference)
{
    const enum http_next next =
        inference->form->stream ? decode_stream(inference) : decode_whole(inference);
    if (next != HTTP_PROCEED)
        return next;
    if (!inference->decoded[0].at)
        inference->decoded[0] = (struct inference_memory){inference->inputs[0].data, free};
    http_drop_body(inference->request);
    return HTTP_PROCEED;
}

/* ---- y ---- */

/* Responds with y in a form that is not the tensor's memory. */
static void respond_encoded(struct inference *inference, const struct ppm_tensor *y, int threads)
{
    struct http_request *request = inference->request;
    const struct codec_form *form = inference->answer_form;
    const struct ppm_model_info *info = &inference->info;
    const struct codec_answer answer = {.tensor = y,
                                        .model = info->name,
                                        .palette = {info->palette, info->palette_count},
                                        .threads = threads,
                                        .cancel = &inference->cancel};
    const size_t count = inference->costs.output_bytes / sizeof(float);
    const size_t bytes_max = codec_encoded_bytes_max(form, count);
    struct ppm_error error = {0};
    size_t bytes = 0;
    char *memory = buffer_take(bytes_max);
    if (!memory)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    else
        form->encode(&answer, memory, &bytes, &error);
    if (error.status != PPM_OK) {
        buffer_give(memory);
        http_problem_of(request, &error);
        return;
    }
    if (!form->has_members)
        handlers_describe_tensor(request, y, inference->answer_dtype);
    http_respond_within(request, 200, form->media_type, memory, memory, bytes);
    const bool is_compressed = form->is_text && http_compress(request);
    inference->answer_bytes = is_compressed ? 0 : bytes_max; /* the encoder may use all of it */
}

void tensor_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct http_request *request = inference->request;
    const struct codec_form *form = inference->answer_form;
    struct codec_bytes bytes = {0};
    if (inference->stages) {
        stages_respond(inference, y, memory, threads);
        return;
    }
    if (codec_encode_in_place(form, y, inference->answer_dtype, &bytes)) {
        handlers_describe_tensor(request, y, inference->answer_dtype);
        http_respond_within(request, 200, form->media_type, memory, bytes.data, bytes.size);
        inference->answer_bytes = inference->costs.output_bytes; /* for 16-bit values as well */
        return;
    }
    respond_encoded(inference, y, threads);
    buffer_give(memory);
}

static const struct inference_protocol ppm_protocol = {
    .look = inference_refuse_body, .decode = decode, .respond = tensor_respond};
static const struct inference_protocol several_protocol = {
    .look = several_look, .decode = several_decode, .respond = tensor_respond};

/* ---- the request ---- */

/* What the head says of the body. */
static enum http_next begin_body(struct inference *inference)
{
    if (inference->info.input_count > 1 && !inference->may_name_model) {
        inference->protocol = &several_protocol;
        return HTTP_PROCEED;
    }
    return inference->form->is_bare ? inference_refuse_raw_shape(inference)
                                    : inference_refuse_axes(inference);
}

/* What only images have. */
static enum http_next refuse_parameters(struct inference *inference)
{
    static const char *const names[] = {"overlay", "labels"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (http_query(inference->request, names[i]))
            return http_problem(inference->request, 400,
                                "%s: found \"%.40s\" with a tensor, expected an image, or no %s",
                                names[i], http_query(inference->request, names[i]), names[i]);
    return HTTP_PROCEED;
}

enum http_next tensor_begin(struct inference *inference)
{
    struct http_request *request = inference->request;
    inference->protocol = &ppm_protocol;
    inference->preferred = inference->form;
    if (refuse_parameters(inference) != HTTP_PROCEED || stages_refuse(inference) != HTTP_PROCEED ||
        (!inference->stages && inference_refuse_accept(inference) != HTTP_PROCEED))
        return HTTP_RESPOND;
    inference->may_name_model = inference->form->has_members && !*request->arguments[0] &&
                                registry_loaded(inference->registry) > 1;
    if (handlers_read_layout(request, inference->info.layout, &inference->expectation.layout,
                             &inference->expectation.layout_is_explicit) != HTTP_PROCEED ||
        handlers_read_size(request, &inference->sizes.output_h, &inference->sizes.output_w) !=
            HTTP_PROCEED ||
        refuse_dtypes(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    const enum http_next next = inference->may_name_model
                                    ? inference_refuse_dtype_of_form(inference)
                                    : refuse_for_model(inference);
    return next == HTTP_PROCEED ? begin_body(inference) : next;
}
