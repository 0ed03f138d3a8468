/* image_answer.c - see image_answer.h. */
#include "server/handlers/inference/image_answer.h"
#include "server/base/buffers.h"
#include "server/codec/json/json.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/handlers/inference/tensor_body.h"

/* Whether the answer is JSON of classes, instead of one of a tensor. */
static bool shows_classes(const struct inference *inference)
{
    return inference->answer_form == &codec_json && inference->info.classes > 0;
}

size_t image_answer_bytes(const struct inference *inference)
{
    const struct inference_image *image = inference->image;
    const struct codec_form *form = inference->answer_form;
    const struct ppm_shape y = image->costs.output;
    if (inference->stages)
        return 0; /* stages_add_needs */
    if (image->overlay) {
        const size_t encoded = image_encoded_bytes_max(image->overlay, y.w, y.h);
        return encoded > 0 ? size_plus(encoded, image_encode_working_bytes(image->overlay, y.w))
                           : SIZE_MAX;
    }
    if (shows_classes(inference))
        return size_plus(codec_classes_table_bytes(&inference->info),
                         codec_classes_text_bytes(&inference->info, y.h, y.w, image->labels));
    if (form->head)
        return 0;
    return size_plus(codec_encoded_bytes_max(form, image->costs.output_bytes / sizeof(float)),
                     form->working_bytes);
}

/* ---- the image with labels over it ---- */

static void respond_overlay(struct inference *inference, const struct ppm_tensor *y)
{
    struct http_request *request = inference->request;
    struct inference_image *image = inference->image;
    const struct codec_palette palette = {inference->info.palette, inference->info.palette_count};
    const size_t bytes_max =
        image_encoded_bytes_max(image->overlay, image->pixels.width, image->pixels.height);
    struct ppm_error error = {0};
    size_t bytes = 0;
    char *memory = buffer_take(bytes_max);
    if (!memory)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    else if (image_overlay(&image->pixels, y->data, &palette, image->opacity, &inference->cancel,
                           &error) == PPM_OK)
        image_encode(image->overlay, &image->pixels, &inference->cancel, memory, &bytes, &error);
    if (error.status != PPM_OK) {
        buffer_give(memory);
        http_problem_of(request, &error);
        return;
    }
    http_respond_within(request, 200, image_format_media_type(image->overlay), memory, memory,
                        bytes);
    inference->answer_bytes = bytes_max;
}

/* ---- classes ---- */

/* NULL: the request has its answer. */
static struct codec_classes *find_classes(struct inference *inference, const struct ppm_tensor *y)
{
    struct http_request *request = inference->request;
    const enum codec_labels shows = inference->image->labels;
    struct ppm_error error = {0};
    struct codec_classes *classes =
        codec_classes_find(y, &inference->info, shows, &inference->cancel, &error);
    if (!classes) {
        http_problem_of(request, &error);
        return NULL;
    }
    const size_t taken_bytes =
        codec_classes_text_bytes(&inference->info, y->shape.h, y->shape.w, shows);
    if (http_reserve(request, codec_classes_bytes(classes) - taken_bytes))
        return classes;
    codec_classes_free(classes);
    http_refuse_memory(request);
    return NULL;
}

static void respond_classes(struct inference *inference, const struct ppm_tensor *y)
{
    struct http_request *request = inference->request;
    struct codec_classes *classes = find_classes(inference, y);
    if (!classes)
        return;
    const size_t bytes_max = codec_classes_bytes(classes);
    struct ppm_error error = {0};
    size_t bytes = 0;
    char *memory = buffer_take(bytes_max);
    if (!memory)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    else
        codec_classes_write(classes, memory, &bytes, &error);
    codec_classes_free(classes);
    if (error.status != PPM_OK) {
        buffer_give(memory);
        http_problem_of(request, &error);
        return;
    }
    http_respond_within(request, 200, codec_json.media_type, memory, memory, bytes);
    inference->answer_bytes = http_compress(request) ? 0 : bytes_max;
}

void image_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    const struct image_head *head = &inference->image->head;
    http_add_header(inference->request, "X-Image-Size", "%zu,%zu", head->height, head->width);
    if (!inference->stages && (inference->image->overlay || shows_classes(inference))) {
        if (inference->image->overlay)
            respond_overlay(inference, y);
        else
            respond_classes(inference, y);
        buffer_give(memory);
        return;
    }
    tensor_respond(inference, y, memory, threads);
}
