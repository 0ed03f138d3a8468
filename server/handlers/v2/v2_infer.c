/*
 * v2_infer.c - see v2_infer.h.
 *
 * The JSON is small or holds the numbers of x; it is read before anything is computed.
 */
#include "server/handlers/v2/v2_infer.h"
#include "server/base/clock.h"
#include "server/codec/json/json.h"
#include "server/codec/raw/raw.h"
#include "server/handlers/inference/arrival.h"
#include "server/handlers/inference/decode.h"
#include "server/handlers/inference/image_within.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/shape_check.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/inference/x_body.h"
#include "server/handlers/tensor_fields.h"
#include "server/handlers/v2/v2_image.h"
#include "server/handlers/v2/v2_order.h"
#include "server/handlers/v2/v2_places.h"
#include "server/handlers/v2/v2_respond.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Reads JSON before the body is whole up to this size; more holds numbers. */
enum { PARSED_AHEAD_BYTES = 8192 };

static struct v2_inference *v2_of(struct inference *inference)
{
    return (struct v2_inference *)inference;
}

/* Of the bytes that have come. All of a body is JSON unless the header says otherwise. */
static size_t json_bytes(const struct v2_inference *v2)
{
    const size_t body_bytes = v2->inference.request->body_bytes;
    return v2->has_header ? size_min(v2->header_bytes, body_bytes) : body_bytes;
}

/* ---- the JSON ---- */

static void set_timeout(struct http_request *request, size_t timeout_us)
{
    const struct http_deadline deadline = {clock_now_s() + (double)timeout_us / 1e6,
                                           timeout_us / 1000, "parameters.timeout"};
    if (timeout_us > 0 && deadline.at_s < request->deadline.at_s)
        request->deadline = deadline;
}

/* "model_name" belongs in answers; in a request it may only repeat the URL's. */
static enum ppm_status check_name(const json_t *around, const char *model, struct ppm_error *error)
{
    const json_t *named = json_object_get(around, "model_name");
    const char *found = json_string_value(named);
    if (!named || (found && strcmp(found, model) == 0))
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED,
                    "model_name: found \"%.128s\" in the body, expected the URL's \"%.128s\"",
                    found ? found : "", model);
}

/* The size of the output may be in the query or in the JSON's parameters. */
static enum ppm_status choose_size(const struct v2_request *said, struct ppm_sizes *sizes,
                                   struct ppm_error *error)
{
    if (said->output_h == 0)
        return PPM_OK;
    if (sizes->output_h > 0 &&
        (sizes->output_h != said->output_h || sizes->output_w != said->output_w))
        return ppm_fail(error, PPM_MALFORMED,
                        "size: found %zu,%zu in parameters and %zu,%zu in the query, expected "
                        "them to agree",
                        said->output_h, said->output_w, sizes->output_h, sizes->output_w);
    sizes->output_h = said->output_h;
    sizes->output_w = said->output_w;
    return PPM_OK;
}

/* Triton's numbers: 1 is the highest priority, 2 the next, and 0 the usual one. */
static enum executor_priority priority_of(size_t number)
{
    if (number == 1)
        return EXECUTOR_HIGH;
    return number > 2 ? EXECUTOR_LOW : EXECUTOR_NORMAL;
}

/* The priority may be in the query or in the JSON's parameters. */
static enum ppm_status choose_priority(const struct v2_request *said, struct inference *inference,
                                       struct ppm_error *error)
{
    const enum executor_priority priority = priority_of(said->priority);
    const char *asked = http_query(inference->request, "priority");
    if (said->priority == 0)
        return PPM_OK;
    if (asked && inference->job.priority != priority)
        return ppm_fail(error, PPM_MALFORMED,
                        "priority: found %zu in parameters and %s in the query, expected them to "
                        "agree (1 is high, 2 normal, 3 low)",
                        said->priority, asked);
    inference->job.priority = priority;
    return PPM_OK;
}

