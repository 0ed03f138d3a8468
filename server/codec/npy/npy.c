/*
 * npy.c - see npy.h; npy_header.c reads the header.
 */
#include "server/codec/npy/npy.h"

#include "server/codec/axes.h"
#include "server/codec/npy/npy_header.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum {
    ALIGNMENT_BYTES = 64, /* of the data, as NumPy writes it */
    CHUNK = 512,          /* elements converted at a time */
};

/* ---- reading the data ------------------------------------------------------------------------ */

/* Elements copied out of a body, where they need not be aligned. */
union chunk {
    uint16_t halves[CHUNK];
    float floats[CHUNK];
    double doubles[CHUNK];
};

/* Copies count elements, stride elements apart. */
static void gather(const char *from, size_t element_bytes, size_t stride, size_t count,
                   union chunk *ret_chunk)
{
    char *to = (char *)ret_chunk;
    if (stride == 1)
        memcpy(to, from, count * element_bytes);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * element_bytes, from + i * stride * element_bytes, element_bytes);
}

/* ret[i] = float(chunk[i]); first is the index of chunk[0] in the tensor. */
static enum ppm_status convert(const union chunk *chunk, enum codec_npy_dtype dtype, size_t count,
                               size_t first, float *ret, struct ppm_error *error)
{
    switch (dtype) {
    case CODEC_NPY_FLOAT16:
        ppm_float16_to_float32(chunk->halves, ret, count);
        break;
    case CODEC_NPY_FLOAT32:
        memcpy(ret, chunk->floats, count * sizeof *ret);
        break;
    case CODEC_NPY_FLOAT64:
        for (size_t i = 0; i < count; i++) {
            ret[i] = (float)chunk->doubles[i];
            if (isinf(ret[i]) && !isinf(chunk->doubles[i]))
                return ppm_fail(error, PPM_MALFORMED,
                                "npy: element %zu is %.17g, beyond float32, expected at most "
                                "3.4028235e+38 in magnitude",
                                first + i, chunk->doubles[i]);
        }
        break;
    }
    return PPM_OK;
}

/* data -> values in C order. Data in Fortran order is read a row of the result at a time: its
 * elements are as far apart as the other axes are large. */
static enum ppm_status read_values(const struct codec_npy_header *header, const char *data,
                                   size_t count, const struct codec_cancel *cancel, float *values,
                                   struct ppm_error *error)
{
    const size_t element_bytes = header->element_bytes;
    const size_t last = header->axis_count - 1;
    const size_t run = header->is_fortran ? header->axes[last] : count;
    const size_t stride = count / run;
    size_t index[4] = {0}; /* of the row, on every axis but the last */
    union chunk chunk;
    size_t look_at = 0;
    for (size_t done = 0; done < count; done += run) {
        size_t from = 0;
        for (size_t axis = last; axis-- > 0;)
            from = from * header->axes[axis] + index[axis];
        for (size_t at = 0; at < run; at += CHUNK) {
            const size_t part = size_min(run - at, CHUNK);
            if (done + at >= look_at && codec_check(cancel, error) != PPM_OK)
                return error->status;
            look_at = done + at >= look_at ? done + at + CODEC_SLICE_NUMBERS : look_at;
            gather(data + (from + at * stride) * element_bytes, element_bytes, stride, part,
                   &chunk);
            const enum ppm_status status =
                convert(&chunk, header->dtype, part, done + at, values + done + at, error);
            if (status != PPM_OK)
                return status;
        }
        for (size_t axis = last; axis-- > 0 && ++index[axis] == header->axes[axis];)
            index[axis] = 0;
    }
    return PPM_OK;
}

/* The query may repeat the header. */
static enum ppm_status check_dtype(const struct codec_npy_header *header,
                                   const struct codec_expectation *expectation,
                                   struct ppm_error *error)
{
    const bool is_same =
        (header->dtype == CODEC_NPY_FLOAT32 && expectation->dtype == CODEC_FLOAT32) ||
        (header->dtype == CODEC_NPY_FLOAT16 && expectation->dtype == CODEC_FLOAT16);
    if (is_same || !expectation->dtype_is_explicit)
        return PPM_OK;
    return ppm_fail(
        error, PPM_MALFORMED,
        "dtype: found '%s' in the npy header and %s in the query, expected them to agree",
        header->descr, codec_dtype_name(expectation->dtype));
}

/* The header, and the tensor it describes, without data. */
static enum ppm_status read_header(const char *body, size_t body_bytes,
                                   const struct codec_expectation *expectation,
                                   struct codec_npy_header *ret_header,
                                   struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    struct ppm_tensor tensor = {.dtype = PPM_FLOAT32};
    size_t bytes;
    enum ppm_status status = codec_npy_read_header(body, body_bytes, &header, error);
    if (status == PPM_OK)
        status = check_dtype(&header, expectation, error);
    if (status == PPM_OK)
        status = ppm_tensor_from_axes(header.axes, header.axis_count, expectation->layout, &tensor,
                                      error);
    if (status == PPM_OK)
        status = ppm_shape_bytes(tensor.shape, &bytes, error);
    if (status != PPM_OK)
        return status;
    *ret_header = header;
    *ret_tensor = tensor;
    return PPM_OK;
}

