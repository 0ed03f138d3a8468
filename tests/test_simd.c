/* test_simd.c - the scalar kernels, which are the specification, compared with formulas and limits.
 */
#include "simd/simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(int activation)
{
    return simd_activations[activation].name;
}

static float activate(int activation, float x, float slope)
{
    float y;
    simd_scalar.activate[activation](&x, &y, 1, slope);
    return y;
}

/* The formulas of simd.h with libm and a mantissa of 64 bits. */
static long double formula(int activation, long double x, long double slope)
{
    switch (activation) {
    case SIMD_RELU:
        return x > 0 ? x : 0;
    case SIMD_RELU6:
        return fminl(x > 0 ? x : 0, 6);
    case SIMD_LEAKY_RELU:
        return x < 0 ? slope * x : x;
    case SIMD_ELU:
        return x < 0 ? expm1l(x) : x;
    case SIMD_SIGMOID:
        return 1 / (1 + expl(-x));
    case SIMD_TANH:
        return tanhl(x);
    case SIMD_SILU:
        return x / (1 + expl(-x));
    case SIMD_GELU:
        return x / 2 * erfcl(-x * sqrtl(0.5L));
    case SIMD_HARDSWISH:
        return x * fminl(fmaxl(x + 3, 0), 6) / 6;
    case SIMD_HARDSIGMOID:
        return fminl(fmaxl(x + 3, 0), 6) / 6;
    case SIMD_MISH:
        return x * tanhl(log1pl(expl(x)));
    case SIMD_SOFTPLUS:
        return log1pl(expl(x));
    default:
        cr_assert_fail("activation %d has no formula here", activation);
        return 0;
    }
}

/* One step of float32 for most; 1 + erf loses digits where it is near 0. */
static void expect_near(int activation, float x, float slope)
{
    const float found = activate(activation, x, slope);
    const long double exact = formula(activation, (long double)x, (long double)slope);
    const long double step = fmaxl(fabsl(exact) * 0x1p-23L, 0x1p-149L);
    const long double lost = activation == SIMD_GELU ? 0x1p-52L * fabsl((long double)x) : 0;
    cr_assert(fabsl((long double)found - exact) <= step + lost, "%s(%.9g): found %.9g, not %.9Lg",
              name_of(activation), (double)x, (double)found, exact);
}

Test(simd, activations_follow_their_formulas)
{
    for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++) {
        for (int i = -40000; i <= 40000; i++)
            expect_near(activation, (float)i / 1000, 0.3F);
        for (float x = FLT_TRUE_MIN; x < 1e38F; x *= 1.7F) {
            expect_near(activation, x, -2);
            expect_near(activation, -x, -2);
        }
    }
}

/* `name` in the table of layers */
Test(simd, activations_are_in_the_documentation)
{
    size_t size;
    char *text = support_read("docs/models.md", &size), quoted[40];
    for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++) {
        snprintf(quoted, sizeof quoted, "`%s`", name_of(activation));
        cr_expect(memmem(text, size, quoted, strlen(quoted)) != NULL, "docs/models.md lacks %s",
                  quoted);
    }
    free(text);
}

