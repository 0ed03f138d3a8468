/* test_tensor.c - shapes: checks, conversion to axes and back; memory; the two layouts. */
#include "core/base/tensor.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

Test(tensor, names)
{
    enum ppm_layout layout = PPM_NHWC;
    cr_expect(ppm_layout_from_name("NCHW", &layout) && layout == PPM_NCHW);
    cr_expect(ppm_layout_from_name("NHWC", &layout) && layout == PPM_NHWC);
    static const char *const others[] = {"", "nchw", "NCHW ", "NCH", "CHW", "NWHC"};
    for (size_t i = 0; i < COUNT(others); i++)
        cr_expect(!ppm_layout_from_name(others[i], &layout) && layout == PPM_NHWC, "\"%s\"",
                  others[i]);
    cr_expect_str_eq(ppm_layout_name(PPM_NCHW), "NCHW");
    cr_expect_str_eq(ppm_layout_name(PPM_NHWC), "NHWC");
    cr_expect_str_eq(ppm_dtype_name(PPM_FLOAT32), "float32");
    cr_expect_str_eq(ppm_dtype_name(PPM_INT32), "int32");
}

Test(tensor, sizes)
{
    const size_t half = (size_t)1 << 32;
    const struct {
        struct ppm_shape shape;
        size_t bytes; /* 0: refused */
        const char *text;
    } cases[] = {
        {{1, 2, 3, 5}, 120, NULL},
        {{1, 1, 1, 1}, 4, NULL},
        {{1, 1, 1, (SIZE_MAX >> 3) - 0}, SIZE_MAX / 8 * 4, NULL},
        {{1, 1, 1, (SIZE_MAX >> 3) + 1}, 0, "overflows"},
        {{half, half, 1, 1}, 0, "overflows"},
        {{1, half, 1, half}, 0, "(N 1, C 4294967296, H 1, W 4294967296) overflows"},
        {{half, half, half, half}, 0, "overflows"},
        {{SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX}, 0, "overflows"},
        {{3, (size_t)1 << 62, 1, 1}, 0, "overflows"},
        {{0, 1, 1, 1}, 0, "found a dimension of 0 (N 0, C 1, H 1, W 1)"},
        {{1, 0, 1, 1}, 0, "found a dimension of 0"},
        {{1, 1, 0, 1}, 0, "found a dimension of 0"},
        {{SIZE_MAX, SIZE_MAX, 1, 0}, 0, "found a dimension of 0"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t bytes = 77;
        struct ppm_error error = {0};
        const enum ppm_status status = ppm_shape_bytes(cases[i].shape, &bytes, &error);
        if (cases[i].bytes)
            cr_expect(status == PPM_OK && bytes == cases[i].bytes, "case %zu: found %zu", i, bytes);
        else
            cr_expect(status == PPM_MALFORMED && bytes == 77 &&
                          strstr(error.text, cases[i].text) != NULL,
                      "case %zu: found %d \"%s\"", i, (int)status, error.text);
    }
}

Test(tensor, axes_and_back)
{
    static const struct {
        size_t axes[4], count;
        enum ppm_layout layout;
        struct ppm_shape shape;
    } cases[] = {
        {{2, 3, 5, 7}, 4, PPM_NCHW, {2, 3, 5, 7}},
        {{2, 5, 7, 3}, 4, PPM_NHWC, {2, 3, 5, 7}},
        {{3, 5, 7}, 3, PPM_NCHW, {1, 3, 5, 7}},
        {{5, 7, 3}, 3, PPM_NHWC, {1, 3, 5, 7}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        struct ppm_tensor tensor = {.dtype = PPM_INT32, .data = &error};
        size_t axes[4];
        cr_expect(ppm_tensor_from_axes(cases[i].axes, cases[i].count, cases[i].layout, &tensor,
                                       &error) == PPM_OK);
        cr_expect(memcmp(&tensor.shape, &cases[i].shape, sizeof tensor.shape) == 0, "case %zu", i);
        cr_expect(tensor.layout == cases[i].layout, "case %zu", i);
        cr_expect(tensor.is_batch == (cases[i].count == 4), "case %zu", i);
        cr_expect(tensor.dtype == PPM_INT32 && tensor.data == &error, "case %zu", i);
        cr_expect(ppm_tensor_axes(&tensor, axes) == cases[i].count, "case %zu", i);
        cr_expect(memcmp(axes, cases[i].axes, cases[i].count * sizeof *axes) == 0, "case %zu", i);
    }
}

Test(tensor, axes_that_are_refused)
{
    const struct {
        size_t axes[5], count;
        const char *text;
    } cases[] = {
        {{1}, 0, "the shape has 0 dimensions, expected 4 (a batch) or 3 (one feature map)"},
        {{1, 2}, 2, "has 2 dimensions"},
        {{1, 2, 3, 4, 5}, 5, "has 5 dimensions"},
        {{0, 2, 3, 4}, 4, "a dimension of 0"},
        {{2, 3, 0}, 3, "a dimension of 0"},
        {{SIZE_MAX, 2, 3, 4}, 4, "overflows"},
        {{SIZE_MAX / 2, 1, 1}, 3, "overflows"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_error error = {0};
        struct ppm_tensor tensor = {.shape = {9, 9, 9, 9}};
        cr_expect(ppm_tensor_from_axes(cases[i].axes, cases[i].count, PPM_NHWC, &tensor, &error) ==
                      PPM_MALFORMED,
                  "case %zu", i);
        cr_expect(strstr(error.text, cases[i].text) != NULL, "case %zu: \"%s\"", i, error.text);
        cr_expect(tensor.shape.n == 9 && tensor.layout == PPM_NCHW, "case %zu", i);
    }
}

Test(tensor, memory)
{
    struct ppm_error error = {0};
    struct ppm_tensor tensor = {.shape = {1, 3, 1, 1}}, none = {.shape = {1, 0, 1, 1}};
    cr_assert(ppm_tensor_allocate(&tensor, &error) == PPM_OK);
    cr_assert(tensor.data != NULL);
    cr_expect((uintptr_t)tensor.data % 64 == 0);
    free(tensor.data);
    tensor.data = NULL;
    ppm_tensor_free(&tensor);
    ppm_tensor_free(NULL);
    cr_expect(ppm_tensor_allocate(&none, &error) == PPM_MALFORMED && none.data == NULL);
}

/* Sizes around the tile of 16, and a batch. */
Test(tensor, transposes)
{
    static const size_t sizes[] = {1, 2, 15, 16, 17, 33};
    enum { BATCHES = 2, MOST = 33 * 33 * BATCHES };
    static uint32_t from[MOST], to[MOST + 1], back[MOST];
    for (size_t i = 0; i < MOST; i++)
        from[i] = (uint32_t)i * 2654435761u;
    for (size_t r = 0; r < COUNT(sizes); r++)
        for (size_t c = 0; c < COUNT(sizes); c++) {
            const size_t rows = sizes[r], columns = sizes[c], count = BATCHES * rows * columns;
            to[count] = 12345;
            tensor_transpose(NULL, from, to, BATCHES, rows, columns);
            cr_expect(to[count] == 12345, "%zu x %zu", rows, columns);
            for (size_t n = 0; n < BATCHES; n++)
                for (size_t row = 0; row < rows; row++)
                    for (size_t column = 0; column < columns; column++)
                        cr_assert(to[(n * columns + column) * rows + row] ==
                                      from[(n * rows + row) * columns + column],
                                  "%zu x %zu", rows, columns);
            tensor_transpose(NULL, to, back, BATCHES, columns, rows);
            cr_expect(memcmp(back, from, count * sizeof *from) == 0, "%zu x %zu", rows, columns);
        }
}
