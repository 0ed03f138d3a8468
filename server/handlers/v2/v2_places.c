/* v2_places.c - see v2_places.h. */
#include "server/handlers/v2/v2_places.h"
#include "server/handlers/v2/v2_shared_memory.h"
#include "server/observe/metrics.h"

#include <stdint.h>

enum { Y_ALIGNMENT_BYTES = 64 };

static enum http_next refuse_bytes(struct http_request *request, const char *where, size_t found,
                                   size_t expected)
{
    return http_problem(request, 400, "%s: found %zu byte%s, expected %zu", where, found,
                        ppm_plural(found), expected);
}

enum http_next v2_find_places(struct v2_inference *v2)
{
    struct inference *inference = &v2->inference;
    struct http_request *request = inference->request;
    const struct v2_tensor *x = &v2->request.x, *y = &v2->request.y;
    const size_t y_bytes = inference->costs.output_bytes,
                 x_bytes = inference->costs.input_bytes / sizeof(float) *
                           codec_dtype_bytes(v2->request.dtype);
    struct ppm_error error = {0};
    if ((x->place == V2_IN_REGION || y->place == V2_IN_REGION) &&
        v2_refuse_shared_memory(request) != HTTP_PROCEED)
        return HTTP_RESPOND;
    if (x->place != V2_IN_JSON && x->bytes != x_bytes)
        return refuse_bytes(request,
                            x->place == V2_IN_BODY ? "inputs[0], binary_data_size"
                                                   : "inputs[0], shared_memory_byte_size",
                            x->bytes, x_bytes);
    if (y->place == V2_IN_REGION && y->bytes < y_bytes)
        return refuse_bytes(request, "outputs[0], shared_memory_byte_size", y->bytes, y_bytes);
    if (x->place == V2_IN_BODY)
        v2->x_bytes = request->body + v2->header_bytes;
    if (x->place == V2_IN_REGION &&
        shared_memory_hold(x->region, x->offset, x_bytes, &v2->x_view, &error) == PPM_OK)
        v2->x_bytes = v2->x_view.data;
    if (y->place == V2_IN_REGION && error.status == PPM_OK)
        shared_memory_hold(y->region, y->offset, y_bytes, &v2->y_view, &error);
    if (v2->y_view.data && shared_memory_back(&v2->y_view, &error) != PPM_OK)
        metrics_rejected(METRICS_MEMORY);
    if (error.status != PPM_OK)
        return http_problem_of(request, &error);
    v2->copies_x = v2->x_view.data && (shared_memory_has_holes(&v2->x_view) ||
                                       shared_memory_overlap(&v2->x_view, &v2->y_view));
    if (v2->request.dtype == CODEC_FLOAT32 && !v2->copies_x &&
        (uintptr_t)v2->x_bytes % _Alignof(float) == 0)
        inference->x.data = v2->x_bytes; /* NULL: x is in the JSON */
    if ((uintptr_t)v2->y_view.data % Y_ALIGNMENT_BYTES == 0)
        inference->y_data = v2->y_view.data;
    return HTTP_PROCEED;
}

enum ppm_status v2_copy_x(struct v2_inference *v2, size_t count, struct ppm_error *error)
{
    enum { SLICE = 1 << 13 }; /* elements */
    char bytes[SLICE * sizeof(float)];
    const struct codec_cancel *cancel = &v2->inference.cancel;
    const size_t element_bytes = codec_dtype_bytes(v2->request.dtype);
    float *values = v2->inference.x.data;
    for (size_t at = 0; at < count && error->status == PPM_OK; at += SLICE) {
        const size_t some = size_min(count - at, SLICE);
        if (shared_memory_read(&v2->x_view, at * element_bytes, bytes, some * element_bytes,
                               error) == PPM_OK)
            codec_decode_slices(v2->request.dtype, bytes, some, cancel, values + at, error);
    }
    return error->status;
}

void v2_leave_places(struct v2_inference *v2)
{
    shared_memory_release(&v2->x_view);
    shared_memory_release(&v2->y_view);
}
