/* fuzz_npy.c - .npy files: every element compared with one read from its position in NumPy. */
#include "server/codec/npy/npy.h"
#include "server/codec/npy/npy_header.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double element_value(const uint8_t *at, enum codec_npy_dtype dtype)
{
    uint16_t half;
    float single;
    double wide;
    memcpy(&half, at, sizeof half);
    if (dtype == CODEC_NPY_FLOAT16)
        return fuzz_half_value(half);
    memcpy(&single, at, sizeof single);
    if (dtype == CODEC_NPY_FLOAT32)
        return (double)single;
    memcpy(&wide, at, sizeof wide);
    return (double)(float)wide;
}

/* The Fortran-order position of element number `index` in C order. */
static size_t fortran_place(const struct codec_npy_header *header, size_t index)
{
    size_t places[4], place = 0;
    for (size_t axis = header->axis_count; axis-- > 0; index /= header->axes[axis])
        places[axis] = index % header->axes[axis];
    for (size_t axis = header->axis_count; axis-- > 0;)
        place = place * header->axes[axis] + places[axis];
    return place;
}

/* A header never extends past the body, and its shape matches the data. */
static void check_values(const struct codec_npy_header *header, const struct ppm_tensor *tensor,
                         const uint8_t *data, size_t size)
{
    size_t count = 1, axes[4];
    FUZZ_CHECK(header->bytes <= size, "a header of %zu bytes in %zu", header->bytes, size);
    FUZZ_CHECK(ppm_tensor_axes(tensor, axes) == header->axis_count &&
                   memcmp(axes, header->axes, header->axis_count * sizeof *axes) == 0,
               "other axes");
    for (size_t axis = 0; axis < header->axis_count; axis++)
        FUZZ_CHECK(!__builtin_mul_overflow(count, axes[axis], &count), "accepted an overflow");
    FUZZ_CHECK(count > 0 && size - header->bytes == count * header->element_bytes,
               "%zu elements in %zu bytes", count, size - header->bytes);
    for (size_t i = 0; i < count; i++) {
        const size_t place = header->is_fortran ? fortran_place(header, i) : i;
        const double found = (double)((const float *)tensor->data)[i];
        const double expected =
            element_value(data + header->bytes + place * header->element_bytes, header->dtype);
        FUZZ_CHECK(found == expected || (isnan(found) && isnan(expected)),
                   "element %zu: found %g, expected %g", i, found, expected);
    }
}

/* A tensor that is written reads back the same. */
static void check_round_trip(struct ppm_tensor *tensor, const struct codec_expectation *expectation)
{
    const struct codec_answer answer = {.tensor = tensor, .model = "m", .threads = 1};
    struct codec_bytes bytes = {0};
    struct ppm_tensor back = {0}, seen = {0};
    struct ppm_error error = {0};
    size_t data_bytes = 0;
    FUZZ_CHECK(codec_encode(&codec_npy, &answer, &bytes, &error) == PPM_OK &&
                   codec_npy.decode(bytes.data, bytes.size, expectation, &back, &error) == PPM_OK &&
                   codec_npy.look(bytes.data, bytes.size, expectation, &seen, &error) == PPM_OK &&
                   ppm_shape_bytes(tensor->shape, &data_bytes, &error) == PPM_OK,
               "%s", error.text);
    FUZZ_CHECK(memcmp(&back.shape, &tensor->shape, sizeof back.shape) == 0 &&
                   back.is_batch == tensor->is_batch &&
                   memcmp(back.data, tensor->data, data_bytes) == 0 &&
                   memcmp(seen.data, tensor->data, data_bytes) == 0,
               "another tensor");
    ppm_tensor_free(&back);
    free(bytes.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct codec_expectation expectation = {.layout = PPM_NCHW, .model = "m"};
    const char *body = (const char *)data;
    struct codec_npy_header header = {0};
    struct ppm_tensor tensor = {0};
    struct ppm_error error = {0}, header_error = {0};
    const bool is_header = codec_npy_read_header(body, size, &header, &header_error) == PPM_OK;
    if (codec_npy.decode(body, size, &expectation, &tensor, &error) != PPM_OK) {
        fuzz_check_error(&error);
        return 0;
    }
    FUZZ_CHECK(is_header, "%s", header_error.text);
    check_values(&header, &tensor, data, size);
    check_round_trip(&tensor, &expectation);
    ppm_tensor_free(&tensor);
    return 0;
}