/* The same for a whole body, whose size is checked. */
static enum ppm_status read_head(const char *body, size_t body_bytes,
                                 const struct codec_expectation *expectation,
                                 struct codec_npy_header *ret_header, struct ppm_tensor *ret_tensor,
                                 struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    struct ppm_tensor tensor = {0};
    if (read_header(body, body_bytes, expectation, &header, &tensor, error) != PPM_OK)
        return error->status;
    const struct ppm_shape s = tensor.shape;
    const size_t count = s.n * s.c * s.h * s.w;
    const size_t found_bytes = body_bytes - header.bytes;
    size_t data_bytes;
    if (__builtin_mul_overflow(count, header.element_bytes, &data_bytes))
        data_bytes = SIZE_MAX;
    if (data_bytes != found_bytes) {
        char shape[CODEC_AXES_TEXT_BYTES];
        return ppm_fail(error, PPM_MALFORMED,
                        "npy: found %zu byte%s of data, expected %zu for shape %s of %s",
                        found_bytes, ppm_plural(found_bytes), data_bytes,
                        codec_axes_text(header.axes, header.axis_count, shape), header.descr);
    }
    *ret_header = header;
    *ret_tensor = tensor;
    return PPM_OK;
}

/* The data, if they are float32 values in C order. */
static void *data_in_place(const struct codec_npy_header *header, char *body)
{
    char *data = body + header->bytes;
    const bool is_in_place =
        header->dtype == CODEC_NPY_FLOAT32 && !header->is_fortran && codec_is_aligned(data);
    return is_in_place ? data : NULL;
}

static enum ppm_status look(char *body, size_t body_bytes,
                            const struct codec_expectation *expectation,
                            struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    if (read_head(body, body_bytes, expectation, &header, ret_tensor, error) != PPM_OK)
        return error->status;
    ret_tensor->data = data_in_place(&header, body);
    return PPM_OK;
}

static enum ppm_status look_ahead(char *body, size_t body_bytes,
                                  const struct codec_expectation *expectation,
                                  struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    if (read_header(body, body_bytes, expectation, &header, ret_tensor, error) != PPM_OK)
        return error->status;
    ret_tensor->data = data_in_place(&header, body);
    return PPM_OK;
}

static enum ppm_status decode(const char *body, size_t body_bytes,
                              const struct codec_expectation *expectation,
                              struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    struct codec_npy_header header = {0};
    struct ppm_tensor tensor = {0};
    if (read_head(body, body_bytes, expectation, &header, &tensor, error) != PPM_OK ||
        codec_make_room(&tensor, ret_tensor->data, error) != PPM_OK)
        return error->status;
    const struct ppm_shape s = tensor.shape;
    if (read_values(&header, body + header.bytes, s.n * s.c * s.h * s.w, expectation->cancel,
                    tensor.data, error) == PPM_OK)
        *ret_tensor = tensor;
    else if (tensor.data != ret_tensor->data)
        ppm_tensor_free(&tensor);
    return error->status;
}

/* ---- writing --------------------------------------------------------------------------------- */

static const char *descr_of(const struct ppm_tensor *tensor, enum codec_dtype dtype)
{
    if (tensor->dtype == PPM_INT32)
        return "<i4";
    return dtype == CODEC_FLOAT16 ? "<f2" : "<f4";
}

/* Magic, version, length and dictionary, padded so that the data is aligned. */
static size_t head(const struct ppm_tensor *tensor, enum codec_dtype dtype,
                   char ret_head[CODEC_HEAD_BYTES_MAX])
{
    size_t axes[4];
    char shape[CODEC_AXES_TEXT_BYTES];
    codec_axes_text(axes, ppm_tensor_axes(tensor, axes), shape);
    shape[0] = '(';
    shape[strlen(shape) - 1] = ')';

    const size_t prefix_bytes = CODEC_NPY_MAGIC_BYTES + 4;
    const int dictionary_bytes = snprintf(
        ret_head + prefix_bytes, CODEC_HEAD_BYTES_MAX - prefix_bytes,
        "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr_of(tensor, dtype), shape);
    const size_t used = prefix_bytes + (size_t)dictionary_bytes;
    const size_t padded = size_round_up(used + 1, ALIGNMENT_BYTES);
    memset(ret_head + used, ' ', padded - used - 1);
    ret_head[padded - 1] = '\n';
    memcpy(ret_head, codec_npy_magic, CODEC_NPY_MAGIC_BYTES);
    const size_t header_bytes = padded - prefix_bytes;
    const char version_and_length[4] = {1, 0, (char)(header_bytes & 0xff),
                                        (char)(header_bytes >> 8)};
    memcpy(ret_head + CODEC_NPY_MAGIC_BYTES, version_and_length, sizeof version_and_length);
    return padded;
}

const struct codec_form codec_npy = {
    .name = "npy",
    .media_type = "application/x-npy",
    .extension = ".npy",
    .dtypes = 1 << CODEC_FLOAT32 | 1 << CODEC_FLOAT16,
    .decode = decode,
    .look = look,
    .look_ahead = look_ahead,
    .head = head,
    .head_bytes_max = CODEC_HEAD_BYTES_MAX,
    .element_bytes_max = sizeof(float),
};
