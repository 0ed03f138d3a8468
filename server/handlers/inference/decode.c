/* decode.c - see decode.h. */
#include "server/handlers/inference/decode.h"
#include "server/handlers/inference/abandon.h"
#include "server/handlers/inference/shape_check.h"

/* Inflates the body and finds the inputs in it. */
static enum http_next inflate(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct ppm_error error = {0};
    switch (http_inflate_body(request, inference_is_abandoned, inference, &error)) {
    case PPM_OK:
        return inference->protocol->look(inference);
    case PPM_CANCELLED:
        inference_give_up(inference, METRICS_COMPUTE);
        return HTTP_RESPOND;
    default:
        return http_refuse_inflation(request, &error);
    }
}

enum http_next inference_decode(struct inference *inference)
{
    struct http_request *request = inference->request;
    const double decoded_ms = inference->record.decode_ms;
    const double begun_ms = http_elapsed_ms(request);
    enum http_next next = request->is_compressed ? inflate(inference) : HTTP_PROCEED;
    if (next == HTTP_PROCEED && !inference_has_inputs(inference))
        next = inference->protocol->decode(inference);
    inference->record.decode_ms = decoded_ms + http_elapsed_ms(request) - begun_ms;
    if (next != HTTP_PROCEED)
        return next;
    return inference->costs.one_thread_us == 0
               ? inference_refuse_shape(inference, inference->inputs)
               : HTTP_PROCEED;
}