Test(simd, activations_of_special_values)
{
    static const struct {
        int activation;
        float x, y;
    } cases[] = {
        {SIMD_RELU, INFINITY, INFINITY},
        {SIMD_RELU, -INFINITY, 0},
        {SIMD_RELU6, INFINITY, 6},
        {SIMD_RELU6, -INFINITY, 0},
        {SIMD_RELU6, 6, 6},
        {SIMD_LEAKY_RELU, INFINITY, INFINITY},
        {SIMD_LEAKY_RELU, -INFINITY, -INFINITY},
        {SIMD_ELU, INFINITY, INFINITY},
        {SIMD_ELU, -INFINITY, -1},
        {SIMD_ELU, -0.0F, -0.0F},
        {SIMD_ELU, -1e-45F, -1e-45F},
        {SIMD_SIGMOID, INFINITY, 1},
        {SIMD_SIGMOID, -INFINITY, 0},
        {SIMD_SIGMOID, 0, 0.5F},
        {SIMD_SIGMOID, -FLT_MAX, 0},
        {SIMD_TANH, INFINITY, 1},
        {SIMD_TANH, -INFINITY, -1},
        {SIMD_TANH, -0.0F, -0.0F},
        {SIMD_TANH, 1e-45F, 1e-45F},
        {SIMD_SILU, INFINITY, INFINITY},
        {SIMD_SILU, -INFINITY, NAN}, /* as in PyTorch */
        {SIMD_SILU, -FLT_MAX, -0.0F},
        {SIMD_GELU, INFINITY, INFINITY},
        {SIMD_GELU, -INFINITY, NAN},
        {SIMD_GELU, -FLT_MAX, -0.0F},
        {SIMD_HARDSWISH, INFINITY, INFINITY},
        {SIMD_HARDSWISH, -INFINITY, NAN},
        {SIMD_HARDSWISH, -3, -0.0F},
        {SIMD_HARDSWISH, 3, 3},
        {SIMD_HARDSWISH, FLT_MAX, FLT_MAX},
        {SIMD_HARDSIGMOID, INFINITY, 1},
        {SIMD_HARDSIGMOID, -INFINITY, 0},
        {SIMD_HARDSIGMOID, -3, 0},
        {SIMD_HARDSIGMOID, 3, 1},
        {SIMD_MISH, INFINITY, INFINITY},
        {SIMD_MISH, -INFINITY, NAN}, /* as in PyTorch */
        {SIMD_MISH, -FLT_MAX, -0.0F},
        {SIMD_MISH, -0.0F, -0.0F},
        {SIMD_MISH, FLT_MAX, FLT_MAX},
        {SIMD_SOFTPLUS, INFINITY, INFINITY},
        {SIMD_SOFTPLUS, -INFINITY, 0},
        {SIMD_SOFTPLUS, 0, (float)M_LN2},
        {SIMD_SOFTPLUS, FLT_MAX, FLT_MAX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const float found = activate(cases[i].activation, cases[i].x, 0.25F);
        cr_expect(isnan(cases[i].y) ? isnan(found) : found == cases[i].y,
                  "%s(%g): found %g, expected %g", name_of(cases[i].activation), (double)cases[i].x,
                  (double)found, (double)cases[i].y);
    }
    for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++)
        cr_expect(isnan(activate(activation, NAN, 0.25F)), "%s(NaN)", name_of(activation));
}

/* In place, any count, and no element past it. */
Test(simd, activations_touch_what_they_should)
{
    for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++)
        for (size_t count = 0; count < 40; count++) {
            float x[42], y[42];
            support_random(x, COUNT(x), count);
            memcpy(y, x, sizeof y);
            simd_scalar.activate[activation](y + 1, y + 1, count, 0.5F);
            for (size_t i = 0; i < COUNT(x); i++) {
                const float expected =
                    i >= 1 && i <= count ? activate(activation, x[i], 0.5F) : x[i];
                cr_assert(y[i] == expected, "%s, %zu of %zu", name_of(activation), i, count);
            }
        }
}

Test(simd, softmax_is_a_distribution)
{
    enum { CHANNELS = 21, PIXELS = 5, STRIDE = 8 };
    float x[CHANNELS * STRIDE], y[CHANNELS * STRIDE], shifted[CHANNELS * STRIDE];
    support_random(x, COUNT(x), 3);
    for (size_t i = 0; i < COUNT(x); i++) { /* multiples of 1/4, so that the shift is exact */
        shifted[i] = roundf(x[i] * 64) / 4;
        y[i] = x[i] = shifted[i] + 8192;
    }
    simd_scalar.softmax(y, CHANNELS, STRIDE, PIXELS);
    simd_scalar.softmax(shifted, CHANNELS, STRIDE, PIXELS);
    for (size_t p = 0; p < STRIDE; p++) {
        long double total = 0, sum = 0;
        for (size_t c = 0; c < CHANNELS; c++)
            total += expl((long double)x[c * STRIDE + p] - 8192);
        for (size_t c = 0; c < CHANNELS; c++) {
            const size_t i = c * STRIDE + p;
            if (p >= PIXELS) {
                cr_expect(y[i] == x[i], "beyond the pixels: %zu", i);
                continue;
            }
            sum += (long double)y[i];
            const long double exact = expl((long double)x[i] - 8192) / total;
            cr_expect(fabsl((long double)y[i] - exact) <= exact * 0x1p-22L, "%zu", i);
            cr_expect(y[i] == shifted[i], "a shift of all channels changes pixel %zu", i);
        }
        cr_expect(p >= PIXELS || fabsl(sum - 1) < 1e-6L, "pixel %zu: sum %Lg", p, sum);
    }
}

