/*
 * infer.c - POST /ppm: one tensor in, one tensor out.
 *
 * begin decides all that the request's head allows, before a byte of its body is read; arrived
 * begins with what has come; finish has the whole body, and hands it on.
 */
#include "server/base/buffers.h"
#include "server/handlers/inference/inference.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading and answering ---- */

static bool refuse_for_model(struct inference *inference);

/* The model that the body names is the one that computes, unless the URL named another. True:
 * refused. */
static bool refuse_model(struct inference *inference, const char *name)
{
    struct http_request *request = inference->request;
    const char *in_url = request->arguments[0];
    if (*name && *in_url && strcmp(name, in_url) != 0)
        return http_problem(request, 400,
                            "model: found \"%.128s\" in the body and \"%.128s\" in the URL, "
                            "expected them to agree",
                            name, in_url);
    if (*name && !*in_url && inference_choose_model(inference, name))
        return true;
    return inference->may_name_model && refuse_for_model(inference);
}

/* True: refused. */
static bool decode_json(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct codec_json_reader *reader = inference_reader(inference, NULL);
    struct codec_json_members members = {.axis_count = 0};
    struct ppm_error error = {0};
    if (!reader)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory to read JSON");
    else if (codec_json_members(reader, request->body, request->body_bytes, &members, &error) ==
             PPM_OK) {
        if (refuse_model(inference, members.model))
            return true;
        codec_json_finish(reader, request->body, &members, &inference->expectation, &inference->x,
                          &error);
    }
    return error.status != PPM_OK && inference_refuse_json(inference, &error);
}

