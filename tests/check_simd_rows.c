/* check_simd_rows.c - rows picked, summed, interpolated and transposed, against the scalar kernels.
 */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { X_SLOT, Y_SLOT, RET_SLOT, EXPECTED_MAX = 512 };

static float expected[EXPECTED_MAX];

static void compare_row(struct check *check, const float *ret, size_t count, double tolerance,
                        const double *scales)
{
    for (size_t j = 0; j < count; j++)
        if (!check_is_near(ret[j], (double)expected[j], tolerance * (scales ? scales[j] : 1)))
            check_fault(check, "[%zu] of %zu: found %g, not %g", j, count, (double)ret[j],
                        (double)expected[j]);
}

typedef void fold_kernel(const float *x, size_t stride, size_t rows, size_t columns, float *ret);

/* Sums are added in the order of the rows: bit for bit the same. In place the result replaces the
 * first row. */
static void check_fold(struct check *check, fold_kernel *kernel, fold_kernel *specified,
                       size_t rows, size_t columns, bool in_place)
{
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 9);
    const size_t count = columns ? (rows - 1) * stride + columns : 0;
    float *x = check_place_data(check, X_SLOT, count, data);
    float *ret = in_place ? x : check_place_floats(check, RET_SLOT, columns);
    specified(x, stride, rows, columns, expected);
    CHECK_CALL(check, kernel(x, stride, rows, columns, ret));
    compare_row(check, ret, columns, 0, NULL);
    check_margins(check, in_place ? X_SLOT : RET_SLOT);
}

static void check_folds(struct check *check, fold_kernel *kernel, fold_kernel *specified)
{
    static const size_t rows[] = {1, 2, 3, 4, 9};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < 8; times++)
                check_fold(check, kernel, specified, rows[i], sizes[k], times % 2);
    for (size_t columns = 0; columns < 150; columns++)
        check_fold(check, kernel, specified, 1 + check_pick(check, 7), columns, false);
}

void check_sum_rows(struct check *check)
{
    check_folds(check, check->ops->sum_rows, simd_scalar.sum_rows);
}

void check_max_rows(struct check *check)
{
    check_folds(check, check->ops->max_rows, simd_scalar.max_rows);
}

typedef void window_kernel(const float *x, size_t window, size_t step, size_t count, float *ret);

static void check_window(struct check *check, window_kernel *kernel, window_kernel *specified,
                         const size_t window[2], size_t count, bool in_place)
{
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t width = count ? (count - 1) * window[1] + window[0] : 0;
    float *x = check_place_data(check, X_SLOT, width, data);
    float *ret = in_place ? x : check_place_floats(check, RET_SLOT, count);
    specified(x, window[0], window[1], count, expected);
    CHECK_CALL(check, kernel(x, window[0], window[1], count, ret));
    compare_row(check, ret, count, 0, NULL);
    check_margins(check, in_place ? X_SLOT : RET_SLOT);
}

static void check_windows(struct check *check, window_kernel *kernel, window_kernel *specified)
{
    static const size_t windows[][2] = {{2, 2}, {3, 2}, {3, 1}, {5, 2}, {9, 4}, {17, 8}, {1, 3}};
    for (size_t i = 0; i < COUNT(windows); i++)
        for (size_t count = 0; count < 70; count++)
            for (size_t times = 0; times < 4; times++)
                check_window(check, kernel, specified, windows[i], count, times % 2);
}

void check_sum_windows(struct check *check)
{
    check_windows(check, check->ops->sum_windows, simd_scalar.sum_windows);
}

void check_max_windows(struct check *check)
{
    check_windows(check, check->ops->max_windows, simd_scalar.max_windows);
}

