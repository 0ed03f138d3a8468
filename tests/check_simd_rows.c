/* check_simd_rows.c - sums and interpolation of rows, and the float16 formats, against the scalar
 * kernels. */
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

/* Both add in the order of the rows: bit for bit the same. In place the sum replaces the first row.
 */
static void check_sum(struct check *check, size_t rows, size_t columns, bool in_place)
{
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 9);
    const size_t count = columns ? (rows - 1) * stride + columns : 0;
    float *x = check_place_data(check, X_SLOT, count, data);
    float *ret = in_place ? x : check_place_floats(check, RET_SLOT, columns);
    simd_scalar.sum_rows(x, stride, rows, columns, expected);
    CHECK_CALL(check, check->ops->sum_rows(x, stride, rows, columns, ret));
    compare_row(check, ret, columns, 0, NULL);
    check_margins(check, in_place ? X_SLOT : RET_SLOT);
}

void check_sum_rows(struct check *check)
{
    static const size_t rows[] = {1, 2, 3, 4, 9};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < 8; times++)
                check_sum(check, rows[i], sizes[k], times % 2);
    for (size_t columns = 0; columns < 150; columns++)
        check_sum(check, 1 + check_pick(check, 7), columns, false);
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

typedef void convert(const uint16_t *half, float *ret, size_t count);

/* The same bits; but conversion by hardware makes a signalling NaN a quiet one. */
static bool is_same_conversion(float found, float wanted)
{
    uint32_t a, b;
    memcpy(&a, &found, sizeof a);
    memcpy(&b, &wanted, sizeof b);
    return a == b || (isnan(found) && isnan(wanted) && (a | 1u << 22) == (b | 1u << 22));
}

static void check_halves(struct check *check, convert *run, convert *scalar, size_t first,
                         size_t count)
{
    uint16_t *half = check_place(check, X_SLOT, count * sizeof *half);
    float *ret = check_place_floats(check, RET_SLOT, count);
    for (size_t i = 0; i < count; i++)
        half[i] = (uint16_t)(first + i * 257); /* all exponents side by side */
    scalar(half, expected, count);
    CHECK_CALL(check, run(half, ret, count));
    for (size_t i = 0; i < count; i++)
        if (!is_same_conversion(ret[i], expected[i]))
            check_fault(check, "[%zu] of %zu, 0x%04x: found %g, not %g", i, count,
                        (unsigned)half[i], (double)ret[i], (double)expected[i]);
    check_margins(check, RET_SLOT);
}

/* Every pattern, and every size. */
static void check_conversion(struct check *check, convert *run, convert *scalar)
{
    for (size_t first = 0; first < 1 << 16; first += EXPECTED_MAX)
        for (size_t part = 0; part < 2; part++)
            check_halves(check, run, scalar, first * 257 + part * 131, EXPECTED_MAX - part);
    for (size_t count = 0; count < 70; count++)
        for (size_t times = 0; times < 4; times++)
            check_halves(check, run, scalar, check_pick(check, 1 << 16), count);
}

void check_float16(struct check *check)
{
    check_conversion(check, check->ops->float16_to_float32, simd_scalar.float16_to_float32);
}

void check_bfloat16(struct check *check)
{
    check_conversion(check, check->ops->bfloat16_to_float32, simd_scalar.bfloat16_to_float32);
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
                check_fault(check, "%zu x %zu writes behind row %zu", rows, columns, j);
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
