/* check_simd_gemm.c - the register tile and its packing against the formulas of simd.h.
 *
 * Tables are not compared with each other: their panels differ in width, and so do packed columns.
 */
#include "tests/check_simd_gemm.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum {
    C_MAX = 64 * 64,
    RUNS_MAX = 3,
    C_SLOT = 3 * RUNS_MAX,
    SCALE_SLOT,
    SHIFT_SLOT,
    RESIDUAL_SLOT
};

struct product {
    const struct check_gemm *gemm;
    struct simd_gemm_run runs[RUNS_MAX];
    struct simd_gemm_tile tile;
    const float *before;   /* what c held, NULL: nothing */
    const float *residual; /* [rows][columns], NULL: none */
    size_t steps;
    bool is_exact;
};

void check_place_float32(struct check *check, struct simd_gemm_run *run,
                         const struct check_slots *at, size_t rows, size_t columns,
                         enum check_data data)
{
    const size_t width = check->ops->gemm_columns;
    run->a = check_place_data(check, at->a, run->k * rows, data);
    if (run->k == 0 || check_pick(check, 2)) {
        run->b = check_place_data(check, at->b, run->k * width, data);
        return;
    }
    run->b_stride = columns + check_pick(check, 2) * check_pick(check, 20);
    run->b = check_place_data(check, at->b, (run->k - 1) * run->b_stride + columns, data);
    run->ret_packed = check_place_floats(check, at->packed, run->k * width);
}

static struct check_slots slots_of(size_t run)
{
    return (struct check_slots){run, RUNS_MAX + run, 2 * RUNS_MAX + run};
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
        const struct check_slots slots = slots_of(i);
        product->runs[i] =
            (struct simd_gemm_run){.k = k,
                                   .next_a = check_pick(check, 2) ? check_forbidden() : NULL,
                                   .next_b = check_pick(check, 2) ? check_forbidden() : NULL,
                                   .next_b_every = check_pick(check, 6),
                                   .next_b_stride = check_pick(check, 100)};
        product->gemm->place(check, &product->runs[i], &slots, tile->rows, tile->columns, data);
        product->steps += k;
    }
}

/* Powers of two and integers if all must be exact. No scale is Inf: times a sum that was
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

/* From rows of its own, or from c where that holds nothing else. */
static void place_residual(struct check *check, struct product *product, enum check_data data)
{
    static float values[C_MAX];
    struct simd_gemm_tile *tile = &product->tile;
    const bool is_c = !tile->accumulates && check_pick(check, 3) == 0;
    const size_t columns = tile->columns;
    tile->residual_stride = is_c ? tile->c_stride : columns + check_pick(check, 2) * 5;
    float *residual = is_c ? tile->c
                           : check_place_floats(check, RESIDUAL_SLOT,
                                                (tile->rows - 1) * tile->residual_stride + columns);
    for (size_t i = 0; i < tile->rows * columns; i++)
        residual[i / columns * tile->residual_stride + i % columns] = values[i] =
            check_float(check, data);
    tile->residual = residual;
    product->residual = values;
}

static double clamped(const struct simd_gemm_tile *tile, double value)
{
    return value < (double)tile->low    ? (double)tile->low
           : value > (double)tile->high ? (double)tile->high
                                        : value;
}

float check_float32_weight(const struct simd_gemm_run *run, size_t rows, size_t i, size_t r)
{
    return run->a[i * rows + r];
}

float check_float32_column(const struct check *check, const struct simd_gemm_run *run, size_t i,
                           size_t j)
{
    return run->b[i * (run->ret_packed ? run->b_stride : check->ops->gemm_columns) + j];
}

/* A sum of n rounded terms is off by less than n roundings of the sum of their magnitudes; the
 * epilogue adds two more. Integers allow no error. Subnormals may be lost if the kernel may treat
 * them as zero. */
static void compare_element(struct check *check, const struct product *product, size_t r, size_t j)
{
    const struct simd_gemm_tile *tile = &product->tile;
    double sum = 0, magnitude = 0, lost = 0;
    for (size_t n = 0; n < tile->run_count; n++)
        for (size_t i = 0; i < tile->runs[n].k; i++) {
            const float weight = product->gemm->weight(&tile->runs[n], tile->rows, i, r);
            const float column = product->gemm->column(check, &tile->runs[n], i, j);
            const double term = (double)weight * (double)column;
            const bool is_tiny =
                fabs(term) < 0x1p-126 || fabsf(weight) < 0x1p-126F || fabsf(column) < 0x1p-126F;
            sum += term;
            magnitude += fabs(term);
            lost += product->gemm->may_flush && is_tiny ? fabs(term) : 0;
        }
    if (product->before) {
        sum += (double)product->before[r * tile->columns + j];
        magnitude += fabs((double)product->before[r * tile->columns + j]);
    }
    const double roundings = (double)product->steps + 4;
    const double smallest = product->gemm->may_flush ? 0x1p-126 : 0x1p-149;
    double expected = sum, tolerance = roundings * (magnitude * 0x1p-24 + smallest) + lost;
    if (tile->scale) {
        const double scaled = sum * (double)tile->scale[r];
        tolerance = tolerance * fabs((double)tile->scale[r]) + fabs(scaled) * 0x1p-23;
        expected = scaled + (double)tile->shift[r];
        tolerance += fabs(expected) * 0x1p-23 + 0x1p-149;
        if (product->residual) {
            expected += (double)product->residual[r * tile->columns + j];
            tolerance += fabs(expected) * 0x1p-23;
        }
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

void check_float32_packed(struct check *check, const struct simd_gemm_run *run, size_t columns)
{
    for (size_t i = 0; i < run->k; i++)
        for (size_t j = 0; j < columns; j++) {
            const float found = run->ret_packed[i * check->ops->gemm_columns + j];
            const float expected = check_float32_column(check, run, i, j);
            if (!is_same(found, expected))
                check_fault(check, "%zu columns, packed [%zu][%zu]: found %g, not %g", columns, i,
                            j, (double)found, (double)expected);
        }
}

static void compare(struct check *check, const struct product *product)
{
    const struct simd_gemm_tile *tile = &product->tile;
    for (size_t i = 0; i < tile->run_count; i++)
        if (tile->runs[i].ret_packed) {
            product->gemm->compare_packed(check, &tile->runs[i], tile->columns);
            check_margins(check, slots_of(i).packed);
        }
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

static void check_product(struct check *check, const struct check_gemm *gemm, size_t rows,
                          size_t columns)
{
    static float before[C_MAX];
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = columns + check_pick(check, 2) * check_pick(check, 20);
    struct product product = {.gemm = gemm, .is_exact = data == CHECK_INTEGERS};
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
    if (check_pick(check, 2))
        place_residual(check, &product, data);
    CHECK_CALL(check, gemm->multiply(check, tile));
    compare(check, &product);
}

void check_products(struct check *check, const struct check_gemm *gemm)
{
    enum { TIMES = 6 };
    for (size_t rows = 1; rows <= check->ops->gemm_rows; rows++)
        for (size_t columns = 1; columns <= check->ops->gemm_columns; columns++)
            for (size_t i = 0; i < TIMES; i++)
                check_product(check, gemm, rows, columns);
}

static void multiply(const struct check *check, const struct simd_gemm_tile *tile)
{
    check->ops->gemm_tile(tile);
}

void check_gemm_tile(struct check *check)
{
    check_products(check, &(struct check_gemm){.multiply = multiply,
                                               .place = check_place_float32,
                                               .weight = check_float32_weight,
                                               .column = check_float32_column,
                                               .compare_packed = check_float32_packed});
}
