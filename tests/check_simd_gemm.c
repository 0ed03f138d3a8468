/* check_simd_gemm.c - the register tile and its packing against the formulas of simd.h.
 *
 * Not table against table: panels of tables differ in width, and so does what is packed. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { RUNS_MAX = 3, A_SLOT = 0, B_SLOT = RUNS_MAX, C_SLOT = 2 * RUNS_MAX, SCALE_SLOT, SHIFT_SLOT };

struct product {
    struct simd_gemm_run runs[RUNS_MAX];
    struct simd_gemm_tile tile;
    const float *before; /* what c held, NULL: nothing */
    size_t steps;
    bool is_exact;
};

/* Runs of all lengths, many of them 0; each panel ends or begins where its memory does. */
static void place_runs(struct check *check, struct product *product, enum check_data data)
{
    static const size_t lengths[] = {0, 1, 2, 3, 4, 7, 16, 17, 33, 70};
    struct simd_gemm_tile *tile = &product->tile;
    tile->run_count = check_pick(check, RUNS_MAX + 1);
    tile->runs = product->runs;
    for (size_t i = 0; i < tile->run_count; i++) {
        const size_t k = lengths[check_pick(check, COUNT(lengths))];
        product->runs[i] = (struct simd_gemm_run){
            .a = check_place_data(check, A_SLOT + i, k * tile->rows, data),
            .b = check_place_data(check, B_SLOT + i, k * check->ops->gemm_columns, data),
            .k = k,
            .next_a = check_pick(check, 2) ? check_forbidden() : NULL};
        product->steps += k;
    }
}

/* Powers of two and whole numbers where all is to be exact. No scale is Inf: times a sum that was
 * rounded to 0 it would be NaN. */
static void place_epilogue(struct check *check, struct product *product, enum check_data data)
{
    static const float bounds[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}, {-1, 1}};
    struct simd_gemm_tile *tile = &product->tile;
    const float *bound = bounds[check_pick(check, COUNT(bounds))];
    float *scale = check_place_data(check, SCALE_SLOT, tile->rows, CHECK_SIGNED);
    tile->low = bound[0];
    tile->high = bound[1];
    tile->scale = scale;
    tile->shift = check_place_data(check, SHIFT_SLOT, tile->rows, data);
    for (size_t r = 0; product->is_exact && r < tile->rows; r++)
        scale[r] = exp2f((float)check_pick(check, 5) - 2);
}

static double clamped(const struct simd_gemm_tile *tile, double value)
{
    return value < (double)tile->low    ? (double)tile->low
           : value > (double)tile->high ? (double)tile->high
                                        : value;
}

/* A sum of n rounded terms is off by less than n roundings of the sum of their magnitudes; the
 * epilogue adds two of its own. Whole numbers allow nothing. */
static void compare_element(struct check *check, const struct product *product, size_t r, size_t j)
{
    const struct simd_gemm_tile *tile = &product->tile;
    double sum = 0, magnitude = 0;
    for (size_t n = 0; n < tile->run_count; n++)
        for (size_t i = 0; i < tile->runs[n].k; i++) {
            const double term = (double)tile->runs[n].a[i * tile->rows + r] *
                                (double)tile->runs[n].b[i * check->ops->gemm_columns + j];
            sum += term;
            magnitude += fabs(term);
        }
    if (product->before) {
        sum += (double)product->before[r * tile->columns + j];
        magnitude += fabs((double)product->before[r * tile->columns + j]);
    }
    const double roundings = (double)product->steps + 4;
    double expected = sum, tolerance = roundings * (magnitude * 0x1p-24 + 0x1p-149);
    if (tile->scale) {
        const double scaled = sum * (double)tile->scale[r];
        tolerance = tolerance * fabs((double)tile->scale[r]) + fabs(scaled) * 0x1p-23;
        expected = scaled + (double)tile->shift[r];
        tolerance += fabs(expected) * 0x1p-23 + 0x1p-149;
    }
    if (product->is_exact || !isfinite(expected))
        tolerance = 0;
    if (tile->scale)
        expected = clamped(tile, expected);
    const float found = tile->c[r * tile->c_stride + j];
    if (!check_is_near(found, expected, tolerance))
        check_fault(check, "tile %zu x %zu, %zu runs of %zu steps, c[%zu][%zu]: found %g, not %g",
                    tile->rows, tile->columns, tile->run_count, product->steps, r, j, (double)found,
                    expected);
}

