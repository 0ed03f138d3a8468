/* v1_predict.c - see v1_predict.h. */
#include "server/handlers/v1/v1_predict.h"
#include "server/base/buffers.h"
#include "server/codec/json/json.h"
#include "server/codec/negotiate.h"
#include "server/codec/v1/v1.h"
#include "server/handlers/inference/decode.h"
#include "server/handlers/inference/image_within.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/tensor_fields.h"
#include "server/handlers/v2/v2_order.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* ---- the body ---- */

/* The members next to the instances. */
static enum ppm_status check_members(struct inference *inference, struct ppm_error *error)
{
    const struct http_request *request = inference->request;
    json_t *around = NULL;
    if (codec_json_around(inference->reader, request->body, request->body_bytes, &around, error) ==
        PPM_OK)
        v1_check_members(around, codec_json_data_count(inference->reader), error);
    json_decref(around);
    return error->status;
}

/* The batch that the instances are. */
static enum ppm_status read_batch(struct inference *inference, struct ppm_error *error)
{
    struct ppm_tensor *x = &inference->inputs[0];
    const enum ppm_layout layout = inference->expectation.layout;
    const size_t depth = codec_json_depth(inference->reader, 0);
    if (depth != 0 && depth != 4)
        return ppm_fail(error, PPM_MALFORMED,
                        "instances: found arrays nested %zu deep, expected 4: a list of tensors of "
                        "3 axes, %s",
                        depth, layout == PPM_NCHW ? "C, H and W" : "H, W and C");
    if (codec_json_tensor(inference->reader, 0, inference->request->body, NULL, 0, layout, x,
                          error) != PPM_OK)
        return error->status;
    inference->decoded[0] = (struct inference_memory){x->data, free};
    return codec_check_channels(x, &inference->expectation, error);
}

/* All but the pixels of an image. */
static enum http_next read_body(struct inference *inference)
{
    struct ppm_error error = {0};
    if (check_members(inference, &error) != PPM_OK)
        return inference_refuse_json(inference, &error);
    const struct codec_json_text text = codec_json_text(inference->reader, 0);
    if (text.bytes > 0)
        return image_within_text(inference, V1_INSTANCES, text);
    if (read_batch(inference, &error) != PPM_OK)
        return inference_refuse_json(inference, &error);
    http_drop_body(inference->request);
    return HTTP_PROCEED;
}

static enum http_next decode(struct inference *inference)
{
    if (!inference->image && read_body(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference->image ? image_within_decode(inference) : HTTP_PROCEED;
}

static enum http_next look(struct inference *inference)
{
    const double begun_ms = http_elapsed_ms(inference->request);
    if (!inference_is_read_at_once(inference, inference->request->body_bytes))
        return HTTP_PROCEED;
    const enum http_next next = read_body(inference);
    inference->record.decode_ms += http_elapsed_ms(inference->request) - begun_ms;
    return next != HTTP_PROCEED || inference->image ? next : inference_decode(inference);
}

/* ---- the answer ---- */

static void respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct http_request *request = inference->request;
    const struct codec_answer answer = {
        .tensor = y, .threads = threads, .cancel = &inference->cancel};
    const size_t count = inference->costs.output_bytes / sizeof(float);
    const size_t bytes_max = codec_encoded_bytes_max(&codec_v1, count);
    struct ppm_error error = {0};
    size_t bytes = 0;
    char *text = buffer_take(bytes_max);
    if (!text)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu numbers", count);
    else
        codec_v1.encode(&answer, text, &bytes, &error);
    buffer_give(memory);
    if (error.status != PPM_OK) {
        buffer_give(text);
        http_problem_of(request, &error);
        return;
    }
    http_respond_within(request, 200, codec_v1.media_type, text, text, bytes);
    inference->answer_bytes = http_compress(request) ? 0 : bytes_max;
}

static const struct inference_protocol v1_protocol = {
    .look = look, .decode = decode, .respond = respond};

/* ---- the request ---- */

/* curl -d names the type of forms, and those who know TensorFlow Serving send just that. */
static enum http_next refuse_type(struct http_request *request)
{
    const char *type = http_header(request, "Content-Type");
    if (!type || !*type || codec_form_of_type(type) == &codec_json ||
        codec_is_type(type, "application/x-www-form-urlencoded"))
        return HTTP_PROCEED;
    return http_problem(request, 415, "Content-Type: found %.60s, expected %s", type,
                        codec_json.media_type);
}

static enum http_next refuse_inputs(const struct inference *inference)
{
    const struct ppm_model_info *info = &inference->info;
    if (info->input_count == 1)
        return HTTP_PROCEED;
    return http_problem(inference->request, 400,
                        "model \"%s\" takes %zu inputs and an instance holds one, expected a "
                        "request for /v2/models/{model}/infer",
                        info->name, info->input_count);
}

static enum http_next begin_reader(struct inference *inference)
{
    const struct codec_reader_options options = {.key = V1_INSTANCES, .takes_text = true};
    return inference_reader_of(inference, &options)
               ? HTTP_PROCEED
               : http_problem(inference->request, 503, "out of memory");
}

enum http_next v1_predict_begin(struct http_request *request)
{
    struct inference *inference = inference_begin(request, &v1_protocol, sizeof(struct inference));
    if (!inference)
        return HTTP_RESPOND;
    inference->form = &codec_json;
    inference->answer_form = &codec_v1;
    if (v2_refuse_version(request) != HTTP_PROCEED || refuse_type(request) != HTTP_PROCEED ||
        refuse_inputs(inference) != HTTP_PROCEED ||
        handlers_read_layout(request, inference->info.layout, &inference->expectation.layout,
                             &inference->expectation.layout_is_explicit) != HTTP_PROCEED ||
        handlers_read_size(request, &inference->sizes.output_h, &inference->sizes.output_w) !=
            HTTP_PROCEED ||
        inference_read_priority(inference) != HTTP_PROCEED ||
        begin_reader(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference_refuse_full_queue(inference);
}

enum http_next v1_predict_arrived(struct http_request *request)
{
    struct inference *inference = request->state;
    const double begun_ms = http_elapsed_ms(request);
    inference_read_ahead(inference, request->body_bytes);
    inference->record.decode_ms += http_elapsed_ms(request) - begun_ms;
    return HTTP_PROCEED;
}
