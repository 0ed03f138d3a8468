/*
 * infer.c - POST /ppm: one tensor in, one tensor out.
 *
 * begin decides all that the request's head allows, before a byte of its body is read; arrived
 * begins with what has come; finish has the whole body, and hands it on.
 */
#include "server/buffers.h"
#include "server/handlers/inference.h"

#include <stdlib.h>

/* ---- reading and answering ---- */

/* True: refused. */
static bool decode_json(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct codec_json_reader *reader = inference_reader(inference, NULL);
    struct ppm_error error = {0};
    if (!reader)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory to read JSON");
    else
        codec_json_finish(reader, request->body, request->body_bytes, &inference->expectation,
                          &inference->x, &error);
    return error.status != PPM_OK && inference_refuse_json(inference, &error);
}

/* True: refused. */
static bool decode_other(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    /* An element has 4 bytes once it is decoded, and at least 2 in any body. */
    if (!http_reserve(request, 2 * request->body_bytes))
        return http_refuse_memory(request);
    if (inference->x.shape.n > 0)
        inference_take_x(inference, &error);
    if (error.status == PPM_OK)
        codec_decode(inference->form, request->body, request->body_bytes, &inference->expectation,
                     &inference->x, &error);
    return error.status != PPM_OK && http_problem_of(request, &error);
}

static bool decode(struct inference *inference)
{
    if (inference->form == CODEC_JSON ? decode_json(inference) : decode_other(inference))
        return true;
    inference->x_memory = inference->x.data;
    http_drop_body(inference->request);
    return false;
}

void infer_describe_answer(struct http_request *request, const struct ppm_tensor *y,
                           enum codec_dtype dtype)
{
    size_t axes[4];
    size_t count = ppm_tensor_axes(y, axes);
    if (count == 4)
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu,%zu", axes[0], axes[1], axes[2],
                        axes[3]);
    else
        http_add_header(request, "X-Tensor-Shape", "%zu,%zu,%zu", axes[0], axes[1], axes[2]);
    http_add_header(request, "X-Tensor-Dtype", "%s",
                    y->dtype == PPM_FLOAT32 ? codec_dtype_name(dtype) : ppm_dtype_name(y->dtype));
    http_add_header(request, "X-Tensor-Layout", "%s", ppm_layout_name(y->layout));
}

/* y as JSON or as a PNG. */
static void encode(const struct inference *inference, const struct ppm_tensor *y, int threads,
                   char *memory, size_t *ret_bytes, struct ppm_error *error)
{
    const struct ppm_model_info *info = &inference->info;
    const struct codec_palette palette = {info->palette, info->palette_count};
    if (inference->answer_form == CODEC_PNG)
        codec_png_encode_into(y, &palette, memory, ret_bytes, error);
    else
        codec_json_encode_into(y, info->name, threads, memory, ret_bytes, error);
}

/* The same, in memory of its own. */
static void respond_encoded(struct inference *inference, const struct ppm_tensor *y, int threads)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    const enum codec_form form = inference->answer_form;
    const size_t count = inference->costs.output_bytes / sizeof(float);
    const size_t bytes_max = codec_encoded_bytes_max(form, count);
    size_t bytes = 0;
    char *memory = buffer_take(bytes_max);
    if (!memory)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    else
        encode(inference, y, threads, memory, &bytes, &error);
    if (error.status != PPM_OK) {
        buffer_give(memory);
        http_problem_of(request, &error);
        return;
    }
    if (form == CODEC_PNG)
        infer_describe_answer(request, y, inference->answer_dtype);
    http_respond_within(request, 200, codec_media_type(form), memory, memory, bytes);
    const bool is_compressed = form == CODEC_JSON && http_compress(request);
    inference->answer_bytes = is_compressed ? 0 : bytes_max; /* all may be written to */
}

static void respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct http_request *request = inference->request;
    const enum codec_form form = inference->answer_form;
    struct codec_bytes bytes = {0};
    if (inference->stages) {
        stages_respond(inference, y, memory, threads);
        return;
    }
    if (codec_encode_in_place(form, y, inference->answer_dtype, &bytes)) {
        infer_describe_answer(request, y, inference->answer_dtype);
        http_respond_within(request, 200, codec_media_type(form), memory, bytes.data, bytes.size);
        inference->answer_bytes = inference->costs.output_bytes; /* halves are where floats were */
        return;
    }
    respond_encoded(inference, y, threads);
    buffer_give(memory);
}

static const struct inference_protocol ppm_protocol = {.decode = decode, .respond = respond};

/* ---- what the head allows ---- */

