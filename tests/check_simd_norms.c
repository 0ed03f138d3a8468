/* check_simd_norms.c - moments and layer norm against the scalar kernels: both compute in double
 * precision. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { X_SLOT, SCALE_SLOT, SHIFT_SLOT, RET_SLOT };

/* ---- moments ---- */

static void compare_moment(struct check *check, const char *moment, size_t count, double found,
                           double expected, double magnitude)
{
    const double tolerance = ((double)count + 2) * DBL_EPSILON * magnitude;
    if (!(isnan(expected)   ? isnan(found)
          : isinf(expected) ? found == expected
                            : fabs(found - expected) <= tolerance))
        check_fault(check, "%s of %zu: found %.17g, not %.17g", moment, count, found, expected);
}

/* Values around a number, and one of them, or that number, as their center. */
struct values {
    const float *x;
    size_t count;
    float center;
    enum check_data data;
};

static struct values place_values(struct check *check, size_t count, float around)
{
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    float *x = check_place_data(check, X_SLOT, count, data);
    for (size_t i = 0; i < count; i++)
        x[i] += around;
    const float center = count && check_pick(check, 2) ? x[check_pick(check, count)] : around;
    return (struct values){.x = x, .count = count, .center = center, .data = data};
}

/* Added to what the moments of other values might be. */
static void check_moment(struct check *check, const struct values v)
{
    const struct simd_moments before = {.sum = (double)check_float(check, v.data),
                                        .squares = (double)check_float(check, v.data)};
    struct simd_moments ret = before, expected = before;
    double magnitude = fabs(before.sum);
    for (size_t i = 0; i < v.count; i++)
        magnitude += fabs((double)v.x[i] - (double)v.center);
    simd_scalar.moments(v.x, v.count, v.center, &expected);
    CHECK_CALL(check, check->ops->moments(v.x, v.count, v.center, &ret));
    compare_moment(check, "sum", v.count, ret.sum, expected.sum, magnitude);
    compare_moment(check, "squares", v.count, ret.squares, expected.squares,
                   fabs(before.squares) + expected.squares - before.squares);
}

void check_moments(struct check *check)
{
    for (size_t count = 0; count < 100; count++)
        for (size_t times = 0; times < 20; times++)
            check_moment(check, place_values(check, count, times % 4 ? 0 : 1000));
    check_moment(check, place_values(check, 10000, 1000));
}

/* ---- layer norm ---- */

/* Each is rounded once, from numbers that differ in the last digits of double precision. */
static void compare_pixels(struct check *check, const struct simd_layer_norm *norm, size_t count,
                           const float *ret, size_t ret_stride, const float *expected)
{
    for (size_t c = 0; c < norm->channels; c++)
        for (size_t p = 0; p < count; p++) {
            const float found = ret[c * ret_stride + p];
            const double right = (double)expected[c * ret_stride + p];
            const double magnitude = fabs(right) + 2 * fabs((double)norm->shift[c]);
            if (!check_is_near(found, right,
                               fabs(right) * FLT_EPSILON + magnitude * 0x1p-36 + 0x1p-149))
                check_fault(check, "[%zu][%zu] of %zu channels, %zu pixels: found %.9g, not %.9g",
                            c, p, norm->channels, count, (double)found, right);
        }
}

/* Values around 1000 have means whose digits float32 does not hold. */
static void check_pixels(struct check *check, size_t channels, size_t count, bool in_place)
{
    enum { VALUES_MAX = 1 << 14 };
    static float expected[VALUES_MAX];
    static const double eps[] = {1e-5, 1e-6, 0.1};
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const float around = check_pick(check, 3) ? 0 : 1000;
    const size_t stride = count + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride =
        in_place ? stride : count + check_pick(check, 2) * check_pick(check, 9);
    const struct simd_layer_norm norm = {
        .channels = channels,
        .eps = eps[check_pick(check, COUNT(eps))],
        .scale = check_place_data(check, SCALE_SLOT, channels, CHECK_SIGNED),
        .shift = check_place_data(check, SHIFT_SLOT, channels, CHECK_SIGNED)};
    const size_t size = count ? (channels - 1) * stride + count : 0;
    float *x = check_place_floats(check, X_SLOT, size);
    for (size_t i = 0; i < size; i++)
        if (i % stride < count)
            x[i] = check_float(check, data) + around;
    float *ret = in_place ? x
                          : check_place_floats(check, RET_SLOT,
                                               count ? (channels - 1) * ret_stride + count : 0);
    simd_scalar.layer_norm(&norm, x, stride, count, expected, ret_stride);
    CHECK_CALL(check, check->ops->layer_norm(&norm, x, stride, count, ret, ret_stride));
    compare_pixels(check, &norm, count, ret, ret_stride, expected);
    for (size_t i = 0; count && i < (channels - 1) * ret_stride; i++)
        if (i % ret_stride >= count && !check_is_canary(&ret[i]))
            check_fault(check, "writes between channels: [%zu] with stride %zu", i, ret_stride);
    check_margins(check, in_place ? X_SLOT : RET_SLOT);
}

void check_layer_norm(struct check *check)
{
    static const size_t channels[] = {1, 2, 3, 17, 96};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(channels); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < 8; times++)
                check_pixels(check, channels[i], sizes[k], times % 2);
    for (size_t pixels = 1; pixels < 60; pixels++)
        check_pixels(check, 5, pixels, false);
}
