/* check_simd_elementwise.c - rows added, multiplied and scaled, against the scalar kernels. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>

enum { A_SLOT, B_SLOT, RET_SLOT, COUNT_MAX = 512 };

/* One call: its arguments, and where its result is. */
struct rows {
    float *a, *b, *ret;
    float low, high, scale, shift;
    size_t count, ret_slot;
};

static float expected[COUNT_MAX];

/* Tolerance is for an element, and 0 where no operation is fused. */
static void compare(struct check *check, const char *kernel, const struct rows *rows,
                    const double tolerance[COUNT_MAX])
{
    for (size_t j = 0; j < rows->count; j++)
        if (!check_is_near(rows->ret[j], (double)expected[j], tolerance ? tolerance[j] : 0))
            check_fault(check, "%s, [%zu] of %zu: found %g, not %g", kernel, j, rows->count,
                        (double)rows->ret[j], (double)expected[j]);
    check_margins(check, rows->ret_slot);
}

/* The result is in a row of its own, or replaces what is read. */
static struct rows place_rows(struct check *check, size_t count, size_t slot)
{
    static const float bounds[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 6}, {-1, 1}};
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const float *bound = bounds[check_pick(check, COUNT(bounds))];
    struct rows ret = {.a = check_place_data(check, A_SLOT, count, data),
                       .b = check_place_data(check, B_SLOT, count, data),
                       .low = bound[0],
                       .high = bound[1],
                       .scale = check_float(check, data),
                       .shift = check_float(check, data),
                       .count = count,
                       .ret_slot = slot};
    float *const places[] = {ret.a, ret.b, check_place_floats(check, RET_SLOT, count)};
    ret.ret = places[slot];
    return ret;
}

static void check_added(struct check *check, size_t count, size_t slot)
{
    const struct rows r = place_rows(check, count, slot);
    simd_scalar.add(r.a, r.b, r.low, r.high, expected, count);
    CHECK_CALL(check, check->ops->add(r.a, r.b, r.low, r.high, r.ret, count));
    compare(check, "add", &r, NULL);
}

static void check_multiplied(struct check *check, size_t count, size_t slot)
{
    const struct rows r = place_rows(check, count, slot);
    simd_scalar.mul(r.a, r.b, expected, count);
    CHECK_CALL(check, check->ops->mul(r.a, r.b, r.ret, count));
    compare(check, "mul", &r, NULL);
}

/* The formula rounds the product and then the sum; a fused multiply-add only the sum. */
static void check_scaled(struct check *check, size_t count, size_t slot)
{
    const struct rows r = place_rows(check, count, slot == B_SLOT ? RET_SLOT : slot);
    double tolerance[COUNT_MAX];
    for (size_t j = 0; j < count; j++) {
        const double product = (double)r.a[j] * (double)r.scale;
        const double value = product + (double)r.shift;
        tolerance[j] = isfinite(value) ? (fabs(product) + 2 * fabs(value)) * 0x1p-24 + 0x1p-149 : 0;
    }
    simd_scalar.affine(r.a, r.scale, r.shift, r.low, r.high, expected, count);
    CHECK_CALL(check, check->ops->affine(r.a, r.scale, r.shift, r.low, r.high, r.ret, count));
    compare(check, "affine", &r, tolerance);
}

static void check_counts(struct check *check,
                         void (*one)(struct check *check, size_t count, size_t slot))
{
    static const size_t slots[] = {RET_SLOT, A_SLOT, B_SLOT};
    for (size_t count = 0; count < 150; count++)
        for (size_t times = 0; times < 9; times++)
            one(check, count, slots[times % COUNT(slots)]);
}

void check_add(struct check *check)
{
    check_counts(check, check_added);
}

void check_mul(struct check *check)
{
    check_counts(check, check_multiplied);
}

void check_affine(struct check *check)
{
    check_counts(check, check_scaled);
}
