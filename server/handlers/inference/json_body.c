/* json_body.c - see json_body.h. */
#include "server/handlers/inference/json_body.h"

/* The time to decode a byte. */
static const double json_byte_us = 0.002;

enum { READ_AHEAD_BYTES = 1 << 16 }; /* of JSON at a time */

/* codec_reader_options.reserve. */
static bool reserve_numbers(void *context, size_t bytes)
{
    struct inference *inference = context;
    inference->lacks_budget = !http_reserve(inference->request, bytes);
    return !inference->lacks_budget;
}

struct codec_reader *inference_reader_of(struct inference *inference,
                                         const struct codec_reader_options *options)
{
    const struct http_request *request = inference->request;
    struct codec_reader_options all = *options;
    all.data_max = options->list ? inference->info.input_count : 1;
    all.body_bytes_max = request->has_content_length ? request->content_length
                                                     : inference->app->settings.http.body_max_bytes;
    all.reserve = reserve_numbers;
    all.context = inference;
    all.cancel = &inference->cancel;
    if (!inference->reader)
        inference->reader = inference->form->stream->create(&all);
    return inference->reader;
}

struct codec_reader *inference_reader(struct inference *inference, const char *list)
{
    return inference_reader_of(inference, &(struct codec_reader_options){.list = list});
}

void inference_free_reader(struct inference *inference)
{
    if (inference->reader)
        inference->form->stream->free(inference->reader);
    inference->reader = NULL;
}

void inference_read_ahead(struct inference *inference, size_t bytes)
{
    const struct codec_stream *stream = inference->form->stream;
    const size_t left = stream->left(inference->reader, bytes);
    const size_t later = left > READ_AHEAD_BYTES ? left - READ_AHEAD_BYTES : 0;
    stream->feed(inference->reader, inference->request->body, bytes - later);
}

bool inference_is_read_at_once(const struct inference *inference, size_t bytes)
{
    const struct codec_stream *stream = inference->form->stream;
    const size_t left = inference->reader ? stream->left(inference->reader, bytes) : bytes;
    return executor_is_quick(json_byte_us * (double)left);
}

enum http_next inference_refuse_json(struct inference *inference, const struct ppm_error *error)
{
    if (error->status == PPM_NO_MEMORY && inference->lacks_budget)
        return http_refuse_memory(inference->request);
    return http_problem_of(inference->request, error);
}