/* The form that Accept asks for. True: refused. */
static bool refuse_accept(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_model_info *info = &inference->info;
    const char *accept = http_header(request, "Accept");
    enum codec_form form;
    if (codec_negotiate(accept, inference->form, info->palette ? CODEC_AS_LABELS : CODEC_AS_TENSOR,
                        &inference->answer_form))
        return false;
    if (info->palette || !codec_negotiate(accept, inference->form, CODEC_AS_LABELS, &form))
        return http_problem(request, 406, "Accept: found %.60s, expected one of %s, %s or %s",
                            accept, codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                            codec_media_type(CODEC_RAW));
    if (info->classes == 0)
        return http_problem(request, 406,
                            "Accept: found %.60s, but model \"%s\" answers %s, no labels to show "
                            "(\"as\": \"argmax\"); expected one of %s, %s or %s",
                            accept, info->name, ppm_dtype_name(info->output_dtype),
                            codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                            codec_media_type(CODEC_RAW));
    return http_problem(request, 406,
                        "Accept: found %.60s, but model \"%s\" tells %zu classes apart, and a PNG "
                        "has at most %d colours; expected one of %s, %s or %s",
                        accept, info->name, info->classes, CODEC_PNG_LABELS_MAX,
                        codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                        codec_media_type(CODEC_RAW));
}

/* The forms that head's Content-Type and Accept ask for. True: refused. */
static bool refuse_forms(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *type = http_header(request, "Content-Type");
    if (!type || !codec_form_from_media_type(type, &inference->form))
        return http_problem(request, 415, "Content-Type: found %.60s, expected %s, %s or %s",
                            type && *type ? type : "none", codec_media_type(CODEC_JSON),
                            codec_media_type(CODEC_NPY), codec_media_type(CODEC_RAW));
    return stages_refuse(inference) || (!inference->stages && refuse_accept(inference));
}

/* The types that ?dtype= says of the body and ?out_dtype= asks of the answer. True: refused. */
static bool refuse_dtypes(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    bool asks;
    if (!handlers_query_dtype(request, "dtype", &expectation->dtype,
                              &expectation->dtype_is_explicit) ||
        !handlers_query_dtype(request, "out_dtype", &inference->answer_dtype, &asks))
        return true;
    const char *answered = codec_dtype_name(inference->answer_dtype);
    if (inference->form == CODEC_JSON && expectation->dtype != CODEC_FLOAT32)
        return http_problem(request, 400,
                            "dtype: found %s for a body of JSON, whose numbers are float32; "
                            "expected no dtype, or a raw body",
                            codec_dtype_name(expectation->dtype));
    if (asks && inference->info.output_dtype == PPM_INT32)
        return http_problem(request, 422,
                            "out_dtype: found %s, but model \"%s\" answers int32, expected no "
                            "out_dtype",
                            answered, inference->info.name);
    if (!codec_form_has_dtype(inference->answer_form, inference->answer_dtype))
        return http_problem(
            request, 406, "out_dtype: found %s, which %s does not have, expected Accept: %s",
            answered, codec_media_type(inference->answer_form), codec_media_type(CODEC_RAW));
    return false;
}

bool inference_refuse_raw_shape(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    const char *text = http_query(request, "shape");
    if (!text)
        text = http_header(request, "X-Tensor-Shape");
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

bool infer_begin(struct http_request *request)
{
    struct inference *inference = inference_begin(request, &ppm_protocol, sizeof(struct inference));
    if (!inference)
        return true;
    if (refuse_forms(inference))
        return true;
    if (!handlers_query_layout(request, inference->info.layout, &inference->expectation.layout,
                               &inference->expectation.layout_is_explicit))
        return true;
    if (refuse_dtypes(inference) ||
        (inference->form == CODEC_RAW && inference_refuse_raw_shape(inference)))
        return true;
    return inference_refuse_full_queue(inference);
}

/* What can be known of x without work; a little JSON is read here and now. */
bool inference_refuse_body(struct inference *inference)
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
    return inference_is_read_at_once(inference, request->body_bytes) && inference_decode(inference);
}

/* Once the beginning of a body says what x will be. */
static void look_ahead(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct ppm_tensor x;
    codec_look_ahead(inference->form, request->body, request->body_bytes, &inference->expectation,
                     &x);
    inference->arrival.is_settled = true;
    if (x.data)
        inference_expect_x(inference, &x, (size_t)((char *)x.data - request->body));
}

void infer_arrived(struct http_request *request)
{
    struct inference *inference = request->state;
    const double begun_ms = http_elapsed_ms(request);
    if (inference->form == CODEC_JSON && inference_reader(inference, NULL)) {
        codec_json_feed(inference->reader, request->body, request->body_bytes);
        request->decode_ms += http_elapsed_ms(request) - begun_ms;
    } else if (!inference->arrival.is_settled && request->body_bytes >= CODEC_LOOK_AHEAD_BYTES) {
        look_ahead(inference);
    }
    inference_pool_arrived(inference);
}

bool infer_finish(struct http_request *request)
{
    struct inference *inference = request->state;
    return inference_refuse_body(inference) || inference_submit(inference);
}