Test(simd, softmax_of_special_values)
{
    static const struct {
        float x[3], y[3];
    } cases[] = {
        {{5, 5, 5}, {1 / 3.0F, 1 / 3.0F, 1 / 3.0F}},
        {{FLT_MAX, -FLT_MAX, 0}, {1, 0, 0}},
        {{-FLT_MAX, -FLT_MAX, -FLT_MAX}, {1 / 3.0F, 1 / 3.0F, 1 / 3.0F}},
        {{1000, 1000, -INFINITY}, {0.5F, 0.5F, 0}},
        {{1, NAN, 2}, {NAN, NAN, NAN}},
        {{NAN, 1, 2}, {NAN, NAN, NAN}},
        {{1, INFINITY, 2}, {NAN, NAN, NAN}}, /* inf - inf */
        {{-INFINITY, -INFINITY, -INFINITY}, {NAN, NAN, NAN}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        float found[3];
        memcpy(found, cases[i].x, sizeof found);
        simd_scalar.softmax(found, 3, 1, 1);
        for (size_t c = 0; c < 3; c++)
            cr_expect(isnan(cases[i].y[c]) ? isnan(found[c]) : found[c] == cases[i].y[c],
                      "case %zu, channel %zu: found %g", i, c, (double)found[c]);
    }
    float alone = -1e30F;
    simd_scalar.softmax(&alone, 1, 1, 1);
    cr_expect(alone == 1);
}

static void check_all_halves(void (*convert)(const uint16_t *, float *, size_t), int fraction_bits)
{
    enum { PATTERNS = 1 << 16 };
    uint16_t *halves = malloc(PATTERNS * sizeof *halves);
    float *floats = malloc((PATTERNS + 1) * sizeof *floats);
    cr_assert(halves != NULL && floats != NULL);
    for (size_t i = 0; i < PATTERNS; i++)
        halves[i] = (uint16_t)i;
    floats[PATTERNS] = -99;
    convert(halves, floats, PATTERNS);
    for (size_t i = 0; i < PATTERNS; i++) {
        const float expected = support_half_value(halves[i], fraction_bits);
        const uint32_t kept =
            fraction_bits == 7 ? (uint32_t)halves[i] << 16 : (uint32_t)halves[i] << 13 | 1u << 22;
        uint32_t bits;
        memcpy(&bits, &floats[i], sizeof bits);
        if (isnan(expected)) /* payload and sign */
            cr_assert(isnan(floats[i]) && (bits & 0x7fffffu) == (kept & 0x7fffffu) &&
                          bits >> 31 == (uint32_t)halves[i] >> 15,
                      "0x%04zx: found 0x%08x", i, bits);
        else
            cr_assert(memcmp(&floats[i], &expected, sizeof expected) == 0,
                      "0x%04zx: found %g, expected %g", i, (double)floats[i], (double)expected);
    }
    cr_expect(floats[PATTERNS] == -99);
    free(halves);
    free(floats);
}

Test(simd, every_float16)
{
    check_all_halves(simd_scalar.float16_to_float32, 10);
}

Test(simd, every_bfloat16)
{
    check_all_halves(simd_scalar.bfloat16_to_float32, 7);
}

/* Rounding changes halfway between neighbors; the next value after the largest is Inf. */
static void check_all_roundings(void (*convert)(const float *, uint16_t *, size_t),
                                int fraction_bits)
{
    const uint16_t infinity = (uint16_t)(0x8000 - (1 << fraction_bits));
    const double too_large = ldexp(1, (1 << (14 - fraction_bits)));
    for (uint16_t half = 0; half < infinity; half++) {
        const uint16_t next = (uint16_t)(half + 1), even = half % 2 ? next : half;
        const double value = (double)support_half_value(half, fraction_bits);
        const double above =
            next == infinity ? too_large : (double)support_half_value(next, fraction_bits);
        const float middle = (float)((value + above) / 2);
        const float x[] = {(float)value, nextafterf(middle, 0), middle,
                           nextafterf(middle, INFINITY)};
        const uint16_t expected[COUNT(x)] = {half, half, even, next};
        for (size_t i = 0; i < COUNT(x); i++) {
            const float both[2] = {x[i], -x[i]};
            uint16_t found[3] = {0, 0, 99};
            convert(both, found, 2);
            cr_assert(found[0] == expected[i] && found[1] == (expected[i] | 0x8000),
                      "%a: found 0x%04x, 0x%04x, expected 0x%04x", (double)x[i], found[0], found[1],
                      expected[i]);
            cr_assert(found[2] == 99);
        }
    }
    for (double x = too_large; x <= (double)FLT_MAX; x *= 1.25) {
        const float both[2] = {(float)x, (float)-x};
        uint16_t found[2];
        convert(both, found, 2);
        cr_assert(found[0] == infinity && found[1] == (infinity | 0x8000), "%a", x);
    }
}

static void check_special_roundings(void (*convert)(const float *, uint16_t *, size_t),
                                    int fraction_bits)
{
    const uint16_t infinity = (uint16_t)(0x8000 - (1 << fraction_bits));
    const uint16_t quiet = (uint16_t)(infinity | 1 << (fraction_bits - 1));
    const struct {
        uint32_t bits;
        uint16_t expected;
    } cases[] = {{0x7f800000, infinity},
                 {0x7f7fffff, infinity}, /* the largest float32 */
                 {0x00000001, 0},        /* the smallest */
                 {0x00000000, 0},
                 {0x7fc00000, quiet},
                 {0x7f800001, quiet}, /* signalling, with a payload that is lost */
                 {0x7fa00000, (uint16_t)(quiet | quiet >> 1)},
                 {0x7fffffff, 0x7fff}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (uint32_t sign = 0; sign < 2; sign++) {
            const uint32_t bits = cases[i].bits | sign << 31;
            float x;
            uint16_t found;
            memcpy(&x, &bits, sizeof x);
            convert(&x, &found, 1);
            cr_assert(found == (cases[i].expected | sign << 15),
                      "0x%08x: found 0x%04x, expected 0x%04x", bits, found, cases[i].expected);
        }
}

Test(simd, every_rounding_to_float16)
{
    check_all_roundings(simd_scalar.float32_to_float16, 10);
    check_special_roundings(simd_scalar.float32_to_float16, 10);
}

Test(simd, every_rounding_to_bfloat16)
{
    check_all_roundings(simd_scalar.float32_to_bfloat16, 7);
    check_special_roundings(simd_scalar.float32_to_bfloat16, 7);
}

Test(simd, selection)
{
    static const char *const strangers[] = {"", "Scalar", "scalar ", "sse9", "scalar, scalar"};
    const struct simd_ops *best = simd_select(NULL);
    cr_assert(best != NULL);
    cr_expect(strncmp(simd_names(), best->name, strlen(best->name)) == 0, "the best is not first");
    cr_expect(simd_select("scalar") == &simd_scalar);
    cr_expect(simd_select(best->name) == best);
    for (size_t i = 0; i < COUNT(strangers); i++)
        cr_expect(simd_select(strangers[i]) == NULL, "\"%s\"", strangers[i]);
    char *list = strdup(simd_names());
    for (char *name = list, *rest; name; name = rest) {
        rest = strstr(name, ", ");
        if (rest)
            *rest = '\0', rest += 2;
        const struct simd_ops *table = simd_select(name);
        cr_assert(table != NULL, "%s", name);
        for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++)
            cr_expect(table->activate[activation] != NULL, "%s lacks %s", name,
                      name_of(activation));
        cr_expect(table->softmax != NULL && table->float16_to_float32 != NULL &&
                      table->bfloat16_to_float32 != NULL,
                  "%s", name);
    }
    free(list);
}
