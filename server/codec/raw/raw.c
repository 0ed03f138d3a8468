/*
 * raw.c - see raw.h.
 */
#include "server/codec/raw/raw.h"

#include "server/codec/axes.h"
#include "server/codec/raw/safetensors_write.h"

/* The expected tensor, without data. */
static enum ppm_status expect_shape(size_t body_bytes, const struct codec_expectation *expectation,
                                    struct ppm_tensor *ret_tensor, size_t *ret_bytes,
                                    struct ppm_error *error)
{
    if (!expectation->axes)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape of the %zu byte%s is missing, expected ?shape=1,4,30,30 in the "
                        "URL or the header X-Tensor-Shape: 1,4,30,30",
                        body_bytes, ppm_plural(body_bytes));

    struct ppm_tensor tensor = {.dtype = PPM_FLOAT32};
    enum ppm_status status = ppm_tensor_from_axes(expectation->axes, expectation->axis_count,
                                                  expectation->layout, &tensor, error);
    size_t bytes; /* as float32 */
    if (status == PPM_OK)
        status = ppm_shape_bytes(tensor.shape, &bytes, error);
    if (status != PPM_OK)
        return status;
    *ret_bytes = bytes / sizeof(float) * codec_dtype_bytes(expectation->dtype);
    *ret_tensor = tensor;
    return PPM_OK;
}

/* The tensor in a body, without data. */
static enum ppm_status read_shape(size_t body_bytes, const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    size_t bytes = 0;
    if (expect_shape(body_bytes, expectation, &tensor, &bytes, error) != PPM_OK)
        return error->status;
    if (bytes != body_bytes) {
        char shape[CODEC_AXES_TEXT_BYTES];
        return ppm_fail(error, PPM_MALFORMED, "found %zu byte%s, expected %zu for shape %s of %s",
                        body_bytes, ppm_plural(body_bytes), bytes,
                        codec_axes_text(expectation->axes, expectation->axis_count, shape),
                        codec_dtype_name(expectation->dtype));
    }
    *ret_tensor = tensor;
    return PPM_OK;
}

static enum ppm_status look(char *body, size_t body_bytes,
                            const struct codec_expectation *expectation,
                            struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    const enum ppm_status status = read_shape(body_bytes, expectation, ret_tensor, error);
    if (status == PPM_OK && expectation->dtype == CODEC_FLOAT32 && codec_is_aligned(body))
        ret_tensor->data = body;
    return status;
}

static enum ppm_status look_ahead(char *body, size_t body_bytes,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    size_t bytes;
    const enum ppm_status status = expect_shape(body_bytes, expectation, ret_tensor, &bytes, error);
    if (status == PPM_OK && expectation->dtype == CODEC_FLOAT32 && codec_is_aligned(body))
        ret_tensor->data = body;
    return status;
}

static enum ppm_status decode(const char *body, size_t body_bytes,
                              const struct codec_expectation *expectation,
                              struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct ppm_tensor tensor = {0};
    if (read_shape(body_bytes, expectation, &tensor, error) != PPM_OK ||
        codec_make_room(&tensor, ret_tensor->data, error) != PPM_OK)
        return error->status;
    const size_t count = body_bytes / codec_dtype_bytes(expectation->dtype);
    if (codec_decode_slices(expectation->dtype, body, count, expectation->cancel, tensor.data,
                            error) == PPM_OK)
        *ret_tensor = tensor;
    else if (tensor.data != ret_tensor->data)
        ppm_tensor_free(&tensor);
    return error->status;
}

static size_t head(const struct ppm_tensor *tensor, enum codec_dtype dtype,
                   char ret_head[CODEC_HEAD_BYTES_MAX])
{
    (void)tensor, (void)dtype, (void)ret_head;
    return 0;
}

const struct codec_form codec_raw = {
    .name = "raw",
    .media_type = "application/octet-stream",
    .dtypes = 1 << CODEC_FLOAT32 | 1 << CODEC_FLOAT16 | 1 << CODEC_BFLOAT16,
    .is_bare = true,
    .decode = decode,
    .look = look,
    .look_ahead = look_ahead,
    .head = head,
    .encode_several = codec_safetensors_write,
    .element_bytes_max = sizeof(float),
};
