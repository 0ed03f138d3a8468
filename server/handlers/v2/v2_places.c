/* v2_places.c - see v2_places.h. */
#include "server/handlers/v2/v2_places.h"
#include "server/handlers/v2/v2_shared_memory.h"
#include "server/observe/metrics.h"

#include <stdint.h>
#include <stdio.h>

enum { Y_ALIGNMENT_BYTES = 64 };

static enum http_next refuse_bytes(struct http_request *request, const char *where, size_t found,
                                   size_t expected)
{
    return http_problem(request, 400, "%s: found %zu byte%s, expected %zu", where, found,
                        ppm_plural(found), expected);
}

/* As it is sent. */
static size_t input_bytes(const struct v2_inference *v2, size_t index)
{
    const struct ppm_shape s = v2->inference.inputs[index].shape;
    return s.n * s.c * s.h * s.w * codec_dtype_bytes(v2->request.inputs[index].dtype);
}

/* Inputs that are tensors. */
static size_t tensor_count(const struct v2_inference *v2)
{
    return v2->inference.image ? 0 : v2->inference.info.input_count;
}

static bool is_in_region(const struct v2_request *said, size_t input_count)
{
    bool is = said->y.place == V2_IN_REGION;
    for (size_t i = 0; i < input_count; i++)
        is = is || said->inputs[i].tensor.place == V2_IN_REGION;
    return is;
}

/* The sizes that the request says, against those of the shapes. */
static enum http_next refuse_sizes(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    struct http_request *request = inference->request;
    const struct v2_tensor *y = &v2->request.y;
    for (size_t i = 0; i < tensor_count(v2); i++) {
        const struct v2_input *input = &v2->request.inputs[i];
        const size_t bytes = input_bytes(v2, i);
        char where[64];
        snprintf(where, sizeof where, "inputs[%zu], %s", input->index,
                 input->tensor.place == V2_IN_BODY ? "binary_data_size"
                                                   : "shared_memory_byte_size");
        if (input->tensor.place != V2_IN_JSON && input->tensor.bytes != bytes)
            return refuse_bytes(request, where, input->tensor.bytes, bytes);
    }
    if (y->place == V2_IN_REGION && y->bytes < inference->costs.output_bytes)
        return refuse_bytes(request, "outputs[0], shared_memory_byte_size", y->bytes,
                            inference->costs.output_bytes);
    return HTTP_PROCEED;
}

static enum ppm_status find_source(struct v2_inference *v2, size_t index, struct ppm_error *error)
{
    const struct http_request *request = v2->inference.request;
    const struct v2_tensor *tensor = &v2->request.inputs[index].tensor;
    struct v2_source *source = &v2->sources[index];
    if (tensor->place == V2_IN_BODY)
        source->bytes = request->body + v2->header_bytes + tensor->offset;
    if (tensor->place == V2_IN_REGION &&
        shared_memory_hold(tensor->region, tensor->offset, input_bytes(v2, index), &source->view,
                           error) == PPM_OK)
        source->bytes = source->view.data;
    return error->status;
}

/* An input is computed with where it is, if it can be. */
static void place_input(struct v2_inference *v2, size_t index)
{
    struct v2_source *source = &v2->sources[index];
    source->is_copied = source->view.data && (shared_memory_has_holes(&source->view) ||
                                              shared_memory_overlap(&source->view, &v2->y_view));
    if (v2->request.inputs[index].dtype == CODEC_FLOAT32 && !source->is_copied &&
        (uintptr_t)source->bytes % _Alignof(float) == 0)
        v2->inference.inputs[index].data = source->bytes; /* NULL: it is in the JSON */
}

enum http_next v2_find_places(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    struct http_request *request = inference->request;
    const struct v2_tensor *y = &v2->request.y;
    const size_t input_count = tensor_count(v2);
    struct ppm_error error = {0};
    if ((is_in_region(&v2->request, input_count) &&
         v2_refuse_shared_memory(request) != HTTP_PROCEED) ||
        refuse_sizes(v2) != HTTP_PROCEED)
        return HTTP_RESPOND;
    for (size_t i = 0; i < input_count && error.status == PPM_OK; i++)
        find_source(v2, i, &error);
    if (y->place == V2_IN_REGION && error.status == PPM_OK)
        shared_memory_hold(y->region, y->offset, inference->costs.output_bytes, &v2->y_view,
                           &error);
    if (v2->y_view.data && shared_memory_back(&v2->y_view, &error) != PPM_OK)
        metrics_rejected(METRICS_MEMORY);
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    for (size_t i = 0; i < input_count; i++)
        place_input(v2, i);
    if ((uintptr_t)v2->y_view.data % Y_ALIGNMENT_BYTES == 0)
        inference->y_data = v2->y_view.data;
    return HTTP_PROCEED;
}

enum ppm_status v2_copy_input(struct v2_inference *v2, size_t index, size_t count,
                              struct ppm_error *error)
{
    enum { SLICE = 1 << 13 }; /* elements */
    char bytes[SLICE * sizeof(float)];
    const struct codec_cancel *cancel = &v2->inference.cancel;
    const enum codec_dtype dtype = v2->request.inputs[index].dtype;
    const size_t element_bytes = codec_dtype_bytes(dtype);
    float *values = v2->inference.inputs[index].data;
    for (size_t at = 0; at < count && error->status == PPM_OK; at += SLICE) {
        const size_t some = size_min(count - at, SLICE);
        if (shared_memory_read(&v2->sources[index].view, at * element_bytes, bytes,
                               some * element_bytes, error) == PPM_OK)
            codec_decode_slices(dtype, bytes, some, cancel, values + at, error);
    }
    return error->status;
}

void v2_leave_places(struct v2_inference *v2)
{
    for (size_t i = 0; i < PPM_INPUTS_MAX; i++)
        shared_memory_release(&v2->sources[i].view);
    shared_memory_release(&v2->y_view);
}
