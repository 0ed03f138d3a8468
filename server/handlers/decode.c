/* decode.c - body -> x: JSON as it arrives, other forms once they are there. */
#include "server/buffers.h"
#include "server/handlers/inference.h"

/* codec_json_options.reserve, for an inference. */
static bool reserve_numbers(void *context, size_t bytes)
{
    struct inference *inference = context;
    inference->lacks_budget = !http_reserve(inference->request, bytes);
    return !inference->lacks_budget;
}

void inference_read_on(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct codec_json_options options = {
        .body_bytes_max = request->has_content_length ? request->content_length
                                                      : inference->service->settings.body_max_bytes,
        .is_length_known = request->has_content_length,
        .reserve = reserve_numbers,
        .context = inference};
    if (inference->form != CODEC_JSON)
        return;
    if (!inference->reader)
        inference->reader = codec_json_create(&options);
    if (inference->reader)
        codec_json_feed(inference->reader, request->body, request->body_bytes);
}

size_t inference_unread_bytes(const struct inference *inference)
{
    const size_t body_bytes = inference->request->body_bytes;
    return inference->reader ? codec_json_left(inference->reader, body_bytes) : body_bytes;
}

/* True: refused. */
static bool read_json(struct inference *inference, struct ppm_error *error)
{
    struct http_request *request = inference->request;
    if (!inference->reader)
        inference_read_on(inference);
    if (!inference->reader)
        return http_problem(request, 503, "no memory to read JSON");
    codec_json_finish(inference->reader, request->body, request->body_bytes,
                      &inference->expectation, &inference->x, error);
    codec_json_free(inference->reader);
    inference->reader = NULL;
    return error->status == PPM_NO_MEMORY && inference->lacks_budget && http_refuse_memory(request);
}

/* True: refused. */
static bool read_other(struct inference *inference, struct ppm_error *error)
{
    struct http_request *request = inference->request;
    /* An element has 4 bytes once it is decoded, and at least 2 in any body. */
    if (!http_reserve(request, 2 * request->body_bytes))
        return http_refuse_memory(request);
    codec_decode(inference->form, request->body, request->body_bytes, &inference->expectation,
                 &inference->x, error);
    return false;
}

bool inference_decode(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    const double begun_ms = http_elapsed_ms(request);
    if (inference->x.data)
        return false;
    const bool is_refused = inference->form == CODEC_JSON ? read_json(inference, &error)
                                                          : read_other(inference, &error);
    request->decode_ms += http_elapsed_ms(request) - begun_ms;
    if (is_refused)
        return true;
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    inference->x_memory = inference->x.data;
    buffer_give(request->body);
    request->body = NULL;
    return inference->costs.one_thread_us == 0 &&
           inference_refuse_shape(inference, inference->x.shape);
}