/* Three roundings by the formula, two with a fused multiply-add. */
static void check_lerp(struct check *check, size_t count, size_t place)
{
    static const float weights[] = {0, 1, 0.5F, 0.25F, 0.3F, 0x1p-20F};
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const float weight = weights[check_pick(check, COUNT(weights))];
    float *above = check_place_data(check, X_SLOT, count, data);
    float *below = check_place_data(check, Y_SLOT, count, data);
    float *const rets[] = {check_place_floats(check, RET_SLOT, count), above, below};
    static const size_t slots[] = {RET_SLOT, X_SLOT, Y_SLOT};
    double scales[EXPECTED_MAX];
    for (size_t j = 0; j < count; j++)
        scales[j] = fabs((1 - (double)weight) * (double)above[j]) +
                    fabs((double)weight * (double)below[j]) + 0x1p-126;
    simd_scalar.lerp_rows(above, below, weight, expected, count);
    CHECK_CALL(check, check->ops->lerp_rows(above, below, weight, rets[place], count));
    compare_row(check, rets[place], count, 0x1p-23, scales);
    check_margins(check, slots[place]);
}

void check_lerp_rows(struct check *check)
{
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t k = 0; k < count; k++)
        for (size_t times = 0; times < 30; times++)
            check_lerp(check, sizes[k], times % 3);
    for (size_t columns = 0; columns < 150; columns++)
        check_lerp(check, columns, 0);
}

static void check_transposed(struct check *check, size_t rows, size_t columns)
{
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride = rows + check_pick(check, 2) * check_pick(check, 9);
    const float *x = check_place_data(check, 0, (rows - 1) * stride + columns, CHECK_SPECIAL);
    float *ret = check_place_floats(check, 1, (columns - 1) * ret_stride + rows);
    CHECK_CALL(check, check->ops->transpose(x, stride, rows, columns, ret, ret_stride));
    for (size_t j = 0; j < columns; j++) {
        for (size_t i = 0; i < rows; i++)
            if (memcmp(&ret[j * ret_stride + i], &x[i * stride + j], sizeof *x) != 0)
                check_fault(check, "%zu x %zu, transposed [%zu][%zu]: found %g, not %g", rows,
                            columns, j, i, (double)ret[j * ret_stride + i],
                            (double)x[i * stride + j]);
        for (size_t i = rows; j + 1 < columns && i < ret_stride; i++)
            if (!check_is_canary(&ret[j * ret_stride + i]))
                check_fault(check, "%zu x %zu writes past row %zu", rows, columns, j);
    }
    check_margins(check, 1);
}

void check_transpose(struct check *check)
{
    size_t rows[CHECK_SIZES], columns[CHECK_SIZES];
    const size_t row_sizes = check_sizes(8, rows), column_sizes = check_sizes(16, columns);
    for (size_t i = 1; i < row_sizes; i++)
        for (size_t k = 1; k < column_sizes; k++)
            for (size_t times = 0; times < 2; times++)
                check_transposed(check, rows[i], columns[k]);
}

static void check_picked(struct check *check, size_t rows, size_t count, size_t step)
{
    const size_t width = count ? (count - 1) * step + 1 : 0;
    const size_t stride = width + check_pick(check, 2) * check_pick(check, 9);
    const size_t ret_stride = count + check_pick(check, 2) * check_pick(check, 9);
    const float *x =
        check_place_data(check, X_SLOT, count ? (rows - 1) * stride + width : 0, CHECK_SPECIAL);
    float *ret = check_place_floats(check, RET_SLOT, count ? (rows - 1) * ret_stride + count : 0);
    CHECK_CALL(check, check->ops->pick_rows(x, stride, rows, step, count, ret, ret_stride));
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < count; j++)
            if (memcmp(&ret[i * ret_stride + j], &x[i * stride + j * step], sizeof *x) != 0)
                check_fault(check, "every %zuth, [%zu][%zu] of %zu: found %g, not %g", step, i, j,
                            count, (double)ret[i * ret_stride + j],
                            (double)x[i * stride + j * step]);
        for (size_t j = count; count && i + 1 < rows && j < ret_stride; j++)
            if (!check_is_canary(&ret[i * ret_stride + j]))
                check_fault(check, "writes past row %zu of %zu", i, rows);
    }
    check_margins(check, RET_SLOT);
}

void check_pick_rows(struct check *check)
{
    static const size_t steps[] = {1, 2, 3, 4, 7};
    for (size_t i = 0; i < COUNT(steps); i++)
        for (size_t count = 0; count < 70; count++)
            for (size_t rows = 1; rows < 4; rows++)
                check_picked(check, rows, count, steps[i]);
}
