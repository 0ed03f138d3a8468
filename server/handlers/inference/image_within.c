/* image_within.c - see image_within.h. */
#include "server/handlers/inference/image_within.h"
#include "server/codec/json/base64.h"
#include "server/handlers/inference/image_body.h"
#include "server/handlers/inference/image_head.h"

#include <stdlib.h>

static enum http_next begin(struct inference *inference)
{
    if (image_refuse_model(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (inference->expectation.layout_is_explicit)
        return http_problem(inference->request, 400,
                            "layout: found %s with an image, expected no layout: only a tensor has "
                            "one",
                            ppm_layout_name(inference->expectation.layout));
    inference->image = calloc(1, sizeof *inference->image);
    if (!inference->image)
        return http_problem(inference->request, 503, "out of memory");
    inference->image->wanted_h = inference->sizes.output_h;
    inference->image->wanted_w = inference->sizes.output_w;
    inference->inputs[0].is_batch = true; /* and so is y */
    return HTTP_PROCEED;
}

/* What the answer takes besides y. */
static size_t answer_bytes(const struct inference *inference)
{
    const struct codec_form *form = inference->answer_form;
    const size_t count = inference->image->costs.output_bytes / sizeof(float);
    return form->head ? 0 : codec_encoded_bytes_max(form, count);
}

static enum http_next look(struct inference *inference)
{
    const struct inference_image *image = inference->image;
    return image_look_at(inference, image->file.bytes, image->file.count, answer_bytes);
}

enum http_next image_within_bytes(struct inference *inference, char *bytes, size_t count)
{
    if (begin(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    inference->image->file.bytes = bytes;
    inference->image->file.count = count;
    return look(inference);
}

enum http_next image_within_text(struct inference *inference, const char *name,
                                 struct codec_json_text text)
{
    struct http_request *request = inference->request;
    const size_t bytes_max = codec_base64_bytes_max(text.bytes);
    struct ppm_error error = {0};
    size_t count = 0;
    if (begin(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    struct inference_image *image = inference->image;
    if (!http_reserve(request, bytes_max))
        return http_refuse_memory(request);
    image->file.memory_bytes = bytes_max;
    image->file.bytes = image->file.memory = malloc(bytes_max);
    if (!image->file.memory)
        return http_problem(request, 503, "no memory for an image of %zu bytes", bytes_max);
    if (codec_base64_decode(name, request->body + text.start, text.bytes, &inference->cancel,
                            image->file.memory, &count, &error) != PPM_OK)
        return http_problem_of(request, &error);
    image->file.count = count;
    http_drop_body(request);
    return look(inference);
}

enum http_next image_within_decode(struct inference *inference)
{
    struct http_request *request = inference->request;
    struct inference_image *image = inference->image;
    const enum http_next next = image_decode_at(inference, image->file.bytes, image->file.count);
    free(image->file.memory);
    image->file.memory = NULL;
    http_keep(request, request->reserved_bytes - image->file.memory_bytes);
    http_drop_body(request);
    return next;
}
