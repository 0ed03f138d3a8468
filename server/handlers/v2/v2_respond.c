/* v2_respond.c - see v2_respond.h. */
#include "server/handlers/v2/v2_respond.h"
#include "server/base/buffers.h"
#include "server/codec/json/json.h"
#include "server/codec/json/json_write.h"
#include "server/codec/raw/raw.h"

#include <string.h>

/* JSON of head_bytes, then y, in one piece of memory. */
static void respond_binary(struct v2_inference *v2, const char *head, size_t head_bytes,
                           const struct ppm_tensor *y, char *memory)
{
    struct http_request *request = v2->inference.request;
    char *body = (char *)y->data - head_bytes;
    memcpy(body, head, head_bytes);
    http_add_header(request, V2_LENGTH_HEADER, "%zu", head_bytes);
    http_respond_within(request, 200, codec_raw.media_type, memory, body,
                        head_bytes + v2->inference.costs.output_bytes);
}

/* y as numbers after the head; or only the head, if y is in its region. */
static void respond_json(struct v2_inference *v2, const char *head, size_t head_bytes,
                         const struct ppm_tensor *y, int threads)
{
    static const char numbers_end[] = V2_NUMBERS_END;
    struct http_request *request = v2->inference.request;
    const bool has_numbers = v2->request.y.place == V2_IN_JSON;
    const size_t count = v2->inference.costs.output_bytes / sizeof(float);
    const size_t bytes_max = head_bytes + sizeof numbers_end +
                             (has_numbers ? codec_encoded_bytes_max(&codec_json, count) : 0);
    char *text = buffer_take(bytes_max);
    if (!text) {
        http_problem(request, 503, "no memory for an answer of %zu numbers", count);
        return;
    }
    char *end = (char *)memcpy(text, head, head_bytes) + head_bytes;
    if (has_numbers) {
        struct ppm_error error = {0};
        if (codec_json_write_elements(y, threads, &v2->inference.cancel, end, &end, &error) !=
            PPM_OK) {
            buffer_give(text);
            http_problem_of(request, &error);
            return;
        }
        memcpy(end, numbers_end, sizeof numbers_end - 1);
        end += sizeof numbers_end - 1;
    }
    http_respond_within(request, 200, codec_json.media_type, text, text, (size_t)(end - text));
    v2->inference.answer_bytes = bytes_max;
}

static bool are_regions_intact(const struct v2_inference *v2, struct ppm_error *error)
{
    for (size_t i = 0; i < v2->inference.info.input_count; i++)
        if (v2->sources[i].view.data && !shared_memory_is_intact(&v2->sources[i].view, error))
            return false;
    return !v2->y_view.data || shared_memory_is_intact(&v2->y_view, error);
}

void v2_respond(struct inference *inference, struct ppm_tensor *y, char *memory, int threads)
{
    struct v2_inference *v2 = (struct v2_inference *)inference;
    const size_t y_bytes = inference->costs.output_bytes;
    char head[V2_HEAD_BYTES_MAX];
    size_t head_bytes = 0;
    struct ppm_error error = {0};
    if (v2->y_view.data && y->data != v2->y_view.data)
        memcpy(v2->y_view.data, y->data, y_bytes);
    if (are_regions_intact(v2, &error))
        v2_write_head(&v2->request, inference->info.name, y, y_bytes, head, &head_bytes, &error);
    const bool is_binary = error.status == PPM_OK && v2->request.y.place == V2_IN_BODY;
    if (error.status != PPM_OK)
        http_problem_of(inference->request, &error);
    else if (is_binary)
        respond_binary(v2, head, head_bytes, y, memory);
    else
        respond_json(v2, head, head_bytes, y, threads);
    if (!is_binary)
        buffer_give(memory);
    if (http_compress(inference->request))
        inference->answer_bytes = 0;
}
