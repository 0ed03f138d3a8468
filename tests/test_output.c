/* test_output.c - sigmoid and its threshold, by the engine and by the literal graph. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

/* y = what the output makes of x itself, and of its means by 1 x 1 bins. */
#define MODEL(output)                                                                              \
    "{'input': {'channels': 1}, 'bins': [1], 'branch': [], 'output': {'as': 'sigmoid'" output "}}"

TestSuite(output, .init = support_open_folder, .fini = support_close_folder);

static struct ppm_tensor run(const char *text, const float *values, size_t count, bool reference)
{
    const struct ppm_run_options options = {.threads = 1, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    struct ppm_model *model = support_load_ok(text);
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, 1, 1, count}, PPM_NCHW, values);
    cr_assert_eq(ppm_run(model, &x, &options, &y, &error), PPM_OK, "%s", error.text);
    ppm_tensor_free(&x);
    ppm_model_free(model);
    return y;
}

Test(output, sigmoid_is_that_of_its_formula)
{
    static const float x[] = {0, 1, -1, 5.5F, -5.5F, 30, -30, 100, -100, INFINITY, -INFINITY};
    for (int reference = 0; reference < 2; reference++) {
        struct ppm_tensor y = run(MODEL(""), x, COUNT(x), reference);
        cr_assert(y.dtype == PPM_FLOAT32 && y.shape.c == 2);
        for (size_t i = 0; i < COUNT(x); i++) {
            const double expected = 1 / (1 + exp(-(double)x[i]));
            cr_expect(fabs((double)((float *)y.data)[i] - expected) <= 1e-7 + 1e-6 * expected,
                      "of %g: %g, not %g", (double)x[i], (double)((float *)y.data)[i], expected);
        }
        ppm_tensor_free(&y);
    }
}

/* Labels of values that straddle a threshold by a bit or two of float32, and are not subnormal. */
static void check_threshold(double threshold)
{
    char text[200];
    const double logit = log(threshold / (1 - threshold));
    const float at = (float)logit, step = fmaxf(fabsf(at) * 0x1p-23F, 0x1p-126F);
    const float x[] = {at - step, at, at + step, at - 1, at + 1, -INFINITY, INFINITY, NAN, -0.0F};
    snprintf(text, sizeof text, MODEL(", 'threshold': %.17g"), threshold);
    for (int reference = 0; reference < 2; reference++) {
        struct ppm_tensor y = run(text, x, COUNT(x), reference);
        cr_assert(y.dtype == PPM_INT32 && y.shape.c == 2);
        for (size_t i = 0; i < COUNT(x); i++)
            cr_expect_eq(((int32_t *)y.data)[i], (double)x[i] > logit, "%.9g at %g (%d)",
                         (double)x[i], threshold, reference);
        ppm_tensor_free(&y);
    }
}

Test(output, labels_are_where_the_sigmoid_is_above_the_threshold)
{
    static const double thresholds[] = {0.5, 0.25, 0.3, 0.1, 0.9, 0.999, 1e-6, 0.4999999};
    for (size_t i = 0; i < COUNT(thresholds); i++)
        check_threshold(thresholds[i]);
}

/* A probability of 0 is not above 0, and none is above 1. */
Test(output, thresholds_of_0_and_1)
{
    static const float x[] = {-INFINITY, -1e30F, 0, 1e30F, INFINITY, NAN};
    static const int32_t above_0[] = {0, 1, 1, 1, 1, 0}, above_1[COUNT(x)] = {0};
    for (int reference = 0; reference < 2; reference++) {
        struct ppm_tensor y = run(MODEL(", 'threshold': 0"), x, COUNT(x), reference);
        cr_expect_arr_eq(y.data, above_0, sizeof above_0);
        ppm_tensor_free(&y);
        y = run(MODEL(", 'threshold': 1"), x, COUNT(x), reference);
        cr_expect_arr_eq(y.data, above_1, sizeof above_1);
        ppm_tensor_free(&y);
    }
}
