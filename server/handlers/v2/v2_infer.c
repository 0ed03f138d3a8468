/* v2_infer.c - POST /v2/models/{model}/infer: a tensor in and out as the Open Inference Protocol
 * has it. The JSON is small or holds the numbers of x; what it says is known before anything is
 * computed.
 */
#include "server/base/buffers.h"
#include "server/base/clock.h"
#include "server/codec/v2/v2.h"
#include "server/handlers/inference/inference.h"
#include "server/handlers/v2/v2.h"
#include "server/observe/metrics.h"
#include "server/shared_memory/shared_memory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    Y_ALIGNMENT_BYTES = 64,
    PARSED_AHEAD_BYTES = 8192, /* more JSON than says where bytes are is for the executor */
};

static const char header_name[] = "Inference-Header-Content-Length";

struct v2_inference {
    struct inference inference; /* first: an inference of this protocol is one */
    bool has_header;
    size_t header_bytes; /* of the body: its JSON. With header 0 the body is x alone */
    bool is_parsed;      /* the JSON but for the numbers: request and x are known, or error */
    bool is_read;        /* and x and y are where they stand, or there is room for them */
    struct v2_request request;
    struct ppm_error error;
    struct shared_memory_view x_view, y_view; /* {0}: it stands elsewhere */
    void *x_bytes;                            /* x, where it stands as bytes */
    bool copies_x;                            /* out of its region, before anything is computed */
};

static const struct inference_protocol v2_protocol;

static struct v2_inference *v2_of(struct inference *inference)
{
    return (struct v2_inference *)inference;
}

/* Of what has come; all of a body is JSON unless the header says otherwise. */
static size_t json_bytes(const struct v2_inference *v2)
{
    const size_t body_bytes = v2->inference.request->body_bytes;
    return v2->has_header && v2->header_bytes < body_bytes ? v2->header_bytes : body_bytes;
}

/* ---- the head ---- */

static enum http_next read_header(struct v2_inference *v2)
{
    struct http_request *request = v2->inference.request;
    const char *text = http_header(request, header_name);
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
                            header_name, text);
    if (request->has_content_length && bytes > request->content_length)
        return http_problem(request, 400,
                            "%s: found %zu, expected at most the %zu bytes of the body",
                            header_name, bytes, request->content_length);
    v2->header_bytes = bytes;
    request->body_aligned_at = bytes;
    return HTTP_PROCEED;
}

/* A body without JSON: x, whose shape stands in the query or a header. */
static enum http_next begin_raw(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    v2->is_read = true;
    v2->request.y.place = V2_IN_BODY;
    inference->form = inference->answer_form = CODEC_RAW;
    return inference_refuse_raw_shape(inference);
}

/* The JSON has shape and type. */
static enum http_next begin_json(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    const char *shape;
    if (handlers_read_shape(inference->request, &shape) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (shape)
        return http_problem(
            inference->request, 400,
            "shape: found %.60s in the query or X-Tensor-Shape, expected only that of inputs[0]",
            shape);
    inference->form = inference->answer_form = CODEC_JSON;
    return inference_reader(inference, "inputs")
               ? HTTP_PROCEED
               : http_problem(inference->request, 503, "out of memory");
}

/* What stands behind the JSON is float32 unless that says otherwise. */
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
    return http_problem(request, 400,
                        "X-Tensor-Dtype: found %s, expected only the "
                        "datatype of inputs[0], or float32 values",
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
        refuse_dtype(v2) != HTTP_PROCEED || read_header(v2) != HTTP_PROCEED ||
        v2_refuse_type(request, v2->has_header) != HTTP_PROCEED)
        return HTTP_RESPOND;
    const enum http_next next =
        v2->has_header && v2->header_bytes == 0 ? begin_raw(v2) : begin_json(v2);
    return next == HTTP_PROCEED ? inference_refuse_full_queue(inference) : next;
}

/* ---- x ---- */

static void set_timeout(struct http_request *request, size_t timeout_us)
{
    const struct http_deadline deadline = {clock_now_s() + (double)timeout_us / 1e6,
                                           timeout_us / 1000, "parameters.timeout"};
    if (timeout_us > 0 && deadline.at_s < request->deadline.at_s)
        request->deadline = deadline;
}

static enum http_next refuse_bytes(struct http_request *request, const char *where, size_t found,
                                   size_t expected)
{
    return http_problem(request, 400, "%s: found %zu byte%s, expected %zu", where, found,
                        ppm_plural(found), expected);
}

