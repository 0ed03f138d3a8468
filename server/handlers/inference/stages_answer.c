/* stages_answer.c - see stages_answer.h. */
#include "server/handlers/inference/stages_answer.h"
#include "server/base/buffers.h"
#include "server/codec/negotiate.h"
#include "server/codec/raw/raw.h"
#include "server/handlers/tensor_fields.h"

#include <stdlib.h>
#include <string.h>

/* ---- asking ---- */

/* Chooses the form of the body or, for a binary request, safetensors. */
static enum http_next refuse_form(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *accept = http_list(request, "Accept");
    const struct codec_form *preferred = inference->preferred;
    char list[CODEC_LIST_BYTES];
    if (!codec_is_for(preferred, CODEC_ALL_TENSORS))
        preferred = &codec_raw;
    inference->answer_form = codec_negotiate(accept, preferred, CODEC_ALL_TENSORS);
    if (inference->answer_form)
        return HTTP_PROCEED;
    return http_problem(request, 406,
                        "Accept: found %.60s with stages=1, expected %s (one safetensors file)",
                        accept, codec_list(CODEC_ALL_TENSORS, CODEC_FLOAT32, list));
}

enum http_next stages_refuse(struct inference *inference)
{
    struct http_request *request = inference->request;
    const char *asked = http_query(request, "stages");
    if (!asked || strcmp(asked, "0") == 0)
        return HTTP_PROCEED;
    if (http_query(request, "out_dtype"))
        return http_problem(request, 400,
                            "out_dtype: found %.40s with stages=%.40s, whose tensors are float32; "
                            "expected no out_dtype",
                            http_query(request, "out_dtype"), asked);
    inference->stages = calloc(1, sizeof *inference->stages);
    if (!inference->stages)
        return http_problem(request, 503, "out of memory");
    if (strcmp(asked, "1") != 0)
        inference->stages->names = asked;
    return refuse_form(inference);
}

static enum ppm_status list_stages(struct inference *inference, const struct ppm_sizes *sizes,
                                   enum ppm_layout layout, bool is_batch, struct ppm_error *error)
{
    struct inference_stages *stages = inference->stages;
    return stages->names
               ? ppm_model_entries(inference->model, sizes, layout, is_batch, stages->names,
                                   &stages->list, error)
               : ppm_model_stages(inference->model, sizes, layout, is_batch, &stages->list, error);
}

bool stages_add_needs(struct inference *inference, const struct ppm_sizes *sizes, size_t y_bytes,
                      struct ppm_error *error)
{
    struct ppm_stages *list = &inference->stages->list;
    size_t *needed_bytes = &inference->needed_bytes, all_bytes;
    /* The upper bound: NHWC takes more memory. */
    if (list_stages(inference, sizes, PPM_NHWC, false, error) != PPM_OK ||
        __builtin_add_overflow(list->bytes, y_bytes, &all_bytes))
        return false;
    const size_t count = list->count + 1;
    const struct codec_form *form = inference->answer_form;
    inference->head_bytes_max = codec_several_head_bytes_max(count);
    const size_t text_bytes =
        form->head ? inference->head_bytes_max : codec_several_bytes_max(form, count, all_bytes);
    return !__builtin_add_overflow(*needed_bytes, list->bytes, needed_bytes) &&
           !__builtin_add_overflow(*needed_bytes, list->working_bytes, needed_bytes) &&
           !__builtin_add_overflow(*needed_bytes, text_bytes, needed_bytes);
}

size_t stages_bytes(const struct inference *inference)
{
    return inference->stages ? inference->stages->list.bytes : 0;
}

enum ppm_status stages_place(struct inference *inference, const struct ppm_tensor *y,
                             struct ppm_error *error)
{
    struct ppm_stages *list = &inference->stages->list;
    if (list_stages(inference, &inference->sizes, inference->inputs[0].layout,
                    inference->inputs[0].is_batch, error) == PPM_OK)
        ppm_stages_place(list, (char *)y->data + inference->costs.output_bytes);
    return error->status;
}

/* ---- answering ---- */

/* Puts y first in the list, as it is in memory. */
static void put_first(struct ppm_stages *list, const struct ppm_tensor *y)
{
    memmove(list->list + 1, list->list, list->count * sizeof *list->list);
    list->list[0] = (struct ppm_stage){.name = "y", .tensor = *y};
    list->count++;
}

/* As text, in memory of its own. */
static void respond_encoded(struct inference *inference, const struct codec_several *several)
{
    struct http_request *request = inference->request;
    const struct codec_form *form = inference->answer_form;
    const struct ppm_stages *list = several->list;
    const size_t bytes_max =
        codec_several_bytes_max(form, list->count, list->bytes + inference->costs.output_bytes);
    struct ppm_error error = {0};
    struct codec_bytes bytes = {0};
    char *text = buffer_take(bytes_max);
    if (!text)
        ppm_fail(&error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    else
        form->encode_several(several, text, &bytes, &error);
    if (error.status != PPM_OK) {
        buffer_give(text);
        http_problem_of(request, &error);
        return;
    }
    handlers_describe_tensor(request, &list->list[0].tensor, CODEC_FLOAT32);
    http_respond_within(request, 200, form->media_type, text, bytes.data, bytes.size);
    inference->answer_bytes = http_compress(request) ? 0 : bytes_max;
}

void stages_respond(struct inference *inference, const struct ppm_tensor *y, char *memory,
                    int threads)
{
    struct inference_stages *stages = inference->stages;
    const struct codec_form *form = inference->answer_form;
    const struct codec_several several = {.list = &stages->list,
                                          .model = inference->info.name,
                                          .layout = y->layout,
                                          .times = stages->times,
                                          .flops_literal = inference->costs.flops_literal,
                                          .flops_folded = inference->costs.flops_folded,
                                          .threads = threads,
                                          .cancel = &inference->cancel};
    struct codec_bytes bytes = {0};
    struct ppm_error error = {0};
    put_first(&stages->list, y);
    if (!form->head) {
        respond_encoded(inference, &several);
    } else if (form->encode_several(&several, NULL, &bytes, &error) == PPM_OK) {
        handlers_describe_tensor(inference->request, y, CODEC_FLOAT32);
        http_respond_within(inference->request, 200, form->media_type, memory, bytes.data,
                            bytes.size);
        inference->answer_bytes =
            inference->head_bytes_max + stages->list.bytes + inference->costs.output_bytes;
        return;
    } else {
        http_problem_of(inference->request, &error);
    }
    buffer_give(memory);
}