/* The inputs, without their values. */
static enum ppm_status expect_inputs(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    const struct ppm_model_info *info = &inference->info;
    struct codec_expectation expectation = inference->expectation;
    for (size_t i = 0; i < info->input_count && !v2->request.inputs[i].is_image; i++) {
        const struct v2_input *input = &v2->request.inputs[i];
        expectation.channels = info->inputs[i].channels;
        expectation.input = info->input_count > 1 ? info->inputs[i].name : NULL;
        if (ppm_tensor_from_axes(input->axes, input->axis_count, expectation.layout,
                                 &inference->inputs[i], &v2->error) != PPM_OK ||
            codec_check_channels(&inference->inputs[i], &expectation, &v2->error) != PPM_OK)
            return v2->error.status;
    }
    return PPM_OK;
}

/* Reads the JSON except the numbers. body_bytes: of the whole body. */
static void parse(struct v2_inference *v2, size_t body_bytes)
{
    struct inference *inference = &v2->inference;
    const struct ppm_model_info *info = &inference->info;
    struct v2_request *said = &v2->request;
    json_t *around = NULL;
    const size_t bytes = json_bytes(v2);
    if (codec_json_around(inference->reader, inference->request->body, bytes, &around,
                          &v2->error) == PPM_OK &&
        check_name(around, inference->expectation.model, &v2->error) == PPM_OK &&
        v2_read_request(around, info->inputs, info->input_count,
                        codec_json_data_count(inference->reader), body_bytes - bytes, said,
                        &v2->error) == PPM_OK &&
        choose_size(said, &inference->sizes, &v2->error) == PPM_OK &&
        choose_priority(said, inference, &v2->error) == PPM_OK)
        expect_inputs(v2);
    json_decref(around);
    v2->is_parsed = true;
}

