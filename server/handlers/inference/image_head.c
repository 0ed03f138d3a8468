/* image_head.c - see image_head.h. */
#include "server/handlers/inference/image_head.h"
#include "server/codec/json/json.h"
#include "server/codec/negotiate.h"
#include "server/codec/npy/npy.h"
#include "server/codec/opacity.h"
#include "server/codec/png/png.h"
#include "server/codec/raw/raw.h"
#include "server/handlers/inference/answer_form.h"
#include "server/handlers/inference/stages_answer.h"
#include "server/handlers/tensor_fields.h"

#include <stdlib.h>
#include <string.h>

enum http_next image_refuse_model(struct inference *inference)
{
    const struct ppm_model_info *info = &inference->info;
    if (info->takes_images)
        return HTTP_PROCEED;
    return http_problem(inference->request, 422,
                        "found an image, but model \"%s\" takes a tensor of %zu channel%s; a model "
                        "whose \"input\" has an \"image\" takes images",
                        info->name, info->inputs[0].channels, ppm_plural(info->inputs[0].channels));
}

/* What only tensors have: an image says its own size. */
static enum http_next refuse_fields(struct inference *inference)
{
    static const char *const fields[][2] = {
        {"shape", "X-Tensor-Shape"}, {"layout", "X-Tensor-Layout"}, {"dtype", "X-Tensor-Dtype"}};
    const struct http_request *request = inference->request;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *asked = http_query(request, fields[i][0]);
        const char *sent = http_header(request, fields[i][1]);
        if (asked || (sent && *sent))
            return http_problem(inference->request, 400,
                                "%s: found \"%.40s\" with an image, expected no %s: only a tensor "
                                "has one",
                                asked ? fields[i][0] : fields[i][1], asked ? asked : sent,
                                fields[i][0]);
    }
    return HTTP_PROCEED;
}

/* ---- ?labels= and ?overlay= ---- */

/* Refuses parameters, up to a NULL, that ask for something else. */
static enum http_next refuse_beside(struct inference *inference, const char *const *names,
                                    const char *what)
{
    for (; *names; names++)
        if (http_query(inference->request, *names))
            return http_problem(inference->request, 400,
                                "%s: found \"%.40s\" with %s; expected one of the two", *names,
                                http_query(inference->request, *names), what);
    return HTTP_PROCEED;
}

static enum http_next read_labels(struct inference *inference)
{
    static const char *const others[] = {"stages", "out_dtype", NULL};
    struct http_request *request = inference->request;
    const char *text = http_query(request, "labels");
    if (!text)
        return HTTP_PROCEED;
    if (!codec_labels_from_name(text, &inference->image->labels))
        return http_problem(request, 400,
                            "labels: found \"%.40s\", expected false, true (row by row) or rle "
                            "(run lengths)",
                            text);
    if (inference->image->labels == CODEC_LABELS_NONE)
        return HTTP_PROCEED;
    if (inference->info.classes > 0)
        return refuse_beside(inference, others, "labels, which are in the JSON of classes");
    return http_problem(request, 422,
                        "labels: found \"%.40s\", but model \"%s\" answers no labels (\"as\": "
                        "\"argmax\" does)",
                        text, inference->info.name);
}

/* PNG, or JPEG if the client likes that better. */
static enum http_next choose_overlay(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    const struct image_format *best = NULL;
    int quality = 0;
    for (const struct image_format *const *format = image_formats; *format; format++) {
        const char *type = image_format_media_type(*format);
        const int own = accept ? codec_quality(type, accept) : -1;
        const bool is_preferred = strcmp(type, codec_png.media_type) == 0;
        if ((own < 0 && is_preferred) || own > quality ||
            (own == quality && own > 0 && is_preferred))
            best = *format;
        quality = own > quality ? own : quality;
    }
    inference->image->overlay = best;
    if (best)
        return HTTP_PROCEED;
    return http_problem(
        request, 406, "Accept: found %.60s with overlay, expected image/png or image/jpeg", accept);
}

static enum http_next refuse_beside_overlay(struct inference *inference)
{
    static const char *const names[] = {"size", "stages", "labels", "out_dtype", NULL};
    return refuse_beside(inference, names, "overlay, which is a picture of the image's own size");
}

static enum http_next read_overlay(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_model_info *info = &inference->info;
    const char *text = http_query(request, "overlay");
    if (!text)
        return HTTP_PROCEED;
    if (!codec_read_opacity(text, &inference->image->opacity))
        return http_problem(
            request, 400,
            "overlay: found \"%.40s\", expected the opacity of the labels, a number "
            "from 0 to 1",
            text);
    if (!info->palette)
        return http_problem(request, 422, "overlay: found \"%.40s\", but model \"%s\" answers %s",
                            text, info->name,
                            info->classes > 0 ? "labels of more than 256 classes, which have no "
                                                "colors"
                                              : "no labels (\"as\": \"argmax\" does)");
    return refuse_beside_overlay(inference) == HTTP_PROCEED ? choose_overlay(inference)
                                                            : HTTP_RESPOND;
}

/* ---- the form of the answer ---- */

/* JSON alone has a place for labels beside the classes. */
static enum http_next choose_json(struct inference *inference)
{
    const char *accept = http_list(inference->request, "Accept");
    inference->answer_form = &codec_json;
    if (!accept || codec_quality(codec_json.media_type, accept) != 0)
        return HTTP_PROCEED;
    return http_problem(inference->request, 406,
                        "Accept: found %.60s with labels, expected application/json", accept);
}

static enum http_next choose_form(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    char list[CODEC_LIST_BYTES];
    if (inference->image->overlay)
        return HTTP_PROCEED;
    if (inference->image->labels != CODEC_LABELS_NONE)
        return choose_json(inference);
    inference->preferred = inference->info.palette ? &codec_png : &codec_npy;
    inference->answer_form = codec_negotiate(accept, inference->preferred, CODEC_ANY_LABELS);
    if (!inference->answer_form)
        return http_problem(request, 406,
                            "Accept: found %.60s for an image, expected %s%s; or image/jpeg with "
                            "?overlay=0.5",
                            accept, inference->info.palette ? "image/png, " : "",
                            codec_list(CODEC_ANY_TENSOR, CODEC_FLOAT32, list));
    return inference_refuse_answer(inference);
}

enum http_next image_read_head(struct inference *inference)
{
    struct http_request *request = inference->request;
    if (image_refuse_model(inference) != HTTP_PROCEED || refuse_fields(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    inference->form = NULL;
    inference->preferred = &codec_raw;
    inference->image = calloc(1, sizeof *inference->image);
    if (!inference->image)
        return http_problem(request, 503, "out of memory");
    if (handlers_read_size(request, &inference->image->wanted_h, &inference->image->wanted_w) !=
            HTTP_PROCEED ||
        inference_read_out_dtype(inference) != HTTP_PROCEED ||
        read_labels(inference) != HTTP_PROCEED || read_overlay(inference) != HTTP_PROCEED ||
        stages_refuse(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference->stages ? HTTP_PROCEED : choose_form(inference);
}
