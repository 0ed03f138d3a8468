/* check_simd_output.c - rows stretched, and the argmax over channels, against the scalar kernels.
 */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { X_SLOT, LOW_SLOT, WEIGHT_SLOT, RET_SLOT, VALUES_MAX = 1 << 14 };

/* ---- stretching ---- */

/* From whole rows at once to columns far apart: step is how many columns a result goes on by. */
static struct simd_taps place_taps(struct check *check, size_t count, size_t width, double step)
{
    static const float weights[] = {0, 0.5F, 0.25F, 0.3F, 0x1p-20F};
    uint32_t *low = check_place(check, LOW_SLOT, count * sizeof *low);
    float *weight = check_place_floats(check, WEIGHT_SLOT, count);
    const bool interpolates = check_pick(check, 4);
    double at = check_pick(check, 2) ? 0 : (double)check_pick(check, width);
    for (size_t j = 0; j < count; j++, at += step) {
        const size_t last = width - 1;
        low[j] = (uint32_t)(at < (double)last ? (size_t)at : last);
        weight[j] = check_pick(check, 3) ? (float)(at - floor(at))
                                         : weights[check_pick(check, COUNT(weights))];
    }
    return (struct simd_taps){
        .low = low, .weight = interpolates ? weight : NULL, .count = count, .width = width};
}

static void compare_stretched(struct check *check, const struct simd_taps *taps, const float *x,
                              const float *ret, const float *expected)
{
    for (size_t j = 0; j < taps->count; j++) {
        const size_t low = taps->low[j], high = low + 1 < taps->width ? low + 1 : low;
        double tolerance = 0;
        if (taps->weight)
            tolerance = 0x1p-23 * (fabs((1 - (double)taps->weight[j]) * (double)x[low]) +
                                   fabs((double)taps->weight[j] * (double)x[high]) + 0x1p-126);
        if (!check_is_near(ret[j], (double)expected[j], tolerance))
            check_fault(check, "[%zu] of %zu, from %zu of %zu: found %g, not %g", j, taps->count,
                        low, taps->width, (double)ret[j], (double)expected[j]);
    }
}

static void check_stretch(struct check *check, size_t rows, size_t count, size_t width, double step)
{
    static float expected[VALUES_MAX];
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = width + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride = count + check_pick(check, 2) * check_pick(check, 9);
    const struct simd_taps taps = place_taps(check, count, width, step);
    const float *x = check_place_data(check, X_SLOT, (rows - 1) * stride + width, data);
    float *ret = check_place_floats(check, RET_SLOT, count ? (rows - 1) * ret_stride + count : 0);
    simd_scalar.stretch_rows(x, stride, rows, &taps, expected, ret_stride);
    CHECK_CALL(check, check->ops->stretch_rows(x, stride, rows, &taps, ret, ret_stride));
    for (size_t i = 0; i < rows; i++) {
        compare_stretched(check, &taps, x + i * stride, ret + i * ret_stride,
                          expected + i * ret_stride);
        for (size_t j = count; i + 1 < rows && count && j < ret_stride; j++)
            if (!check_is_canary(&ret[i * ret_stride + j]))
                check_fault(check, "writes past row %zu of %zu", i, rows);
    }
    check_margins(check, RET_SLOT);
}

void check_stretch_rows(struct check *check)
{
    static const double steps[] = {0.126, 0, 1, 0.4, 0.9, 1.3, 2.5, 7};
    static const size_t widths[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 60, 100};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(widths); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < COUNT(steps); times++)
                check_stretch(check, 1 + check_pick(check, 5), sizes[k], widths[i], steps[times]);
}

/* ---- argmax ---- */

/* Few numbers make ties; NaN and Inf are for the special ones. */
static void check_labels(struct check *check, size_t channels, size_t count)
{
    static int32_t expected[VALUES_MAX];
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = count + check_pick(check, 2) * check_pick(check, 9);
    const size_t size = count ? (channels - 1) * stride + count : 0;
    const float *x = check_place_data(check, X_SLOT, size, data);
    int32_t *ret = check_place(check, RET_SLOT, count * sizeof *ret);
    simd_scalar.argmax(x, channels, stride, count, expected);
    CHECK_CALL(check, check->ops->argmax(x, channels, stride, count, ret));
    for (size_t j = 0; j < count; j++)
        if (ret[j] != expected[j])
            check_fault(check, "[%zu] of %zu, %zu channels: found %d, not %d", j, count, channels,
                        (int)ret[j], (int)expected[j]);
    check_margins(check, RET_SLOT);
}

void check_argmax(struct check *check)
{
    static const size_t channels[] = {1, 2, 3, 21, 90};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(channels); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < 8; times++)
                check_labels(check, channels[i], sizes[k]);
    for (size_t columns = 0; columns < 70; columns++)
        check_labels(check, 4, columns);
}