static enum http_next read_json(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    const struct v2_request *said = &v2->request;
    if (!v2->is_parsed)
        parse(v2, inference->request->body_bytes);
    if (v2->error.status != PPM_OK)
        return inference_refuse_json(inference, &v2->error);
    v2->is_read = true;
    inference->answer_form = said->y.place == V2_IN_JSON ? &codec_json : &codec_raw;
    set_timeout(inference->request, said->timeout_us);
    if (said->inputs[0].is_image)
        return v2_look_at_image(v2) == HTTP_PROCEED ? v2_find_places(v2) : HTTP_RESPOND;
    if (inference_refuse_axis_counts(inference) != HTTP_PROCEED ||
        inference_refuse_shape(inference, inference->inputs) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return v2_find_places(v2);
}

/* ---- the values ---- */

/* From the JSON. */
static enum ppm_status read_numbers(struct v2_inference *v2, size_t index, struct ppm_error *error)
{
    struct inference *inference = &v2->inference;
    const struct v2_input *said = &v2->request.inputs[index];
    struct ppm_tensor *input = &inference->inputs[index];
    struct ppm_error cause = {0};
    if (codec_json_tensor(inference->reader, said->data, inference->request->body, said->axes,
                          said->axis_count, input->layout, input, &cause) == PPM_OK)
        inference->decoded[index] = (struct inference_memory){input->data, free};
    else if (inference->info.input_count == 1)
        *error = cause;
    else
        ppm_fail(error, cause.status, "inputs[%zu]: %s", said->index, cause.text);
    return error->status;
}

/* From the body or a region. */
static enum ppm_status read_bytes(struct v2_inference *v2, size_t index, struct ppm_error *error)
{
    struct inference *inference = &v2->inference;
    const struct v2_source *source = &v2->sources[index];
    const struct ppm_shape s = inference->inputs[index].shape;
    const size_t count = s.n * s.c * s.h * s.w;
    inference_take_input(inference, index, error);
    if (error->status == PPM_OK && source->is_copied)
        v2_copy_input(v2, index, count, error);
    else if (error->status == PPM_OK)
        codec_decode_slices(v2->request.inputs[index].dtype, source->bytes, count,
                            &inference->cancel, inference->inputs[index].data, error);
    return error->status;
}

/* Whether no input is computed with where it is in the body. */
static bool is_body_read(const struct v2_inference *v2)
{
    for (size_t i = 0; i < v2->inference.info.input_count; i++)
        if (v2->request.inputs[i].tensor.place == V2_IN_BODY && !v2->inference.decoded[i].at)
            return false;
    return true;
}

static enum http_next decode(struct inference *inference)
{
    struct v2_inference *v2 = v2_of(inference);
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    if (!v2->is_read && read_json(v2) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (inference->image)
        return image_within_decode(inference);
    if (inference_has_inputs(inference))
        return HTTP_PROCEED;
    for (size_t i = 0; i < inference->info.input_count && error.status == PPM_OK; i++) {
        const struct ppm_shape s = inference->inputs[i].shape;
        if (inference->inputs[i].data)
            continue;
        if (v2->request.inputs[i].tensor.place == V2_IN_JSON)
            read_numbers(v2, i, &error);
        else if (!http_reserve(request, s.n * s.c * s.h * s.w * sizeof(float)))
            return http_refuse_memory(request);
        else
            read_bytes(v2, i, &error);
    }
    if (is_body_read(v2))
        http_drop_body(request);
    return error.status == PPM_OK ? HTTP_PROCEED : inference_refuse_json(inference, &error);
}

/* Whether all values are numbers in the JSON. */
static bool are_numbers(const struct v2_inference *v2)
{
    bool are = true;
    for (size_t i = 0; i < v2->inference.info.input_count; i++)
        are = are && v2->request.inputs[i].tensor.place == V2_IN_JSON;
    return are;
}

static enum http_next look(struct inference *inference)
{
    struct v2_inference *v2 = v2_of(inference);
    struct http_request *request = inference->request;
    if (request->body_bytes < v2->header_bytes)
        return http_problem(request, 400,
                            "%s: found %zu, expected at most %zu, the length of the body",
                            V2_LENGTH_HEADER, v2->header_bytes, request->body_bytes);
    if (v2->is_read)
        return inference_refuse_body(inference);
    if (!inference_is_read_at_once(inference, json_bytes(v2)))
        return HTTP_PROCEED;
    const enum http_next next = read_json(v2);
    if (next != HTTP_PROCEED || inference->image || !are_numbers(v2))
        return next; /* an image, and what is outside of the JSON, may be large */
    return inference_decode(inference);
}

static const struct inference_protocol v2_protocol = {
    .look = look, .decode = decode, .respond = v2_respond, .compresses_bytes = true};

/* ---- the request ---- */

static enum http_next read_header(struct v2_inference *v2)
{
    struct http_request *request = v2->inference.request;
    const char *text = http_header(request, V2_LENGTH_HEADER);
    if (!text)
        return HTTP_PROCEED;
    v2->has_header = true;
    size_t bytes = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && !__builtin_mul_overflow(bytes, 10, &bytes) &&
           !__builtin_add_overflow(bytes, (size_t)(*at - '0'), &bytes);)
        at++;
    if (at == text || *at)
        return http_problem(request, 400, "%s: found \"%.40s\", expected a number of bytes",
                            V2_LENGTH_HEADER, text);
    if (request->has_content_length && bytes > request->content_length)
        return http_problem(request, 400,
                            "%s: found %zu, expected at most %zu, the length of the body",
                            V2_LENGTH_HEADER, bytes, request->content_length);
    v2->header_bytes = bytes;
    request->body_aligned_at = bytes;
    return HTTP_PROCEED;
}

/* A body without JSON is only x; the head has its shape. */
static enum http_next begin_raw(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    if (inference->info.input_count > 1)
        return http_problem(inference->request, 400,
                            V2_LENGTH_HEADER ": found 0, but model \"%s\" takes %zu inputs, "
                                             "expected JSON that says which bytes are which",
                            inference->info.name, inference->info.input_count);
    v2->is_read = true;
    v2->request.y.place = V2_IN_BODY;
    inference->form = inference->answer_form = &codec_raw;
    return inference_refuse_raw_shape(inference);
}

/* The JSON has shape and type, so the head must have no shape. */
static enum http_next begin_json(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    const char *shape;
    if (handlers_read_shape(inference->request, &shape) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (shape)
        return http_problem(
            inference->request, 400,
            "shape: found %.60s in the query or X-Tensor-Shape, expected a shape only in inputs[0]",
            shape);
    const struct codec_reader_options options = {.list = "inputs",
                                                 .takes_text = inference->info.takes_images};
    inference->form = inference->answer_form = &codec_json;
    return inference_reader_of(inference, &options)
               ? HTTP_PROCEED
               : http_problem(inference->request, 503, "out of memory");
}

/* The JSON has the type, so the head may only say float32. */
static enum http_next refuse_dtype(struct v2_inference *v2)
{
    struct http_request *request = v2->inference.request;
    enum codec_dtype dtype;
    bool is_explicit;
    if (handlers_read_dtype(request, "dtype", "X-Tensor-Dtype", &dtype, &is_explicit) !=
        HTTP_PROCEED)
        return HTTP_RESPOND;
    if (dtype == CODEC_FLOAT32)
        return HTTP_PROCEED;
    return http_problem(
        request, 400,
        "X-Tensor-Dtype: found %s, expected float32, or no type but the datatype of inputs[0]",
        codec_dtype_name(dtype));
}

enum http_next v2_infer_begin(struct http_request *request)
{
    struct inference *inference =
        inference_begin(request, &v2_protocol, sizeof(struct v2_inference));
    if (!inference || v2_refuse_version(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    struct v2_inference *v2 = v2_of(inference);
    inference->head_bytes_max = V2_HEAD_BYTES_MAX;
    if (handlers_read_layout(request, inference->info.layout, &inference->expectation.layout,
                             &inference->expectation.layout_is_explicit) != HTTP_PROCEED ||
        handlers_read_size(request, &inference->sizes.output_h, &inference->sizes.output_w) !=
            HTTP_PROCEED ||
        inference_read_priority(inference) != HTTP_PROCEED || refuse_dtype(v2) != HTTP_PROCEED ||
        read_header(v2) != HTTP_PROCEED || v2_refuse_type(request, v2->has_header) != HTTP_PROCEED)
        return HTTP_RESPOND;
    const enum http_next next =
        v2->has_header && v2->header_bytes == 0 ? begin_raw(v2) : begin_json(v2);
    return next == HTTP_PROCEED ? inference_refuse_full_queue(inference) : next;
}

enum http_next v2_infer_arrived(struct http_request *request)
{
    struct v2_inference *v2 = request->state;
    struct inference *inference = &v2->inference;
    const bool is_all_json = !v2->has_header || (request->has_content_length &&
                                                 v2->header_bytes == request->content_length);
    if (!inference->reader) /* the body is only x */
        return HTTP_PROCEED;
    if (is_all_json) {
        inference_read_ahead(inference, json_bytes(v2));
        return HTTP_PROCEED;
    }
    if (!v2->is_parsed && request->has_content_length && v2->header_bytes <= PARSED_AHEAD_BYTES &&
        request->body_bytes > v2->header_bytes) {
        parse(v2, request->content_length);
        if (v2->error.status == PPM_OK && inference->info.input_count == 1 &&
            v2->request.inputs[0].tensor.place == V2_IN_BODY &&
            v2->request.inputs[0].dtype == CODEC_FLOAT32 && !v2->request.inputs[0].is_image)
            inference_expect_x(inference, inference->inputs, v2->header_bytes);
    }
    inference_pool_arrived(inference);
    return HTTP_PROCEED;
}

void v2_infer_release(struct http_request *request)
{
    if (request->state)
        v2_leave_places(request->state);
    inference_release(request);
}
