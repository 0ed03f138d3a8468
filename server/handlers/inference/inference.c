/* inference.c - see inference.h. */
#include "server/handlers/inference/inference.h"
#include "server/base/buffers.h"
#include "server/handlers/inference/abandon.h"
#include "server/handlers/inference/arrival.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/respond.h"
#include "server/observe/metrics.h"

#include <stdlib.h>

enum http_next inference_choose_model(struct inference *inference, const char *name)
{
    struct codec_expectation *expectation = &inference->expectation;
    inference->model = registry_find(inference->registry, name);
    if (!inference->model) {
        inference->record.model = NULL;
        return handlers_no_such_model(inference->request, inference->registry, name);
    }
    ppm_model_info(inference->model, &inference->info);
    inference->record.model = inference->info.name;
    expectation->channels = inference->info.inputs[0].channels;
    expectation->model = inference->info.name;
    if (!expectation->layout_is_explicit)
        expectation->layout = inference->info.layout;
    return HTTP_PROCEED;
}

struct inference *inference_begin(struct http_request *request,
                                  const struct inference_protocol *protocol, size_t bytes)
{
    struct app *app = request->context;
    struct inference *inference = calloc(1, bytes);
    if (!inference) {
        http_problem(request, 503, "out of memory");
        return NULL;
    }
    request->state = inference;
    request->record = &inference->record;
    inference->protocol = protocol;
    inference->head_bytes_max = CODEC_HEAD_BYTES_MAX;
    inference->request = request;
    inference->app = app;
    inference->deadline = request->deadline;
    inference->cancel = (struct codec_cancel){inference_is_abandoned, inference};
    inference->expectation.cancel = &inference->cancel;
    request->is_unwanted = inference_is_abandoned;
    inference->registry = served_hold(&app->served);
    if (inference_choose_model(inference, request->arguments[0]) != HTTP_PROCEED)
        return NULL;
    if (atomic_load(&app->is_refusing)) {
        metrics_rejected(METRICS_DRAINING);
        http_problem(request, 503, "the server is stopping; try another one");
        return NULL;
    }
    return inference;
}

void inference_take_input(struct inference *inference, size_t index, struct ppm_error *error)
{
    struct ppm_tensor *input = &inference->inputs[index];
    const struct ppm_shape s = input->shape;
    const size_t bytes = s.n * s.c * s.h * s.w * sizeof(float);
    input->data = buffer_take(bytes);
    inference->decoded[index] = (struct inference_memory){input->data, buffer_give};
    if (!input->data)
        ppm_fail(error, PPM_NO_MEMORY, "no memory for a tensor of %zu bytes", bytes);
}

bool inference_has_inputs(const struct inference *inference)
{
    size_t i = 0;
    while (i < inference->info.input_count && inference->inputs[i].data)
        i++;
    return i == inference->info.input_count;
}

void inference_free_inputs(struct inference *inference)
{
    for (size_t i = 0; i < PPM_INPUTS_MAX; i++) {
        struct inference_memory *decoded = &inference->decoded[i];
        if (decoded->at)
            decoded->free(decoded->at);
        decoded->at = NULL;
    }
}

void inference_release(struct http_request *request)
{
    struct inference *inference = request->state;
    if (!inference)
        return;
    inference_free_inputs(inference);
    inference_forget_arrival(inference);
    inference_free_reader(inference);
    if (inference->image)
        free(inference->image->file.memory);
    free(inference->image);
    free(inference->stages);
    registry_release(inference->registry);
    free(inference);
}
