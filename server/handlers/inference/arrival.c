/* arrival.c - see arrival.h. */
#include "server/handlers/inference/arrival.h"
#include "server/base/buffers.h"
#include "server/handlers/inference/shape_check.h"

enum {
    SLICE_BYTES = 1 << 18,     /* pooled at a time, plus a plane */
    BACKED_SHARE = 8,          /* memory is taken when 1/8 as many bytes of x have come */
    PLANE_BYTES_MAX = 1 << 20, /* a larger plane has left the cache, and takes long */
    POOLING_SHARE = 2,         /* x must be at least this many times larger */
};

/* Whether pooling x ahead saves more than it costs. */
static bool pays(const struct inference *inference, const struct ppm_tensor *x,
                 const struct ppm_costs *costs)
{
    const size_t bytes_min = inference->app->settings.pool_on_arrival_bytes;
    return bytes_min > 0 && costs->input_bytes >= bytes_min && x->layout == PPM_NCHW &&
           costs->input_bytes / (x->shape.n * x->shape.c) <= PLANE_BYTES_MAX &&
           costs->pooling_bytes > 0 && costs->pooling_bytes <= costs->input_bytes / POOLING_SHARE;
}

/* Whether x at this offset fits the announced length of the body. */
static bool is_plausible(const struct inference *inference, size_t offset, size_t x_bytes)
{
    const struct http_request *request = inference->request;
    const size_t bytes_max = inference->app->settings.http.body_max_bytes;
    if (request->has_content_length)
        return request->content_length - offset == x_bytes;
    return x_bytes <= bytes_max;
}

void inference_expect_x(struct inference *inference, const struct ppm_tensor *x, size_t offset)
{
    struct arrival *arrival = &inference->arrival;
    struct ppm_error ignored = {0};
    struct ppm_costs costs;
    const struct ppm_sizes sizes = inference_sizes(inference, x);
    arrival->is_settled = true;
    if (!inference->info.pools_input ||
        ppm_model_costs(inference->model, &sizes, x->layout, (int)inference->app->threads, &costs,
                        &ignored) != PPM_OK ||
        !pays(inference, x, &costs) || !is_plausible(inference, offset, costs.input_bytes))
        return;
    arrival->expected = x->shape;
    arrival->expected_bytes = costs.pooling_bytes;
    arrival->plane_bytes = costs.input_bytes / (x->shape.n * x->shape.c);
    arrival->offset = offset;
}

/* If anything fails, the run pools x later. */
static void begin_pooling(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct arrival *arrival = &inference->arrival;
    struct ppm_error ignored = {0};
    const size_t bytes = arrival->expected_bytes;
    arrival->expected_bytes = 0;
    if (!http_reserve(request, bytes))
        return;
    arrival->memory = buffer_take(bytes);
    if (arrival->memory)
        arrival->pooling =
            ppm_pooling_create(inference->model, arrival->expected, arrival->memory, &ignored);
    if (!arrival->pooling)
        http_keep(request, request->reserved_bytes - bytes);
}

void inference_pool_arrived(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct arrival *arrival = &inference->arrival;
    if (request->body_bytes < arrival->offset)
        return;
    const size_t arrived_bytes = request->body_bytes - arrival->offset;
    if (arrival->expected_bytes > 0 && arrived_bytes >= arrival->expected_bytes / BACKED_SHARE)
        begin_pooling(inference);
    if (!arrival->pooling)
        return;
    const size_t next_bytes = arrival->fed_bytes + arrival->plane_bytes + SLICE_BYTES;
    arrival->fed_bytes = size_min(arrived_bytes, next_bytes);
    const float *x = (const float *)(const void *)(request->body + arrival->offset);
    ppm_pooling_feed(arrival->pooling, x, arrival->fed_bytes / sizeof *x);
}

void inference_forget_arrival(struct inference *inference)
{
    ppm_pooling_free(inference->arrival.pooling);
    buffer_give(inference->arrival.memory);
    inference->arrival.pooling = NULL;
    inference->arrival.memory = NULL;
}
