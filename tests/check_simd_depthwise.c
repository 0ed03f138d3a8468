/* check_simd_depthwise.c - windows that slide over a plane, against the formula of simd.h. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>

enum { X_SLOT, WEIGHTS_SLOT, RET_SLOT };

struct windows {
    struct simd_depthwise conv;
    const float *x;
    float *ret;
    size_t rows, count, ret_stride;
    bool is_exact;
};

/* A sum of n rounded terms is off by less than n roundings of the sum of their magnitudes; the
 * epilogue adds two more. Integers allow no error. */
static void compare_result(struct check *check, const struct windows *w, size_t i, size_t j)
{
    const struct simd_depthwise *conv = &w->conv;
    const float *window = w->x + i * conv->window_down + j * conv->window_right;
    double sum = 0, magnitude = 0;
    for (size_t u = 0; u < conv->kernel_h; u++)
        for (size_t v = 0; v < conv->kernel_w; v++) {
            const double term = (double)conv->weights[u * conv->kernel_w + v] *
                                (double)window[u * conv->tap_down + v * conv->tap_right];
            sum += term;
            magnitude += fabs(term);
        }
    const double roundings = (double)(conv->kernel_h * conv->kernel_w) + 4;
    const double scale = (double)conv->scale, value = sum * scale + (double)conv->shift;
    const double expected = value < (double)conv->low    ? (double)conv->low
                            : value > (double)conv->high ? (double)conv->high
                                                         : value;
    double tolerance = roundings * (magnitude * 0x1p-24 + 0x1p-149) * fabs(scale) +
                       (fabs(sum * scale) + fabs(value)) * 0x1p-23 + 0x1p-149;
    if (w->is_exact || !isfinite(value))
        tolerance = 0;
    const float found = w->ret[i * w->ret_stride + j];
    if (!check_is_near(found, expected, tolerance))
        check_fault(check, "%zu x %zu every %zu and %zu, [%zu][%zu] of %zu x %zu: found %g, not %g",
                    conv->kernel_h, conv->kernel_w, conv->window_down, conv->window_right, i, j,
                    w->rows, w->count, (double)found, expected);
}

static void compare(struct check *check, const struct windows *w)
{
    for (size_t i = 0; i < w->rows; i++) {
        for (size_t j = 0; j < w->count; j++)
            compare_result(check, w, i, j);
        for (size_t j = w->count; w->count && i + 1 < w->rows && j < w->ret_stride; j++)
            if (!check_is_canary(&w->ret[i * w->ret_stride + j]))
                check_fault(check, "writes past row %zu of %zu", i, w->rows);
    }
    check_margins(check, RET_SLOT);
}

/* The plane ends with the last tap of the last window, and begins with the first one. */
static void check_windows(struct check *check, size_t h, size_t w, size_t stride, size_t dilation,
                          size_t rows, size_t count)
{
    static const float bounds[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}, {-1, 1}};
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const float *bound = bounds[check_pick(check, COUNT(bounds))];
    const size_t stride_h = check_pick(check, 4) ? stride : 1 + check_pick(check, 3);
    const size_t reach = (w - 1) * dilation + 1, width = count ? (count - 1) * stride + reach : 0;
    const size_t row = width + check_pick(check, 2) * check_pick(check, 9);
    const size_t height = (rows - 1) * stride_h + (h - 1) * dilation + 1;
    const bool is_exact = data == CHECK_INTEGERS;
    struct windows at = {.conv = {.kernel_h = h,
                                  .kernel_w = w,
                                  .window_down = stride_h * row,
                                  .window_right = stride,
                                  .tap_down = dilation * row,
                                  .tap_right = dilation,
                                  .scale = is_exact ? 0.5F : check_float(check, CHECK_SIGNED),
                                  .shift = check_float(check, data),
                                  .low = bound[0],
                                  .high = bound[1]},
                         .rows = rows,
                         .count = count,
                         .ret_stride = count + check_pick(check, 2) * check_pick(check, 9),
                         .is_exact = is_exact};
    at.conv.weights = check_place_data(check, WEIGHTS_SLOT, h * w, data);
    at.x = check_place_data(check, X_SLOT, count ? (height - 1) * row + width : 0, data);
    at.ret = check_place_floats(check, RET_SLOT, count ? (rows - 1) * at.ret_stride + count : 0);
    CHECK_CALL(check, check->ops->depthwise(&at.conv, at.x, rows, count, at.ret, at.ret_stride));
    compare(check, &at);
}

void check_depthwise(struct check *check)
{
    static const size_t kernels[][2] = {{3, 3}, {5, 5}, {7, 7}, {1, 1}, {1, 9}, {9, 1}, {2, 4}};
    static const size_t strides[] = {1, 2, 4}, dilations[] = {1, 2, 5};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(8, sizes);
    for (size_t i = 0; i < COUNT(kernels); i++)
        for (size_t k = 0; k < COUNT(strides) * COUNT(dilations); k++)
            for (size_t size = 0; size < count; size++)
                check_windows(check, kernels[i][0], kernels[i][1], strides[k % COUNT(strides)],
                              dilations[k / COUNT(strides)], 1 + check_pick(check, 5), sizes[size]);
    for (size_t columns = 0; columns < 140; columns++)
        for (size_t stride = 1; stride < 3; stride++)
            for (size_t rows = 1; rows < 4; rows++)
                check_windows(check, 3, 3, stride, 1, rows, columns);
}
