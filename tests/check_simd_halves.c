/* check_simd_halves.c - float16 and bfloat16 to and from float32, against the scalar kernels: the
 * same bits, whether or not subnormal numbers are flushed. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <math.h>
#include <string.h>

enum { X_SLOT, RET_SLOT, PATTERNS = 1 << 16, MOST = 512, SIZES = 70 };

typedef void widen(const uint16_t *half, float *ret, size_t count);
typedef void narrow(const float *x, uint16_t *ret, size_t count);

struct format {
    widen *widen, *scalar_widen;
    narrow *narrow, *scalar_narrow;
};

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* ---- to float32 ---- */

static void check_widened(struct check *check, const struct format *format, size_t first,
                          size_t count)
{
    static float expected[MOST];
    uint16_t *half = check_place(check, X_SLOT, count * sizeof *half);
    float *ret = check_place_floats(check, RET_SLOT, count);
    for (size_t i = 0; i < count; i++)
        half[i] = (uint16_t)(first + i * 257); /* all exponents side by side */
    format->scalar_widen(half, expected, count);
    const unsigned before = check->ops->begin();
    CHECK_CALL(check, format->widen(half, ret, count));
    check->ops->end(before);
    for (size_t i = 0; i < count; i++)
        if (bits_of(ret[i]) != bits_of(expected[i]))
            check_fault(check, "[%zu] of %zu, 0x%04x: found 0x%08x, not 0x%08x", i, count,
                        (unsigned)half[i], bits_of(ret[i]), bits_of(expected[i]));
    check_margins(check, RET_SLOT);
}

/* Every pattern, and every size. */
static void check_widening(struct check *check, const struct format *format)
{
    for (size_t first = 0; first < PATTERNS; first += MOST)
        for (size_t part = 0; part < 2; part++)
            check_widened(check, format, first * 257 + part * 131, MOST - part);
    for (size_t count = 0; count < SIZES; count++)
        for (size_t times = 0; times < 4; times++)
            check_widened(check, format, check_pick(check, PATTERNS), count);
}

/* ---- from float32 ---- */

enum kind { ITSELF, BELOW_MIDDLE, MIDDLE, ABOVE_MIDDLE, ANY_PAYLOAD, ANYTHING, KIND_COUNT };

/* The value of a 16-bit float, one at or near the midpoint to the next one, where rounding
 * changes, or any other: the lower bits of NaN are a payload too. */
static uint32_t float_bits(struct check *check, const struct format *format, uint16_t half,
                           enum kind kind)
{
    const uint16_t halves[3] = {half, (uint16_t)(half + 1), (uint16_t)(half - 1)};
    float values[3];
    format->scalar_widen(halves, values, 3);
    const double step = (double)(isinf(values[1]) ? values[0] - values[2] : values[1] - values[0]);
    const uint32_t middle = bits_of((float)((double)values[0] + step / 2));
    const uint32_t random = (uint32_t)check_pick(check, 1 << 16);
    switch (kind) {
    case ITSELF:
        return bits_of(values[0]);
    case ANY_PAYLOAD:
        return bits_of(values[0]) | (random & 0x1fff);
    case ANYTHING:
        return random << 16 | (uint32_t)check_pick(check, 1 << 16);
    default:
        return middle + (uint32_t)kind - MIDDLE;
    }
}

static void check_narrowed(struct check *check, const struct format *format, size_t first,
                           size_t count, enum kind kind)
{
    static uint16_t expected[MOST];
    float *x = check_place_floats(check, X_SLOT, count);
    uint16_t *ret = check_place(check, RET_SLOT, count * sizeof *ret);
    for (size_t i = 0; i < count; i++) {
        const uint32_t bits = float_bits(check, format, (uint16_t)(first + i * 257), kind);
        memcpy(&x[i], &bits, sizeof bits);
    }
    format->scalar_narrow(x, expected, count);
    const unsigned before = check->ops->begin();
    CHECK_CALL(check, format->narrow(x, ret, count));
    check->ops->end(before);
    for (size_t i = 0; i < count; i++)
        if (ret[i] != expected[i])
            check_fault(check, "[%zu] of %zu, 0x%08x: found 0x%04x, not 0x%04x", i, count,
                        bits_of(x[i]), (unsigned)ret[i], (unsigned)expected[i]);
    check_margins(check, RET_SLOT);
}

/* At and around every value and every tie, and in every size. */
static void check_narrowing(struct check *check, const struct format *format)
{
    for (int kind = 0; kind < KIND_COUNT; kind++)
        for (size_t first = 0; first < PATTERNS; first += MOST)
            check_narrowed(check, format, first * 257, MOST, (enum kind)kind);
    for (size_t count = 0; count < SIZES; count++)
        for (int kind = 0; kind < KIND_COUNT; kind++)
            check_narrowed(check, format, check_pick(check, PATTERNS), count, (enum kind)kind);
}

/* ---- the formats ---- */

static struct format float16_of(const struct check *check)
{
    return (struct format){check->ops->float16_to_float32, simd_scalar.float16_to_float32,
                           check->ops->float32_to_float16, simd_scalar.float32_to_float16};
}

static struct format bfloat16_of(const struct check *check)
{
    return (struct format){check->ops->bfloat16_to_float32, simd_scalar.bfloat16_to_float32,
                           check->ops->float32_to_bfloat16, simd_scalar.float32_to_bfloat16};
}

void check_from_float16(struct check *check)
{
    const struct format format = float16_of(check);
    check_widening(check, &format);
}

void check_from_bfloat16(struct check *check)
{
    const struct format format = bfloat16_of(check);
    check_widening(check, &format);
}

void check_to_float16(struct check *check)
{
    const struct format format = float16_of(check);
    check_narrowing(check, &format);
}

void check_to_bfloat16(struct check *check)
{
    const struct format format = bfloat16_of(check);
    check_narrowing(check, &format);
}
