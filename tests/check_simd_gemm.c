/* check_simd_gemm.c - the register tile and its packing against the formulas of simd.h.
 *
 * Not table against table: panels of tables differ in width, and so does what is packed. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum {
    RUNS_MAX = 3,
    A_SLOT = 0,
    B_SLOT = RUNS_MAX,
    PACKED_SLOT = 2 * RUNS_MAX,
    C_SLOT = 3 * RUNS_MAX,
    SCALE_SLOT,
    SHIFT_SLOT
};

struct product {
    struct simd_gemm_run runs[RUNS_MAX];
    struct simd_gemm_tile tile;
    const float *before; /* what c held, NULL: nothing */
    size_t steps;
    bool is_exact;
};

/* Columns that lie packed, or rows of them that are to be packed. */
static void place_columns(struct check *check, struct simd_gemm_run *run, size_t i, size_t columns,
                          enum check_data data)
{
    const size_t width = check->ops->gemm_columns;
    if (run->k == 0 || check_pick(check, 2)) {
        run->b = check_place_data(check, B_SLOT + i, run->k * width, data);
        return;
    }
    run->b_stride = columns + check_pick(check, 2) * check_pick(check, 20);
    run->b = check_place_data(check, B_SLOT + i, (run->k - 1) * run->b_stride + columns, data);
    run->ret_packed = check_place_floats(check, PACKED_SLOT + i, run->k * width);
}

/* Runs of all lengths, many of them 0; each panel ends or begins where its memory does. */
static void place_runs(struct check *check, struct product *product, enum check_data data)
{
    static const size_t lengths[] = {0, 1, 2, 3, 4, 7, 16, 17, 33, 70};
    struct simd_gemm_tile *tile = &product->tile;
    tile->run_count = check_pick(check, RUNS_MAX + 1);
    tile->runs = product->runs;
    for (size_t i = 0; i < tile->run_count; i++) {
        const size_t k = lengths[check_pick(check, COUNT(lengths))];
        product->runs[i] =
            (struct simd_gemm_run){.a = check_place_data(check, A_SLOT + i, k * tile->rows, data),
                                   .k = k,
                                   .next_a = check_pick(check, 2) ? check_forbidden() : NULL,
                                   .next_b = check_pick(check, 2) ? check_forbidden() : NULL,
                                   .next_b_every = check_pick(check, 6),
                                   .next_b_stride = check_pick(check, 100)};
        place_columns(check, &product->runs[i], i, tile->columns, data);
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

static float column_at(const struct check *check, const struct simd_gemm_run *run, size_t i,
                       size_t j)
{
    return run->b[i * (run->ret_packed ? run->b_stride : check->ops->gemm_columns) + j];
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
                                (double)column_at(check, &tile->runs[n], i, j);
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

static bool is_same(float found, float expected)
{
    return memcmp(&found, &expected, sizeof found) == 0;
}

/* What a run has packed: the same bits, for the tile's columns. */
static void compare_packed(struct check *check, const struct simd_gemm_run *run, size_t slot,
                           size_t columns)
{
    for (size_t i = 0; i < run->k; i++)
        for (size_t j = 0; j < columns; j++) {
            const float found = run->ret_packed[i * check->ops->gemm_columns + j];
            if (!is_same(found, column_at(check, run, i, j)))
                check_fault(check, "%zu columns, packed [%zu][%zu]: found %g, not %g", columns, i,
                            j, (double)found, (double)column_at(check, run, i, j));
        }
    check_margins(check, slot);
}

static void compare(struct check *check, const struct product *product)
{
    const struct simd_gemm_tile *tile = &product->tile;
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed)
            compare_packed(check, &tile->runs[i], PACKED_SLOT + i, tile->columns);
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