static void compare(struct check *check, const struct product *product)
{
    const struct simd_gemm_tile *tile = &product->tile;
    for (size_t r = 0; r < tile->rows; r++) {
        for (size_t j = 0; j < tile->columns; j++)
            compare_element(check, product, r, j);
        for (size_t j = tile->columns; r + 1 < tile->rows && j < tile->c_stride; j++)
            if (!check_is_canary(&tile->c[r * tile->c_stride + j]))
                check_fault(check, "tile %zu x %zu writes c[%zu][%zu]", tile->rows, tile->columns,
                            r, j);
    }
    check_margins(check, C_SLOT);
}

static void check_product(struct check *check, size_t rows, size_t columns)
{
    enum { C_MAX = 64 * 64 };
    static float before[C_MAX];
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 20);
    struct product product = {.is_exact = data == CHECK_INTEGERS};
    struct simd_gemm_tile *tile = &product.tile;
    tile->rows = rows;
    tile->columns = columns;
    tile->c_stride = stride;
    tile->c = check_place_floats(check, C_SLOT, (rows - 1) * stride + columns);
    place_runs(check, &product, data);
    if (check_pick(check, 2))
        place_epilogue(check, &product, data);
    tile->accumulates = check_pick(check, 2);
    product.before = tile->accumulates ? before : NULL;
    for (size_t i = 0; tile->accumulates && i < rows * columns; i++) {
        before[i] = check_float(check, data);
        tile->c[i / columns * stride + i % columns] = before[i];
    }
    CHECK_CALL(check, check->ops->gemm_tile(tile));
    compare(check, &product);
}

void check_gemm_tile(struct check *check)
{
    enum { TIMES = 6 };
    for (size_t rows = 1; rows <= check->ops->gemm_rows; rows++)
        for (size_t columns = 1; columns <= check->ops->gemm_columns; columns++)
            for (size_t i = 0; i < TIMES; i++)
                check_product(check, rows, columns);
}

static bool is_same(float found, float expected)
{
    return memcmp(&found, &expected, sizeof found) == 0;
}

/* ret must hold x[row * row_stride + column * column_stride], zeros from columns on. */
static void compare_panel(struct check *check, const float *ret, const float *x, size_t rows,
                          size_t row_stride, size_t columns, size_t column_stride)
{
    const size_t width = check->ops->gemm_columns;
    for (size_t i = 0; i < rows * width; i++) {
        const size_t row = i / width, column = i % width;
        const float expected = column < columns ? x[row * row_stride + column * column_stride] : 0;
        if (!is_same(ret[i], expected))
            check_fault(check, "%zu x %zu, packed [%zu][%zu]: found %g, not %g", rows, columns, row,
                        column, (double)ret[i], (double)expected);
    }
}

static void check_rows_packed(struct check *check, size_t rows, size_t columns)
{
    const size_t width = check->ops->gemm_columns, tiles = (columns + width - 1) / width;
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 9);
    const size_t tile_stride = rows * width + check_pick(check, 2) * check_pick(check, 9);
    const float *x = check_place_data(check, 0, (rows - 1) * stride + columns, CHECK_SPECIAL);
    float *ret = check_place_floats(check, 1, (tiles - 1) * tile_stride + rows * width);
    CHECK_CALL(check, check->ops->pack_rows(x, stride, rows, columns, ret, tile_stride));
    for (size_t t = 0; t < tiles; t++) {
        const size_t left = columns - t * width;
        compare_panel(check, ret + t * tile_stride, x + t * width, rows, stride,
                      left < width ? left : width, 1);
        for (size_t i = rows * width; t + 1 < tiles && i < tile_stride; i++)
            if (!check_is_canary(&ret[t * tile_stride + i]))
                check_fault(check, "%zu x %zu writes between panels", rows, columns);
    }
    check_margins(check, 1);
}

void check_pack_rows(struct check *check)
{
    static const size_t rows[] = {1, 2, 5, 12, 13, 30};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(check->ops->gemm_columns, sizes);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 1; k < count; k++)
            for (size_t times = 0; times < 4; times++)
                check_rows_packed(check, rows[i], sizes[k]);
}

static void check_columns_packed(struct check *check, size_t rows, size_t columns)
{
    const size_t stride = rows + check_pick(check, 2) * check_pick(check, 9);
    const float *x = check_place_data(check, 0, (columns - 1) * stride + rows, CHECK_SPECIAL);
    float *ret = check_place_floats(check, 1, rows * check->ops->gemm_columns);
    CHECK_CALL(check, check->ops->pack_columns(x, stride, rows, columns, ret));
    compare_panel(check, ret, x, rows, 1, columns, stride);
    check_margins(check, 1);
}

void check_pack_columns(struct check *check)
{
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(8, sizes);
    for (size_t i = 1; i < count; i++)
        for (size_t columns = 1; columns <= check->ops->gemm_columns; columns++)
            for (size_t times = 0; times < 2; times++)
                check_columns_packed(check, sizes[i], columns);
}
