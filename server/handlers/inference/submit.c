/* submit.c - see submit.h. */
#include "server/handlers/inference/submit.h"
#include "server/handlers/inference/compute.h"
#include "server/handlers/inference/image_body.h"
#include "server/observe/metrics.h"

#include <string.h>

/* The time to compress a number of JSON. */
static const double deflated_number_us = 0.08;

/* Whether computing and answering on this thread takes less time than waking another one. */
static bool is_quick(const struct inference *inference)
{
    const struct ppm_costs *costs = &inference->costs;
    const struct codec_form *form = inference->answer_form;
    double us = costs->one_thread_us + costs->weights_us;
    if (!form || inference->image)
        return false; /* it is or may become an image, which takes longer to decode */
    if (inference->request->is_compressed)
        return false; /* inflating takes longer */
    if (inference->stages)
        return false; /* the literal graph is slow */
    const double numbers = (double)costs->output_bytes / sizeof(float);
    us += form->begin_us + form->element_us * numbers;
    const bool may_compress = form->is_text || inference->protocol->compresses_bytes;
    if (executor_is_quick(us) && may_compress &&
        http_will_compress(inference->request, costs->output_bytes))
        us += deflated_number_us * numbers;
    return us > 0 && executor_is_quick(us);
}

static bool pays_in_batches(const struct ppm_costs *costs)
{
    return executor_pays_in_batches(costs->one_thread_us, costs->weights_us,
                                    2.0 * (double)(costs->input_bytes + costs->output_bytes));
}

enum http_next inference_read_priority(struct inference *inference)
{
    static const struct {
        const char *name;
        enum executor_priority priority;
    } known[] = {{"high", EXECUTOR_HIGH}, {"normal", EXECUTOR_NORMAL}, {"low", EXECUTOR_LOW}};
    const char *text = http_query(inference->request, "priority");
    if (!text)
        return HTTP_PROCEED;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            inference->job.priority = known[i].priority;
            return HTTP_PROCEED;
        }
    return http_problem(inference->request, 400,
                        "priority: found \"%.40s\", expected high, normal or low", text);
}

static enum http_next refuse_place(struct inference *inference)
{
    metrics_rejected(METRICS_QUEUE_FULL);
    return http_problem(inference->request, 503,
                        "the queue is full: %zu waiting (queue_max); try again",
                        inference->app->settings.queue_max);
}

enum http_next inference_refuse_full_queue(struct inference *inference)
{
    const bool has_place = is_quick(inference) || !executor_is_full(inference->app->executor);
    return has_place ? HTTP_PROCEED : refuse_place(inference);
}

static enum http_next submit(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct app *app = inference->app;
    inference->queued_ms = http_elapsed_ms(request);
    if (is_quick(inference)) {
        inference->deadline = request->deadline;
        inference_run(inference);
        return HTTP_RESPOND;
    }
    if (inference_refuse_full_queue(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    inference->job.kind = &inference_kind;
    inference->is_queued = true;
    inference->deadline =
        http_deadline_in(request, app->settings.queue_timeout_ms, "queue_timeout_ms");
    inference->job.may_batch = inference->inputs[0].shape.n > 0 && !inference->stages &&
                               pays_in_batches(&inference->costs);
    inference->job.alone_s = 1e-6 * (inference->costs.one_thread_us + inference->costs.weights_us +
                                     image_decode_us(inference));
    http_answer_later(request);
    if (!executor_offer(app->executor, &inference->job)) { /* others took the last places */
        refuse_place(inference);
        http_answer(request);
    }
    return HTTP_LATER;
}

enum http_next inference_finish(struct http_request *request)
{
    struct inference *inference = request->state;
    const enum http_next next =
        request->is_compressed ? HTTP_PROCEED : inference->protocol->look(inference);
    return next == HTTP_PROCEED ? submit(inference) : next;
}
