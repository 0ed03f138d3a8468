/* check_simd_activations.c - activations and softmax against the scalar kernels, which compute in
 * double precision and round once. */
#include "tests/check_simd.h"
#include "tests/support.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { X_SLOT, RET_SLOT, COUNT_MAX = 1024 };

/* How far a kernel may be off: ulps of the result (2^-23 of it), of x, and an absolute part.
 * SLEEF's functions are within 1 ulp, and every operation around them adds a half. Where exp(-x)
 * overflows, a quotient is 0 that is below 2^-126 in double precision, and for silu and mish below
 * 88.8 times that. */
static const struct tolerance {
    bool is_set;
    double ulps, ulps_of_x, absolute;
} tolerances[SIMD_ACTIVATION_COUNT] = {
    [SIMD_RELU] = {true, 0, 0, 0},
    [SIMD_RELU6] = {true, 0, 0, 0},
    [SIMD_LEAKY_RELU] = {true, 0, 0, 0},
    [SIMD_ELU] = {true, 1.5, 0, FLT_MIN},
    [SIMD_SIGMOID] = {true, 2.5, 0, FLT_MIN},
    [SIMD_TANH] = {true, 1.5, 0, FLT_MIN},
    [SIMD_SILU] = {true, 2.5, 0, 89 * FLT_MIN},
    [SIMD_GELU] = {true, 1, 1, FLT_MIN}, /* 1 + erf loses digits where it is near 0 */
    [SIMD_HARDSWISH] = {true, 2, 0, FLT_MIN},
    [SIMD_HARDSIGMOID] = {true, 1.5, 0, FLT_MIN},
    [SIMD_MISH] = {true, 3.5, 0, 89 * FLT_MIN},
    [SIMD_SOFTPLUS] = {true, 2.5, 0, FLT_MIN},
};

static void compare(struct check *check, int activation, float x, float slope, float found,
                    bool flushes)
{
    const struct tolerance *t = &tolerances[activation];
    float expected;
    simd_scalar.activate[activation](&x, &expected, 1, slope);
    const double tolerance = t->ulps * 0x1p-23 * fabs((double)expected) +
                             t->ulps_of_x * 0x1p-23 * fmin(fabs((double)x), 1e38) + t->absolute +
                             (flushes ? 4 * (double)FLT_MIN : 0);
    if (!check_is_near(found, (double)expected, tolerance))
        check_fault(check, "%s(%.9g), slope %g%s: found %.9g, not %.9g",
                    simd_activations[activation].name, (double)x, (double)slope,
                    flushes ? ", flushing subnormals" : "", (double)found, (double)expected);
}

/* In place, or not; with subnormal numbers as they are, or as the engine has them. */
static void check_activation(struct check *check, int activation, const float *values, size_t count)
{
    static const float slopes[] = {0.25F, 0.01F, 0, -2, 1.5F};
    const float slope = slopes[check_pick(check, COUNT(slopes))];
    const bool in_place = check_pick(check, 2), flushes = check_pick(check, 2);
    float *x = check_place_floats(check, X_SLOT, count);
    memcpy(x, values, count * sizeof *x);
    float *ret = in_place ? x : check_place_floats(check, RET_SLOT, count);
    const unsigned before = flushes ? check->ops->begin() : 0;
    CHECK_CALL(check, check->ops->activate[activation](x, ret, count, slope));
    if (flushes)
        check->ops->end(before);
    for (size_t i = 0; i < count; i++)
        compare(check, activation, values[i], slope, ret[i], flushes);
    check_margins(check, in_place ? X_SLOT : RET_SLOT);
}

/* Numbers close together where functions bend, and of every magnitude. */
static void check_range(struct check *check, int activation)
{
    static float values[COUNT_MAX];
    for (int k = -24; k < 24; k++) {
        for (size_t i = 0; i < COUNT_MAX; i++)
            values[i] =
                (float)k / 2 + (float)i / (2 * COUNT_MAX) + check_float(check, CHECK_SIGNED) / 4096;
        check_activation(check, activation, values, COUNT_MAX);
    }
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = ((float)i - COUNT_MAX / 2) / 4;
    check_activation(check, activation, values, COUNT_MAX);
    for (size_t i = 0; i < COUNT_MAX; i++)
        values[i] = check_float(check, CHECK_SIGNED) * exp2f((float)(i % 276) - 149);
    check_activation(check, activation, values, COUNT_MAX);
}