/* Finds x where it stands, and room for y in shared memory. */
static enum http_next find_places(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    struct http_request *request = inference->request;
    const struct v2_tensor *x = &v2->request.x, *y = &v2->request.y;
    const size_t y_bytes = inference->costs.output_bytes,
                 x_bytes = inference->costs.input_bytes / sizeof(float) *
                           codec_dtype_bytes(v2->request.dtype);
    struct ppm_error error = {0};
    if ((x->place == V2_IN_REGION || y->place == V2_IN_REGION) &&
        v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (x->place != V2_IN_JSON && x->bytes != x_bytes)
        return refuse_bytes(request,
                            x->place == V2_IN_BODY ? "inputs[0], binary_data_size"
                                                   : "inputs[0], shared_memory_byte_size",
                            x->bytes, x_bytes);
    if (y->place == V2_IN_REGION && y->bytes < y_bytes)
        return refuse_bytes(request, "outputs[0], shared_memory_byte_size", y->bytes, y_bytes);
    if (x->place == V2_IN_BODY)
        v2->x_bytes = request->body + v2->header_bytes;
    if (x->place == V2_IN_REGION &&
        shared_memory_hold(x->region, x->offset, x_bytes, &v2->x_view, &error) == PPM_OK)
        v2->x_bytes = v2->x_view.data;
    if (y->place == V2_IN_REGION && error.status == PPM_OK)
        shared_memory_hold(y->region, y->offset, y_bytes, &v2->y_view, &error);
    if (v2->y_view.data && shared_memory_back(&v2->y_view, &error) != PPM_OK)
        metrics_rejected(METRICS_MEMORY);
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    v2->copies_x = v2->x_view.data && (shared_memory_has_holes(&v2->x_view) ||
                                       shared_memory_overlap(&v2->x_view, &v2->y_view));
    if (v2->request.dtype == CODEC_FLOAT32 && !v2->copies_x &&
        (uintptr_t)v2->x_bytes % _Alignof(float) == 0)
        inference->x.data = v2->x_bytes; /* NULL where it stands as numbers */
    if ((uintptr_t)v2->y_view.data % Y_ALIGNMENT_BYTES == 0)
        inference->y_data = v2->y_view.data;
    return HTTP_PROCEED;
}

/* "model_name" is an answer's; in a request it may only repeat the URL's. */
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

/* All that the JSON says but for the numbers of x, of a body that has so many bytes in the end. */
static void parse(struct v2_inference *v2, size_t body_bytes)
{
    struct inference *inference = &v2->inference;
    struct v2_request *said = &v2->request;
    json_t *around = NULL;
    const size_t bytes = json_bytes(v2);
    if (codec_json_around(inference->reader, inference->request->body, bytes, &around,
                          &v2->error) == PPM_OK &&
        check_name(around, inference->expectation.model, &v2->error) == PPM_OK &&
        v2_read_request(around, body_bytes - bytes, said, &v2->error) == PPM_OK &&
        ppm_tensor_from_axes(said->axes, said->axis_count, inference->expectation.layout,
                             &inference->x, &v2->error) == PPM_OK)
        codec_check_channels(&inference->x, &inference->expectation, &v2->error);
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
    inference->answer_form = said->y.place == V2_IN_JSON ? CODEC_JSON : CODEC_RAW;
    set_timeout(inference->request, said->timeout_us);
    const enum http_next next = inference_refuse_shape(inference, &inference->x);
    return next == HTTP_PROCEED ? find_places(v2) : next;
}

/* Numbers are read, and what stands behind the JSON is pooled, while they arrive. */
void v2_infer_arrived(struct http_request *request)
{
    struct v2_inference *v2 = request->state;
    struct inference *inference = &v2->inference;
    const bool is_all_json = !v2->has_header || (request->has_content_length &&
                                                 v2->header_bytes == request->content_length);
    if (!inference->reader) /* x is all of it */
        return;
    if (is_all_json) {
        inference_read_ahead(inference, json_bytes(v2));
        return;
    }
    if (!v2->is_parsed && request->has_content_length && v2->header_bytes <= PARSED_AHEAD_BYTES &&
        request->body_bytes > v2->header_bytes) {
        parse(v2, request->content_length);
        if (v2->error.status == PPM_OK && v2->request.x.place == V2_IN_BODY &&
            v2->request.dtype == CODEC_FLOAT32)
            inference_expect_x(inference, &inference->x, v2->header_bytes);
    }
    inference_pool_arrived(inference);
}

/* x out of its region, in memory of its own, slice by slice: what is still a hole stays one. */
static enum ppm_status copy_x(struct v2_inference *v2, size_t count, struct ppm_error *error)
{
    enum { SLICE = 1 << 13 }; /* elements */
    char bytes[SLICE * sizeof(float)];
    const struct codec_cancel *cancel = &v2->inference.cancel;
    const size_t element_bytes = codec_dtype_bytes(v2->request.dtype);
    float *values = v2->inference.x.data;
    for (size_t at = 0; at < count && error->status == PPM_OK; at += SLICE) {
        const size_t some = count - at < SLICE ? count - at : SLICE;
        if (shared_memory_read(&v2->x_view, at * element_bytes, bytes, some * element_bytes,
                               error) == PPM_OK)
            codec_decode_slices(v2->request.dtype, bytes, some, cancel, values + at, error);
    }
    return error->status;
}

static enum http_next decode(struct inference *inference)
{
    struct v2_inference *v2 = v2_of(inference);
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    if (!v2->is_read && read_json(v2) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (inference->x.data)
        return HTTP_PROCEED;
    if (v2->request.x.place == V2_IN_JSON) {
        codec_json_tensor(v2->inference.reader, request->body, v2->request.axes,
                          v2->request.axis_count, inference->x.layout, &inference->x, &error);
    } else if (!http_reserve(request, inference->costs.input_bytes)) {
        return http_refuse_memory(request);
    } else {
        const struct ppm_shape s = inference->x.shape;
        inference_take_x(inference, &error);
        if (error.status == PPM_OK && v2->copies_x)
            copy_x(v2, s.n * s.c * s.h * s.w, &error);
        else if (error.status == PPM_OK)
            codec_decode_slices(v2->request.dtype, v2->x_bytes, s.n * s.c * s.h * s.w,
                                &inference->cancel, inference->x.data, &error);
    }
    inference->x_memory = inference->x.data;
    http_drop_body(request);
    return error.status == PPM_OK ? HTTP_PROCEED : inference_refuse_json(inference, &error);
}

static enum http_next look(struct inference *inference)
{
    struct v2_inference *v2 = v2_of(inference);
    struct http_request *request = inference->request;
    if (request->body_bytes < v2->header_bytes)
        return http_problem(request, 400,
                            "%s: found %zu, expected at most the %zu bytes of the body",
                            header_name, v2->header_bytes, request->body_bytes);
    if (v2->is_read)
        return inference_refuse_body(inference);
    if (!inference_is_read_at_once(inference, json_bytes(v2)))
        return HTTP_PROCEED;
    const enum http_next next = read_json(v2);
    if (next != HTTP_PROCEED || v2->request.x.place != V2_IN_JSON)
        return next; /* what stands elsewhere than in the JSON may be long */
    return inference_decode(inference);
}

/* ---- y ---- */

/* y behind head_bytes of JSON, in one piece of memory. */
static void respond_binary(struct v2_inference *v2, const char *head, size_t head_bytes,
                           const struct ppm_tensor *y, char *memory)
{
    struct http_request *request = v2->inference.request;
    char *body = (char *)y->data - head_bytes;
    memcpy(body, head, head_bytes);
    http_add_header(request, header_name, "%zu", head_bytes);
    http_respond_within(request, 200, "application/octet-stream", memory, body,
                        head_bytes + v2->inference.costs.output_bytes);
}

/* y as numbers behind the head, or in its region, of which there is nothing more to say. */
static void respond_json(struct v2_inference *v2, const char *head, size_t head_bytes,
                         const struct ppm_tensor *y, int threads)
{
    static const char numbers_end[] = V2_NUMBERS_END;
    struct http_request *request = v2->inference.request;
    const bool has_numbers = v2->request.y.place == V2_IN_JSON;
    const size_t count = v2->inference.costs.output_bytes / sizeof(float);
    const size_t bytes_max = head_bytes + sizeof numbers_end +
                             (has_numbers ? codec_encoded_bytes_max(CODEC_JSON, count) : 0);
    char *text = buffer_take(bytes_max);
    if (!text) {
        http_problem(request, 503, "no memory for an answer of %zu numbers", count);
        return;
    }
    char *end = (char *)memcpy(text, head, head_bytes) + head_bytes;
    if (has_numbers) {
        struct ppm_error error = {0};
        if (codec_json_write_elements(y, threads, &v2->inference.cancel, end, &end, &error) !=
            PPM_OK) {
            buffer_give(text);
            http_problem_of(request, &error);
            return;
        }
        memcpy(end, numbers_end, sizeof numbers_end - 1);
        end += sizeof numbers_end - 1;
    }
    http_respond_within(request, 200, "application/json", text, text, (size_t)(end - text));
    v2->inference.answer_bytes = bytes_max;
}

static void respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct v2_inference *v2 = v2_of(inference);
    const size_t y_bytes = inference->costs.output_bytes;
    char head[V2_HEAD_BYTES_MAX];
    size_t head_bytes = 0;
    struct ppm_error error = {0};
    if (v2->y_view.data && y->data != v2->y_view.data)
        memcpy(v2->y_view.data, y->data, y_bytes);
    if ((!v2->x_view.data || shared_memory_is_intact(&v2->x_view, &error)) &&
        (!v2->y_view.data || shared_memory_is_intact(&v2->y_view, &error)))
        v2_write_head(&v2->request, inference->info.name, y, y_bytes, head, &head_bytes, &error);
    const bool is_binary = error.status == PPM_OK && v2->request.y.place == V2_IN_BODY;
    if (error.status != PPM_OK)
        http_problem_of(inference->request, &error);
    else if (is_binary)
        respond_binary(v2, head, head_bytes, y, memory);
    else
        respond_json(v2, head, head_bytes, y, threads);
    if (!is_binary)
        buffer_give(memory);
    if (http_compress(inference->request))
        inference->answer_bytes = 0;
}

static const struct inference_protocol v2_protocol = {
    .look = look, .decode = decode, .respond = respond, .compresses_bytes = true};

void v2_infer_release(struct http_request *request)
{
    struct v2_inference *v2 = request->state;
    if (v2) {
        shared_memory_release(&v2->x_view);
        shared_memory_release(&v2->y_view);
    }
    inference_release(request);
}
