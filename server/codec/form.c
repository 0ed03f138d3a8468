/*
 * form.c - see form.h.
 */
#include "server/codec/form.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- bodies ---- */

static enum ppm_status check_not_empty(const struct codec_form *form, size_t body_bytes,
                                       struct ppm_error *error)
{
    if (body_bytes > 0 || form->stream) /* whose reader says more */
        return PPM_OK;
    return ppm_fail(error, PPM_MALFORMED, "the body is empty, expected a tensor as %s",
                    form->media_type);
}

enum ppm_status codec_look(const struct codec_form *form, char *body, size_t body_bytes,
                           const struct codec_expectation *expectation,
                           struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    size_t axes[4];
    if (check_not_empty(form, body_bytes, error) != PPM_OK)
        return error->status;
    if (form->look &&
        (form->look(body, body_bytes, expectation, &tensor, error) != PPM_OK ||
         codec_check_channels(&tensor, expectation, error) != PPM_OK ||
         codec_check_axes(axes, ppm_tensor_axes(&tensor, axes), expectation, error) != PPM_OK))
        return error->status;
    *ret_tensor = tensor;
    return PPM_OK;
}

void codec_look_ahead(const struct codec_form *form, char *body, size_t body_bytes,
                      const struct codec_expectation *expectation, struct ppm_tensor *ret_tensor)
{
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0};
    const bool is_told =
        form->look_ahead &&
        form->look_ahead(body, body_bytes, expectation, &tensor, &error) == PPM_OK &&
        codec_check_channels(&tensor, expectation, &error) == PPM_OK;
    *ret_tensor = is_told ? tensor : (struct ppm_tensor){0};
}

enum ppm_status codec_decode(const struct codec_form *form, const char *body, size_t body_bytes,
                             const struct codec_expectation *expectation,
                             struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {.data = ret_tensor->data};
    if (check_not_empty(form, body_bytes, error) != PPM_OK ||
        form->decode(body, body_bytes, expectation, &tensor, error) != PPM_OK)
        return error->status;
    return codec_take_fitting(&tensor, ret_tensor->data, expectation, ret_tensor, error);
}

/* ---- answers ---- */

bool codec_has_dtype(const struct codec_form *form, enum codec_dtype dtype)
{
    return form->dtypes >> dtype & 1;
}

enum ppm_status codec_encode(const struct codec_form *form, const struct codec_answer *answer,
                             struct codec_bytes *ret_bytes, struct ppm_error *error)
{
    const struct ppm_tensor *tensor = answer->tensor;
    struct codec_bytes bytes;
    size_t data_bytes;
    if (ppm_shape_bytes(tensor->shape, &data_bytes, error) != PPM_OK)
        return error->status;
    const size_t bytes_max = codec_encoded_bytes_max(form, data_bytes / sizeof(float));
    bytes.data = malloc(bytes_max);
    if (!bytes.data)
        return ppm_fail(error, PPM_NO_MEMORY, "no memory for an answer of %zu bytes", bytes_max);
    if (form->head) {
        bytes.size = form->head(tensor, CODEC_FLOAT32, bytes.data);
        memcpy(bytes.data + bytes.size, tensor->data, data_bytes);
        bytes.size += data_bytes;
    } else if (form->encode(answer, bytes.data, &bytes.size, error) != PPM_OK) {
        free(bytes.data);
        return error->status;
    }
    *ret_bytes = bytes;
    return PPM_OK;
}

bool codec_encode_in_place(const struct codec_form *form, const struct ppm_tensor *tensor,
                           enum codec_dtype dtype, struct codec_bytes *ret_bytes)
{
    char head[CODEC_HEAD_BYTES_MAX];
    if (!form->head)
        return false;
    const struct ppm_shape s = tensor->shape;
    const size_t count = s.n * s.c * s.h * s.w;
    const bool is_narrowed = tensor->dtype == PPM_FLOAT32 && dtype != CODEC_FLOAT32;
    if (is_narrowed)
        codec_encode_values(dtype, tensor->data, count, tensor->data);
    const size_t head_bytes = form->head(tensor, dtype, head);
    const size_t data_bytes = count * (is_narrowed ? codec_dtype_bytes(dtype) : 4);
    char *data = (char *)tensor->data - head_bytes;
    memcpy(data, head, head_bytes);
    *ret_bytes = (struct codec_bytes){.data = data, .size = head_bytes + data_bytes};
    return true;
}

/* count * each + more, or SIZE_MAX. */
static size_t bytes_of(size_t count, size_t each, size_t more)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, each, &bytes) || __builtin_add_overflow(bytes, more, &bytes))
        return SIZE_MAX;
    return bytes;
}

size_t codec_encoded_bytes_max(const struct codec_form *form, size_t count)
{
    return bytes_of(count, form->element_bytes_max, form->head_bytes_max);
}

size_t codec_several_bytes_max(const struct codec_form *form, size_t count, size_t data_bytes)
{
    return bytes_of(data_bytes / sizeof(float), form->element_bytes_max,
                    codec_several_head_bytes_max(count));
}
