/* test_shapes.c - the sizes of maps: windows along an axis, and nodes of a graph. The numbers are
 * PyTorch's, those of same padding TensorFlow's. */
#include "core/shape/window_axis.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(shapes, .init = support_open_folder, .fini = support_close_folder);

static struct window window_of(size_t size, size_t stride, size_t dilation)
{
    return (struct window){.size = {1, size}, .stride = {1, stride}, .dilation = {1, dilation}};
}

Test(shapes, outputs_of_windows)
{
    static const struct {
        size_t size, stride, dilation, before, after, extent;
        bool is_ceil;
        size_t outputs;
    } cases[] = {
        {1, 1, 1, 0, 0, 7, false, 7},     {3, 1, 1, 1, 1, 7, false, 7},
        {3, 2, 1, 1, 1, 7, false, 4},     {3, 2, 1, 1, 1, 8, false, 4},
        {7, 2, 1, 3, 3, 473, false, 237}, {3, 1, 2, 2, 2, 9, false, 9},
        {3, 1, 4, 4, 4, 60, false, 60},   {3, 2, 2, 1, 0, 9, false, 3},
        {2, 1, 1, 0, 1, 5, false, 5},     {5, 3, 1, 0, 4, 2, false, 1},
        {11, 4, 1, 2, 2, 224, false, 55}, {3, 1, 12, 0, 0, 25, false, 1},
        {3, 1, 12, 0, 0, 24, false, 0},   {4, 2, 1, 1, 2, 1, false, 1},
        {1, 2, 1, 0, 0, 6, false, 3},     {1, 3, 1, 0, 0, 5, false, 2},
        {3, 2, 1, 1, 1, 237, false, 119}, {3, 2, 1, 1, 1, 237, true, 119},
        {3, 2, 1, 0, 0, 7, false, 3},     {3, 2, 1, 0, 0, 7, true, 3},
        {3, 2, 1, 0, 0, 8, false, 3},     {3, 2, 1, 0, 0, 8, true, 4},
        {2, 2, 1, 0, 0, 7, false, 3},     {2, 2, 1, 0, 0, 7, true, 4},
        {2, 3, 1, 1, 1, 4, false, 2},     {2, 3, 1, 1, 1, 4, true, 2},
        {2, 3, 1, 1, 1, 5, false, 2},     {2, 3, 1, 1, 1, 5, true, 2},
        {5, 2, 1, 2, 2, 60, false, 30},   {5, 2, 1, 2, 2, 60, true, 31},
        {9, 4, 1, 4, 4, 60, false, 15},   {9, 4, 1, 4, 4, 60, true, 16},
        {17, 8, 1, 8, 8, 60, false, 8},   {17, 8, 1, 8, 8, 60, true, 9},
        {17, 8, 1, 8, 8, 9, false, 2},    {17, 8, 1, 8, 8, 9, true, 2},
        {3, 3, 1, 1, 1, 6, false, 2},     {3, 3, 1, 1, 1, 6, true, 3},
        {2, 2, 1, 1, 1, 3, false, 2},     {2, 2, 1, 1, 1, 3, true, 2},
        {2, 2, 1, 1, 1, 4, false, 3},     {2, 2, 1, 1, 1, 4, true, 3},
        {2, 5, 1, 1, 1, 5, false, 2},     {2, 5, 1, 1, 1, 5, true, 2},
        {2, 4, 1, 0, 0, 5, false, 1},     {2, 4, 1, 0, 0, 5, true, 2},
        {2, 4, 1, 0, 0, 6, false, 2},     {2, 4, 1, 0, 0, 6, true, 2},
        {3, 1, 1, 1, 1, 1, false, 1},     {3, 1, 1, 1, 1, 1, true, 1},
        {4, 4, 1, 0, 0, 3, false, 0},     {4, 4, 1, 0, 0, 3, true, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = window_of(cases[i].size, cases[i].stride, cases[i].dilation);
        window.before[AXIS_W] = cases[i].before;
        window.after[AXIS_W] = cases[i].after;
        window.is_ceil = cases[i].is_ceil;
        const struct window_axis on = window_axis_of(&window, AXIS_W, cases[i].extent);
        cr_expect_eq(on.outputs, cases[i].outputs, "case %zu: found %zu, expected %zu", i,
                     on.outputs, cases[i].outputs);
    }
}

Test(shapes, same_padding)
{
    static const struct {
        size_t size, stride, dilation, extent, outputs, before, after;
    } cases[] = {
        {3, 1, 1, 5, 5, 1, 1}, {3, 2, 1, 5, 3, 1, 1},     {3, 2, 1, 6, 3, 0, 1},
        {2, 1, 1, 4, 4, 0, 1}, {7, 2, 1, 224, 112, 2, 3}, {3, 1, 4, 9, 9, 4, 4},
        {1, 2, 1, 5, 3, 0, 0}, {2, 3, 1, 9, 3, 0, 0},     {2, 5, 1, 7, 2, 0, 0},
        {5, 2, 1, 1, 1, 2, 2}, {4, 2, 1, 3, 2, 1, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = window_of(cases[i].size, cases[i].stride, cases[i].dilation);
        window.is_same = true;
        const struct window_axis on = window_axis_of(&window, AXIS_W, cases[i].extent);
        cr_expect(on.outputs == cases[i].outputs && on.before == cases[i].before &&
                      on.after == cases[i].after,
                  "case %zu: found %zu, %zu, %zu", i, on.outputs, on.before, on.after);
    }
}

/* The taps of each output are those whose pixels lie in the map. */
Test(shapes, taps_of_windows)
{
    for (size_t code = 0; code < 5 * 4 * 3 * 4 * 4 * 2; code++) {
        const size_t extent = 1 + code / 384 * 3;
        struct window window = window_of(1 + code % 4, 1 + code / 4 % 3, 1 + code / 12 % 4);
        window.before[AXIS_W] = code / 48 % 4;
        window.after[AXIS_W] = 2;
        window.is_same = code / 192 % 2;
        const struct window_axis on = window_axis_of(&window, AXIS_W, extent);
        for (size_t i = 0; i < on.outputs; i++) {
            size_t from, to;
            window_axis_taps(&window, AXIS_W, extent, &on, i, &from, &to);
            for (size_t k = 0; k < window.size[AXIS_W]; k++) {
                const ptrdiff_t pixel =
                    (ptrdiff_t)(i * window.stride[AXIS_W] + k * window.dilation[AXIS_W]) -
                    (ptrdiff_t)on.before;
                const bool is_inside = pixel >= 0 && pixel < (ptrdiff_t)extent;
                cr_assert_eq(is_inside, k >= from && k < to, "code %zu, output %zu, tap %zu", code,
                             i, k);
            }
        }
    }
}
