/* check_simd_winograd.c - the transforms of Winograd's F(4x4, 3x3), against the scalar kernels.
 * Values that are not finite only have to be reported: zeros in the matrices spread them further.
 */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum {
    X_SLOT,
    RET_SLOT,
    TILE = SIMD_WINOGRAD_TILE,
    PLACES = SIMD_WINOGRAD_PLACES,
    TAPS = 9,
    COUNT_MAX = 140,
    WIDEST = TILE * (COUNT_MAX + SIMD_WINOGRAD_TOGETHER),
};

static float expected[PLACES * COUNT_MAX > TILE *WIDEST ? PLACES *COUNT_MAX : TILE *WIDEST];

static size_t whole(size_t count)
{
    return (count + SIMD_WINOGRAD_TOGETHER - 1) / SIMD_WINOGRAD_TOGETHER * SIMD_WINOGRAD_TOGETHER;
}

static float largest(const float *x, size_t count)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(x[i]));
    return largest;
}

static void compare(struct check *check, const char *what, const float *ret, size_t ret_stride,
                    size_t rows, size_t count, size_t expected_stride, double tolerance)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t t = 0; t < count; t++) {
            const float found = ret[i * ret_stride + t], right = expected[i * expected_stride + t];
            if (!check_is_near(found, (double)right, tolerance))
                check_fault(check, "%s [%zu][%zu] of %zu: found %g, not %g", what, i, t, count,
                            (double)found, (double)right);
        }
}

/* Between the rows of ret nothing is written. */
static void check_gaps(struct check *check, const char *what, const float *ret, size_t stride,
                       size_t rows, size_t written)
{
    for (size_t i = 0; i + 1 < rows; i++)
        for (size_t t = written; t < stride; t++)
            if (!check_is_canary(ret + i * stride + t))
                check_fault(check, "%s writes past row %zu, at %zu", what, i, t);
}

/* The largest sum of coefficients of the matrices, squared, times some roundings. */
#define TOLERANCE(coefficients) ((coefficients) * (coefficients)*0x1p-22)

static void check_input(struct check *check, size_t count)
{
    const size_t row = TILE * whole(count) + TILE, stride = row + check_pick(check, 2) * 7;
    const size_t ret_stride = count + check_pick(check, 2) * check_pick(check, 9);
    const enum check_data data = (enum check_data)check_pick(check, CHECK_SPECIAL);
    const size_t floats = (SIMD_WINOGRAD_INPUT - 1) * stride + row;
    const float *x = check_place_data(check, X_SLOT, floats, data);
    float *ret = check_place_floats(check, RET_SLOT, (PLACES - 1) * ret_stride + count);
    simd_scalar.winograd_input(x, stride, count, expected, count);
    CHECK_CALL(check, check->ops->winograd_input(x, stride, count, ret, ret_stride));
    const double tolerance =
        data == CHECK_INTEGERS ? 0 : TOLERANCE(5.2) * (double)largest(x, floats);
    compare(check, "input", ret, ret_stride, PLACES, count, count, tolerance);
    check_gaps(check, "input", ret, ret_stride, PLACES, count);
    check_margins(check, RET_SLOT);
}

static void check_weights(struct check *check, size_t count)
{
    const size_t stride = count + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride = count + check_pick(check, 2) * check_pick(check, 9);
    const enum check_data data = (enum check_data)check_pick(check, CHECK_SPECIAL);
    const size_t floats = (TAPS - 1) * stride + count;
    const float *x = check_place_data(check, X_SLOT, floats, data);
    float *ret = check_place_floats(check, RET_SLOT, (PLACES - 1) * ret_stride + count);
    simd_scalar.winograd_weights(x, stride, count, expected, count);
    CHECK_CALL(check, check->ops->winograd_weights(x, stride, count, ret, ret_stride));
    compare(check, "weights", ret, ret_stride, PLACES, count, count,
            TOLERANCE(1.3) * (double)largest(x, floats));
    check_gaps(check, "weights", ret, ret_stride, PLACES, count);
    check_margins(check, RET_SLOT);
}

static void check_output(struct check *check, size_t count)
{
    static const float clamps[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}};
    const size_t stride = count + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride = TILE * whole(count) + check_pick(check, 2) * 5;
    const float *clamp = clamps[check_pick(check, COUNT(clamps))];
    const size_t floats = (PLACES - 1) * stride + count;
    float *sums =
        check_place_data(check, X_SLOT, floats, (enum check_data)check_pick(check, CHECK_SPECIAL));
    float *ret = check_place_floats(check, RET_SLOT, (TILE - 1) * ret_stride + TILE * whole(count));
    const struct simd_winograd_sums from = {.sums = sums,
                                            .stride = stride,
                                            .count = count,
                                            .scale = check_float(check, CHECK_SIGNED),
                                            .shift = check_float(check, CHECK_SIGNED),
                                            .low = clamp[0],
                                            .high = clamp[1]};
    bool are_finite = false;
    simd_scalar.winograd_output(&from, expected, WIDEST);
    CHECK_CALL(check, are_finite = check->ops->winograd_output(&from, ret, ret_stride));
    if (!are_finite)
        check_fault(check, "output of %zu tiles: reported as not finite", count);
    compare(check, "output", ret, ret_stride, TILE, TILE * count, WIDEST,
            TOLERANCE(8.6) * (double)(largest(sums, floats) + 1));
    check_gaps(check, "output", ret, ret_stride, TILE, TILE * whole(count));
    check_margins(check, RET_SLOT);
    if (count == 0)
        return;
    static const float specials[] = {NAN, INFINITY, -INFINITY};
    sums[check_pick(check, PLACES) * stride + check_pick(check, count)] =
        specials[check_pick(check, COUNT(specials))];
    CHECK_CALL(check, are_finite = check->ops->winograd_output(&from, ret, ret_stride));
    if (are_finite)
        check_fault(check, "output of %zu tiles: a value that is not finite was not reported",
                    count);
}

static void check_counts(struct check *check, void (*one)(struct check *check, size_t count))
{
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < count; i++)
        for (size_t times = 0; times < 8; times++)
            one(check, sizes[i]);
    for (size_t i = 0; i < 50; i++)
        one(check, i);
}

void check_winograd_input(struct check *check)
{
    check_counts(check, check_input);
}

void check_winograd_weights(struct check *check)
{
    check_counts(check, check_weights);
}

void check_winograd_output(struct check *check)
{
    check_counts(check, check_output);
}
