/* infer.c - see infer.h. */
#include "server/handlers/inference/infer.h"
#include "server/codec/negotiate.h"
#include "server/codec/npy/npy.h"
#include "server/codec/npy/npy_header.h"
#include "server/codec/quote.h"
#include "server/codec/raw/raw.h"
#include "server/handlers/inference/arrival.h"
#include "server/handlers/inference/image_body.h"
#include "server/handlers/inference/json_body.h"
#include "server/handlers/inference/submit.h"
#include "server/handlers/inference/tensor_body.h"
#include "server/handlers/tensor_fields.h"

#include <stdio.h>
#include <string.h>

/* ---- the type of a body ---- */

/* "none", where the head names no type. */
static const char *type_of(const struct inference *inference)
{
    const char *type = http_header(inference->request, "Content-Type");
    return type && *type ? type : "none";
}

static enum http_next refuse_type(struct inference *inference, const char *found)
{
    const char *type = type_of(inference);
    char list[CODEC_LIST_BYTES];
    const bool is_curls = strcmp(type, "application/x-www-form-urlencoded") == 0;
    return http_problem(inference->request, 415,
                        "Content-Type: found %.60s%s, expected image/jpeg, image/png, %s%s", type,
                        found, codec_list(CODEC_BODY, CODEC_FLOAT32, list),
                        is_curls ? "; with curl, -T FILE instead of --data-binary @FILE names no "
                                   "type, and -H 'Content-Type: ...' another one"
                                 : "");
}

/* The first bytes tell the type of a body for which the head names none; and of one that is raw,
 * unless the head says its shape. A model of several inputs takes a file of its own kind. */
static bool is_untold(const struct inference *inference)
{
    const struct http_request *request = inference->request;
    const char *type = http_header(request, "Content-Type");
    const char *shape = http_header(request, "X-Tensor-Shape");
    if (!type || !*type)
        return true;
    return inference->form == &codec_raw && inference->info.input_count == 1 &&
           !http_query(request, "shape") && !(shape && *shape);
}

/* The body has at least SIGNATURE_BYTES, or is whole. */
enum { SIGNATURE_BYTES = 16 };
static enum http_next begin_untold(struct inference *inference)
{
    const struct http_request *request = inference->request;
    const size_t bytes = size_min(request->body_bytes, SIGNATURE_BYTES);
    char quoted[CODEC_QUOTED_BYTES], found[CODEC_QUOTED_BYTES + 80];
    if (image_format_of_bytes(request->body, bytes))
        return image_begin(inference);
    if (codec_is_npy_file(request->body, bytes))
        inference->form = &codec_npy;
    if (inference->form)
        return tensor_begin(inference);
    snprintf(found, sizeof found, " and a body that begins with \"%s\": no JPEG, PNG or .npy file",
             codec_quote(request->body, bytes, quoted));
    return refuse_type(inference, bytes > 0 ? found : " and an empty body");
}

static enum http_next look_at_untold(struct inference *inference)
{
    const enum http_next next = begin_untold(inference);
    return next == HTTP_PROCEED ? inference->protocol->look(inference) : next;
}

/* Becomes another one as soon as bytes come. */
static const struct inference_protocol untold_protocol = {.look = look_at_untold};

/* ---- the request ---- */

static enum http_next begin_body(struct inference *inference)
{
    const char *type = http_header(inference->request, "Content-Type");
    inference->form = codec_form_of_type(type);
    if (is_untold(inference))
        return HTTP_PROCEED;
    if (image_format_of_type(type))
        return image_begin(inference);
    return inference->form ? tensor_begin(inference) : refuse_type(inference, "");
}

enum http_next infer_begin(struct http_request *request)
{
    struct inference *inference =
        inference_begin(request, &untold_protocol, sizeof(struct inference));
    if (!inference || inference_read_priority(inference) != HTTP_PROCEED ||
        begin_body(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    return inference_refuse_full_queue(inference);
}

/* The start of the body describes x. */
static void look_ahead(struct inference *inference)
{
    const struct http_request *request = inference->request;
    struct ppm_tensor x;
    codec_look_ahead(inference->form, request->body, request->body_bytes, &inference->expectation,
                     &x);
    inference->arrival.is_settled = true;
    if (x.data)
        inference_expect_x(inference, &x, (size_t)((char *)x.data - request->body));
}

static void tensor_arrived(struct inference *inference)
{
    const struct http_request *request = inference->request;
    const double begun_ms = http_elapsed_ms(request);
    if (inference->form->stream && inference_reader(inference, NULL)) {
        inference_read_ahead(inference, request->body_bytes);
        inference->record.decode_ms += http_elapsed_ms(request) - begun_ms;
    } else if (inference->info.input_count == 1 && !inference->arrival.is_settled &&
               request->body_bytes >= CODEC_LOOK_AHEAD_BYTES) {
        look_ahead(inference);
    }
    inference_pool_arrived(inference);
}

enum http_next infer_arrived(struct http_request *request)
{
    struct inference *inference = request->state;
    const bool is_untold = inference->protocol == &untold_protocol;
    if (is_untold && request->body_bytes < SIGNATURE_BYTES)
        return HTTP_PROCEED;
    if (is_untold && begin_untold(inference) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (inference->image)
        return image_arrived(inference);
    tensor_arrived(inference);
    return HTTP_PROCEED;
}