/* Each alone among ordinary numbers, in the vectors and in the rest after them. */
static void check_specials(struct check *check, int activation)
{
    static const float specials[] = {
        NAN,      -NAN,   INFINITY, -INFINITY, 0,  -0.0F, FLT_MAX, -FLT_MAX, FLT_MIN,
        -FLT_MIN, 1e-45F, -1e-45F,  3,         -3, 6,     88.8F,   -88.8F,   100,
        -100,     104,    -104,     9,         -9, 20,    -20};
    float values[40];
    for (size_t i = 0; i < COUNT(specials); i++)
        for (size_t at = 0; at < COUNT(values); at += 13) {
            for (size_t k = 0; k < COUNT(values); k++)
                values[k] = check_float(check, CHECK_SIGNED);
            values[at] = specials[i];
            check_activation(check, activation, values, COUNT(values));
        }
}

void check_activations(struct check *check)
{
    float values[COUNT_MAX];
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (int activation = 0; activation < SIMD_ACTIVATION_COUNT; activation++) {
        if (!tolerances[activation].is_set)
            check_fault(check, "%s has no tolerance here", simd_activations[activation].name);
        for (size_t size = 0; size < 60 + count; size++)
            for (size_t times = 0; times < 4; times++) {
                const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
                const size_t elements = size < 60 ? size : sizes[size - 60];
                for (size_t i = 0; i < elements; i++)
                    values[i] = check_float(check, data);
                check_activation(check, activation, values, elements);
            }
        check_range(check, activation);
        check_specials(check, activation);
    }
}

/* ---- softmax ---- */

/* exp(d) is off by what d is, and d = x - max was rounded: |d| half ulps; the sum of n terms has n
 * roundings. */
static void compare_pixel(struct check *check, const float *found, const float *values,
                          const float *wanted, size_t channels, size_t stride)
{
    double max = (double)values[0];
    for (size_t c = 1; c < channels; c++)
        if ((double)values[c * stride] > max)
            max = (double)values[c * stride];
    for (size_t c = 0; c < channels; c++) {
        const double expected = (double)wanted[c * stride];
        const double d = fmin(fabs((double)values[c * stride] - max), 110);
        const double roundings = 4 + ((double)channels + d) / 2;
        if (!check_is_near(found[c * stride], expected,
                           roundings * 0x1p-23 * expected + (double)FLT_MIN))
            check_fault(check, "channel %zu of %zu: found %g, not %g", c, channels,
                        (double)found[c * stride], expected);
    }
}

static void check_pixels(struct check *check, size_t channels, size_t count, float scale)
{
    enum { VALUES_MAX = 1 << 14 };
    static float values[VALUES_MAX], wanted[VALUES_MAX];
    const enum check_data data = (enum check_data)check_pick(check, CHECK_DATA_COUNT);
    const size_t stride = count + check_pick(check, 2) * check_pick(check, 9);
    const size_t size = count ? (channels - 1) * stride + count : 0;
    float *x = check_place_floats(check, X_SLOT, size);
    for (size_t i = 0; i < size; i++)
        if (i % stride < count)
            x[i] = check_float(check, data) * scale;
    memcpy(values, x, size * sizeof *x);
    memcpy(wanted, x, size * sizeof *x);
    simd_scalar.softmax(wanted, channels, stride, count);
    CHECK_CALL(check, check->ops->softmax(x, channels, stride, count));
    for (size_t p = 0; p < count; p++)
        compare_pixel(check, x + p, values + p, wanted + p, channels, stride);
    for (size_t i = 0; i < size; i++)
        if (i % stride >= count && !check_is_canary(&x[i]))
            check_fault(check, "writes between channels: [%zu] with stride %zu", i, stride);
    check_margins(check, X_SLOT);
}

void check_softmax(struct check *check)
{
    static const size_t channels[] = {1, 2, 3, 21, 90};
    static const float scales[] = {1, 20, 0x1p126F};
    size_t sizes[CHECK_SIZES];
    const size_t count = check_sizes(16, sizes);
    for (size_t i = 0; i < COUNT(channels); i++)
        for (size_t k = 0; k < count; k++)
            for (size_t times = 0; times < 6; times++)
                check_pixels(check, channels[i], sizes[k], scales[times % COUNT(scales)]);
    for (size_t columns = 1; columns < 60; columns++)
        check_pixels(check, 3, columns, 3);
}