/* True: refused. */
static bool decode_other(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    /* An element has 4 bytes once it is decoded, and at least 2 in any body. */
    const size_t x_bytes =
        inference->x.shape.n > 0 ? inference->costs.input_bytes : 2 * request->body_bytes;
    if (!http_reserve(request, x_bytes))
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
        codec_png_encode_into(y, &palette, &inference->cancel, memory, ret_bytes, error);
    else
        codec_json_encode_into(y, info->name, threads, &inference->cancel, memory, ret_bytes,
                               error);
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

static const struct inference_protocol ppm_protocol = {
    .look = inference_refuse_body, .decode = decode, .respond = respond};

/* ---- what the head allows ---- */

/* Accept, where no model has such an answer. True: refused. */
static bool refuse_accept(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    return !codec_negotiate(accept, inference->form, CODEC_AS_LABELS, &inference->answer_form) &&
           http_problem(request, 406, "Accept: found %.60s, expected one of %s, %s or %s", accept,
                        codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                        codec_media_type(CODEC_RAW));
}

/* Accept, where the model has no labels that a PNG could show. True: refused. */
static bool refuse_png_of_model(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_model_info *info = &inference->info;
    const char *accept = http_list(request, "Accept");
    if (codec_negotiate(accept, inference->form, info->palette ? CODEC_AS_LABELS : CODEC_AS_TENSOR,
                        &inference->answer_form))
        return false;
    if (info->classes == 0)
        return http_problem(
            request, 406,
            "Accept: found %.60s, but model \"%s\" answers %s, which a PNG cannot show (\"as\": "
            "\"argmax\" answers labels); expected one of %s, %s or %s",
            accept, info->name, ppm_dtype_name(info->output_dtype), codec_media_type(CODEC_JSON),
            codec_media_type(CODEC_NPY), codec_media_type(CODEC_RAW));
    return http_problem(request, 406,
                        "Accept: found %.60s, but model \"%s\" has %zu classes, and a PNG at most "
                        "%d colors; expected one of %s, %s or %s",
                        accept, info->name, info->classes, CODEC_PNG_LABELS_MAX,
                        codec_media_type(CODEC_JSON), codec_media_type(CODEC_NPY),
                        codec_media_type(CODEC_RAW));
}

/* The form that the head's Content-Type names. True: refused. */
static bool refuse_type(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *type = http_header(request, "Content-Type");
    if (type && codec_form_from_media_type(type, &inference->form))
        return false;
    const bool is_curls = type && strcmp(type, "application/x-www-form-urlencoded") == 0;
    return http_problem(request, 415, "Content-Type: found %.60s, expected %s, %s or %s%s",
                        type && *type ? type : "none", codec_media_type(CODEC_JSON),
                        codec_media_type(CODEC_NPY), codec_media_type(CODEC_RAW),
                        is_curls ? "; with curl, -H 'Content-Type: ...' sets it" : "");
}

/* The types that ?dtype= says of the body and ?out_dtype= asks of the answer. True: refused. */
static bool refuse_dtypes(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    if (!handlers_read_dtype(request, "dtype", "X-Tensor-Dtype", &expectation->dtype,
                             &expectation->dtype_is_explicit) ||
        !handlers_read_dtype(request, "out_dtype", NULL, &inference->answer_dtype,
                             &inference->answer_dtype_is_explicit))
        return true;
    return inference->form == CODEC_JSON && expectation->dtype != CODEC_FLOAT32 &&
           http_problem(request, 400,
                        "dtype: found %s for a JSON body, whose numbers are float32; expected no "
                        "dtype, or a raw body",
                        codec_dtype_name(expectation->dtype));
}

/* ?out_dtype=, where the form of the answer lacks it. True: refused. */
static bool refuse_dtype_of_form(struct inference *inference)
{
    const enum codec_form form = inference->answer_form;
    return !codec_form_has_dtype(form, inference->answer_dtype) &&
           http_problem(inference->request, 406,
                        "out_dtype: found %s, which %s does not have, expected Accept: %s",
                        codec_dtype_name(inference->answer_dtype), codec_media_type(form),
                        codec_media_type(CODEC_RAW));
}

/* What the head asks for and the model does not have. True: refused. */
static bool refuse_for_model(struct inference *inference)
{
    if (!inference->stages && refuse_png_of_model(inference))
        return true;
    if (inference->answer_dtype_is_explicit && inference->info.output_dtype == PPM_INT32)
        return http_problem(inference->request, 422,
                            "out_dtype: found %s, but model \"%s\" answers int32, expected no "
                            "out_dtype",
                            codec_dtype_name(inference->answer_dtype), inference->info.name);
    return refuse_dtype_of_form(inference);
}

/* The shape that the head gives, in ?shape= or X-Tensor-Shape; a raw body has no other. True:
 * refused. */
static bool refuse_axes(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    const char *text;
    if (!handlers_read_shape(request, &text))
        return true;
    if (!text)
        return inference->form == CODEC_RAW &&
               http_problem(request, 400,
                            "a raw body needs its shape: expected ?shape=1,%zu,30,30 or the header "
                            "X-Tensor-Shape",
                            inference->info.channels);
    if (codec_parse_shape(text, inference->axes, &expectation->axis_count, &error) != PPM_OK)
        return http_problem_of(request, &error);
    expectation->axes = inference->axes;
    return false;
}

bool inference_refuse_raw_shape(struct inference *inference)
{
    const struct codec_expectation *expectation = &inference->expectation;
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {0};
    if (refuse_axes(inference))
        return true;
    if (ppm_tensor_from_axes(inference->axes, expectation->axis_count, expectation->layout, &tensor,
                             &error) != PPM_OK)
        return http_problem_of(inference->request, &error);
    return inference_refuse_shape(inference, &tensor);
}

bool infer_begin(struct http_request *request)
{
    struct inference *inference = inference_begin(request, &ppm_protocol, sizeof(struct inference));
    if (!inference)
        return true;
    if (refuse_type(inference) || stages_refuse(inference) ||
        (!inference->stages && refuse_accept(inference)))
        return true;
    inference->may_name_model = inference->form == CODEC_JSON && !*request->arguments[0] &&
                                registry_loaded(inference->registry) > 1;
    if (!handlers_read_layout(request, inference->info.layout, &inference->expectation.layout,
                              &inference->expectation.layout_is_explicit) ||
        refuse_dtypes(inference) ||
        (inference->may_name_model ? refuse_dtype_of_form(inference) : refuse_for_model(inference)))
        return true;
    if (inference->form == CODEC_RAW ? inference_refuse_raw_shape(inference)
                                     : refuse_axes(inference))
        return true;
    return inference_refuse_full_queue(inference);
}

static void check_axes(const struct inference *inference, struct ppm_error *error)
{
    size_t axes[4];
    const size_t count = ppm_tensor_axes(&inference->x, axes);
    codec_check_axes(axes, count, &inference->expectation, error);
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
    if (error.status == PPM_OK && inference->form == CODEC_NPY)
        check_axes(inference, &error);
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    if (inference->x.shape.n > 0)
        return inference->costs.one_thread_us == 0 &&
               inference_refuse_shape(inference, &inference->x);
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
        inference_read_ahead(inference, request->body_bytes);
        request->decode_ms += http_elapsed_ms(request) - begun_ms;
    } else if (!inference->arrival.is_settled && request->body_bytes >= CODEC_LOOK_AHEAD_BYTES) {
        look_ahead(inference);
    }
    inference_pool_arrived(inference);
}
