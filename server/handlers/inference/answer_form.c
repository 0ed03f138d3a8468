/* answer_form.c - see answer_form.h. */
#include "server/handlers/inference/answer_form.h"
#include "server/codec/negotiate.h"
#include "server/handlers/tensor_fields.h"

enum http_next inference_refuse_accept(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    char list[CODEC_LIST_BYTES];
    inference->answer_form = codec_negotiate(accept, inference->preferred, CODEC_ANY_LABELS);
    if (inference->answer_form)
        return HTTP_PROCEED;
    return http_problem(request, 406, "Accept: found %.60s, expected one of %s", accept,
                        codec_list(CODEC_ANY_TENSOR, CODEC_FLOAT32, list));
}

/* Checks Accept, if the model has no labels for a form that shows only labels. */
static enum http_next refuse_labels(struct inference *inference)
{
    struct http_request *request = inference->request;
    const struct ppm_model_info *info = &inference->info;
    const char *accept = http_list(request, "Accept");
    const struct codec_form *labels_form = inference->answer_form;
    char list[CODEC_LIST_BYTES];
    inference->answer_form = codec_negotiate(accept, inference->preferred,
                                             info->palette ? CODEC_ANY_LABELS : CODEC_ANY_TENSOR);
    if (inference->answer_form)
        return HTTP_PROCEED;
    codec_list(CODEC_ANY_TENSOR, CODEC_FLOAT32, list);
    if (info->classes == 0)
        return http_problem(
            request, 406,
            "Accept: found %.60s, but model \"%s\" answers %s in %zu channel%s, which a %s cannot "
            "show (\"as\": \"argmax\", or a \"threshold\" of one class, answers labels); expected "
            "one of %s",
            accept, info->name, ppm_dtype_name(info->output_dtype), info->output_channels,
            ppm_plural(info->output_channels), labels_form->name, list);
    return http_problem(request, 406,
                        "Accept: found %.60s, but model \"%s\" has %zu classes, and a %s at most "
                        "%zu colors; expected one of %s",
                        accept, info->name, info->classes, labels_form->name,
                        labels_form->labels_max, list);
}

enum http_next inference_read_out_dtype(struct inference *inference)
{
    return handlers_read_dtype(inference->request, "out_dtype", NULL, &inference->answer_dtype,
                               &inference->answer_dtype_is_explicit);
}

enum http_next inference_refuse_dtype_of_form(struct inference *inference)
{
    const struct codec_form *form = inference->answer_form;
    const enum codec_dtype dtype = inference->answer_dtype;
    char list[CODEC_LIST_BYTES];
    if (codec_has_dtype(form, dtype))
        return HTTP_PROCEED;
    return http_problem(
        inference->request, 406, "out_dtype: found %s, which %s does not have, expected Accept: %s",
        codec_dtype_name(dtype), form->media_type, codec_list(CODEC_ANY_TENSOR, dtype, list));
}

enum http_next inference_refuse_answer(struct inference *inference)
{
    if (!inference->stages && refuse_labels(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (inference->answer_dtype_is_explicit && inference->info.output_dtype == PPM_INT32)
        return http_problem(inference->request, 422,
                            "out_dtype: found %s, but model \"%s\" answers int32, expected no "
                            "out_dtype",
                            codec_dtype_name(inference->answer_dtype), inference->info.name);
    return inference_refuse_dtype_of_form(inference);
}
