/* image_body.c - see image_body.h. */
#include "server/handlers/inference/image_body.h"
#include "server/base/buffers.h"
#include "server/base/memory.h"
#include "server/handlers/inference/image_answer.h"
#include "server/handlers/inference/image_head.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/observe/metrics.h"

/* ---- limits ---- */

static struct image_limits limits_of(const struct inference *inference)
{
    return (struct image_limits){.pixels_max = inference->app->settings.image_pixels_max};
}

static enum http_next refuse(struct inference *inference, const struct ppm_error *error)
{
    if (error->status == PPM_TOO_LARGE)
        metrics_rejected(METRICS_TOO_LARGE);
    return http_problem_of(inference->request, error);
}

static size_t pixel_bytes(const struct image_head *head)
{
    return head->width * head->height * IMAGE_CHANNELS; /* at most image_pixels_max pixels */
}

/* What a run of the image takes, as for a tensor. */
static struct ppm_costs costs_of(const struct ppm_image_costs *image)
{
    struct ppm_costs costs = image->run;
    costs.output = image->output;
    costs.output_bytes = image->output_bytes;
    costs.working_bytes = image->working_bytes;
    costs.one_thread_us = image->one_thread_us;
    costs.flops_literal *= image->runs;
    costs.flops_folded *= image->runs;
    return costs;
}

/* Adds all that computing and answering take to needed_bytes. False: more than can be, or what
 * *error says. */
static bool add_needs(struct inference *inference, size_t answer_bytes, struct ppm_error *error)
{
    const struct inference_image *image = inference->image;
    size_t *needed_bytes = &inference->needed_bytes, all;
    *needed_bytes = size_plus(image->costs.working_bytes, answer_bytes);
    if (inference->stages &&
        !stages_add_needs(inference, &image->costs.sizes, image->costs.output_bytes, error))
        return false;
    *needed_bytes = size_plus(*needed_bytes, inference->head_bytes_max);
    all = size_plus(*needed_bytes, size_plus(pixel_bytes(&image->head), image->head.working_bytes));
    return all <= memory_max();
}

/* Tiles have results each, which are not those of the image. */
static enum http_next refuse_stages(struct inference *inference)
{
    if (!inference->stages || inference->image->costs.runs == 1)
        return HTTP_PROCEED;
    return http_problem(inference->request, 422,
                        "stages: model \"%s\" computes this image of %zu x %zu in %zu tiles, "
                        "expected one of at most a tile",
                        inference->info.name, inference->image->head.width,
                        inference->image->head.height, inference->image->costs.runs);
}

enum http_next image_look_at(struct inference *inference, const char *file, size_t bytes,
                             size_t (*answer_bytes)(const struct inference *inference))
{
    struct inference_image *image = inference->image;
    const struct image_limits limits = limits_of(inference);
    struct ppm_error error = {0};
    if (image_look(file, bytes, &limits, &image->head, &error) != PPM_OK ||
        ppm_image_costs(inference->model, image->head.width, image->head.height, image->wanted_h,
                        image->wanted_w, (int)inference->app->threads, &image->costs,
                        &error) != PPM_OK)
        return refuse(inference, &error);
    inference->record.image_width = image->head.width;
    inference->record.image_height = image->head.height;
    if (refuse_stages(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    inference->sizes = image->costs.sizes;
    inference->costs = costs_of(&image->costs);
    inference->inputs[0].layout = inference->info.layout;
    const bool fits = add_needs(inference, answer_bytes(inference), &error);
    if (error.status != PPM_OK)
        return refuse(inference, &error);
    if (fits)
        return HTTP_PROCEED;
    metrics_rejected(METRICS_TOO_LARGE);
    return http_problem(inference->request, 413,
                        "an image of %zu x %zu takes %zu MiB to compute and answer and %zu MiB to "
                        "decode, expected at most %zu MiB in all (memory_max_bytes)",
                        image->head.width, image->head.height, inference->needed_bytes >> 20,
                        (pixel_bytes(&image->head) + image->head.working_bytes) >> 20,
                        memory_max() >> 20);
}

/* ---- pixels ---- */

double image_decode_us(const struct inference *inference)
{
    static const double pixel_us = 0.015; /* a JPEG; a PNG takes about as long */
    const struct inference_image *image = inference->image;
    return image ? pixel_us * (double)(image->head.width * image->head.height) : 0;
}

enum http_next image_decode_at(struct inference *inference, const char *file, size_t bytes)
{
    struct http_request *request = inference->request;
    struct inference_image *image = inference->image;
    const struct image_head *head = &image->head;
    const size_t bytes_of_pixels = pixel_bytes(head);
    const double begun_ms = http_elapsed_ms(request);
    struct ppm_error error = {0};
    if (!http_reserve(request, bytes_of_pixels + head->working_bytes))
        return http_refuse_memory(request);
    image->pixels = (struct ppm_image){buffer_take(bytes_of_pixels), .width = head->width,
                                       .height = head->height};
    inference->decoded[0] = (struct inference_memory){image->pixels.pixels, buffer_give};
    if (!image->pixels.pixels)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an image of %zu bytes", bytes_of_pixels);
    else
        image_decode(file, bytes, head, &inference->cancel, &image->pixels, &error);
    http_keep(request, request->reserved_bytes - head->working_bytes);
    inference->record.image_decode_ms += http_elapsed_ms(request) - begun_ms;
    return error.status == PPM_OK ? HTTP_PROCEED : http_problem_of(request, &error);
}

/* ---- the body is the image ---- */

static enum http_next refuse_type(struct inference *inference)
{
    const char *type = http_header(inference->request, "Content-Type");
    const struct image_format *found = inference->image->head.format;
    const struct image_format *told = image_format_of_type(type);
    if (!told || told == found)
        return HTTP_PROCEED;
    return http_problem(inference->request, 400,
                        "Content-Type: found %.60s, but the body is a %s, expected %s", type,
                        image_format_name(found), image_format_media_type(found));
}

static enum http_next look(struct inference *inference)
{
    const struct http_request *request = inference->request;
    const double begun_ms = http_elapsed_ms(request);
    enum http_next next =
        image_look_at(inference, request->body, request->body_bytes, image_answer_bytes);
    if (next == HTTP_PROCEED)
        next = refuse_type(inference);
    inference->record.decode_ms += http_elapsed_ms(request) - begun_ms;
    return next;
}

static enum http_next decode(struct inference *inference)
{
    struct http_request *request = inference->request;
    const enum http_next next = image_decode_at(inference, request->body, request->body_bytes);
    http_drop_body(request);
    return next;
}

static const struct inference_protocol image_protocol = {
    .look = look, .decode = decode, .respond = image_respond};

enum http_next image_begin(struct inference *inference)
{
    inference->protocol = &image_protocol;
    return image_read_head(inference);
}

/* Looks whenever twice as much has come, as a head may be long. */
enum http_next image_arrived(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct inference_image *image = inference->image;
    const struct image_limits limits = limits_of(inference);
    struct ppm_error error = {0};
    if (request->body_bytes / 2 < image->looked_bytes)
        return HTTP_PROCEED;
    image->looked_bytes = request->body_bytes;
    return image_look_ahead(request->body, request->body_bytes, &limits, &error) == PPM_OK
               ? HTTP_PROCEED
               : refuse(inference, &error);
}
