/* tensor.c - shapes with checked sizes, and the two layouts. */
#include "core/base/tensor.h"
#include "core/base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool ppm_layout_from_name(const char *name, enum ppm_layout *ret_layout)
{
    if (strcmp(name, "NCHW") == 0)
        *ret_layout = PPM_NCHW;
    else if (strcmp(name, "NHWC") == 0)
        *ret_layout = PPM_NHWC;
    else
        return false;
    return true;
}

const char *ppm_layout_name(enum ppm_layout layout)
{
    return layout == PPM_NHWC ? "NHWC" : "NCHW";
}

const char *ppm_dtype_name(enum ppm_dtype dtype)
{
    return dtype == PPM_INT32 ? "int32" : "float32";
}

enum ppm_status ppm_shape_bytes(struct ppm_shape shape, size_t *ret_bytes, struct ppm_error *error)
{
    if (shape.n == 0 || shape.c == 0 || shape.h == 0 || shape.w == 0)
        return ppm_fail(error, PPM_MALFORMED,
                        "found a dimension of 0 (N %zu, C %zu, H %zu, W %zu), expected each to be "
                        "at least 1",
                        shape.n, shape.c, shape.h, shape.w);
    const size_t map = size_times(shape.h, size_times(shape.w, sizeof(float)));
    const size_t bytes = size_times(shape.n, size_times(shape.c, map));
    if (bytes > PTRDIFF_MAX)
        return ppm_fail(error, PPM_MALFORMED,
                        "the shape (N %zu, C %zu, H %zu, W %zu) overflows: expected its product to "
                        "fit in memory",
                        shape.n, shape.c, shape.h, shape.w);
    *ret_bytes = bytes;
    return PPM_OK;
}

struct ppm_sizes ppm_sizes_of(const struct ppm_tensor *tensors, size_t count)
{
    struct ppm_sizes sizes = {.count = count};
    assert(count <= PPM_INPUTS_MAX);
    for (size_t i = 0; i < count; i++)
        sizes.inputs[i] = tensors[i].shape;
    return sizes;
}

size_t ppm_tensor_axes(const struct ppm_tensor *tensor, size_t axes[4])
{
    const struct ppm_shape s = tensor->shape;
    size_t count = 0;
    if (tensor->is_batch)
        axes[count++] = s.n;
    if (tensor->layout == PPM_NCHW)
        axes[count++] = s.c;
    axes[count++] = s.h;
    axes[count++] = s.w;
    if (tensor->layout == PPM_NHWC)
        axes[count++] = s.c;
    return count;
}

enum ppm_status ppm_tensor_from_axes(const size_t *axes, size_t count, enum ppm_layout layout,
                                     struct ppm_tensor *ret_tensor, struct ppm_error *error)
{
    if (count != 3 && count != 4)
        return ppm_fail(
            error, PPM_MALFORMED,
            "the shape has %zu dimension%s, expected 4 (a batch) or 3 (one feature map)", count,
            ppm_plural(count));
    const size_t *map = axes + (count - 3); /* the last three axes */
    struct ppm_shape shape = {.n = count == 4 ? axes[0] : 1};
    size_t bytes;
    if (layout == PPM_NCHW)
        shape.c = map[0], shape.h = map[1], shape.w = map[2];
    else
        shape.h = map[0], shape.w = map[1], shape.c = map[2];
    if (ppm_shape_bytes(shape, &bytes, error) != PPM_OK)
        return error->status;
    ret_tensor->shape = shape;
    ret_tensor->layout = layout;
    ret_tensor->is_batch = count == 4;
    return PPM_OK;
}

enum ppm_status ppm_tensor_allocate(struct ppm_tensor *tensor, struct ppm_error *error)
{
    size_t bytes = 0;
    if (ppm_shape_bytes(tensor->shape, &bytes, error) != PPM_OK)
        return error->status;
    void *data = core_allocate(bytes, error);
    if (!data)
        return error->status;
    tensor->data = data;
    return PPM_OK;
}

void ppm_tensor_free(struct ppm_tensor *tensor)
{
    if (!tensor)
        return;
    free(tensor->data);
    tensor->data = NULL;
}

void tensor_transpose(const struct run *run, const uint32_t *from, uint32_t *to, size_t batches,
                      size_t rows, size_t columns)
{
    enum { TILE = 16 }; /* a tile of both sides stays in the first-level cache */
    size_t done = 0;
    for (size_t n = 0; n < batches; n++, from += rows * columns, to += rows * columns)
        for (size_t row0 = 0; row0 < rows; row0 += TILE)
            for (size_t column0 = 0; column0 < columns; column0 += TILE) {
                if (!run_goes_on(run, &done, TILE * TILE))
                    return;
                for (size_t row = row0; row < rows && row < row0 + TILE; row++)
                    for (size_t column = column0; column < columns && column < column0 + TILE;
                         column++)
                        to[column * rows + row] = from[row * columns + column];
            }
}

enum ppm_status tensor_to_layout(const struct run *run, const struct ppm_tensor *tensor,
                                 struct ppm_error *error)
{
    const struct ppm_shape s = tensor->shape;
    const size_t bytes = s.n * s.c * s.h * s.w * sizeof(float);
    if (tensor->layout == PPM_NCHW || s.c == 1)
        return PPM_OK;
    uint32_t *copy = core_allocate(bytes, error);
    if (!copy)
        return error->status;
    run_copy(run, copy, tensor->data, bytes / sizeof *copy);
    tensor_transpose(run, copy, tensor->data, s.n, s.c, s.h * s.w);
    free(copy);
    return PPM_OK;
}
