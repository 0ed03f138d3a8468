/* test_bfloat16.c - models that compute with bfloat16: against the literal graph, and where they
 * are refused. With the best kernels for it that this machine has, whatever they are worth. */
#include "core/base/kernels.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_up(void)
{
    struct ppm_error error = {0};
    support_open_folder();
    if (!simd_select_bfloat16(core_simd()))
        ppm_isa_select("scalar", &error);
}

TestSuite(bfloat16, .init = set_up, .fini = support_close_folder, .timeout = 300);

/* A model's text without its braces, with the compute that is wanted. */
static struct ppm_model *load(const char *members, const char *compute)
{
    char text[2048];
    snprintf(text, sizeof text, "{%s, 'compute': '%s'}", members, compute);
    return support_load_ok(text);
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             bool reference, int threads)
{
    const struct ppm_run_options options = {.threads = threads, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    ppm_run(model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    return y;
}

static void round_values(struct ppm_tensor *x)
{
    float *values = x->data;
    for (size_t i = 0; i < support_elements(x); i++)
        values[i] = support_half_value(support_nearest_half(values[i], 7), 7);
}

/* Odd and even numbers of channels, pieces that end within a chunk of K and within a gathered one,
 * both kernels, every place of the input, grids that are folded and blended row by row. */
static const struct {
    const char *members;
    struct ppm_shape shape;
} single[] = {
    {"'input': {'channels': 64}, 'bins': [1, 2, 3], 'branch': [{'conv': {'channels': 48}}, 'relu'],"
     " 'head': [{'conv': {'channels': 37}}, 'relu'], 'weights': {'random': 1}",
     {2, 64, 24, 31}},
    {"'input': {'channels': 67}, 'bins': [1, 3], 'branch': [{'conv': {'channels': 35}}, 'gelu'],"
     " 'concat': 'input_last', 'upsample': 'half_pixel', 'head': [{'conv': {'channels': 15}}],"
     " 'weights': {'random': 2}",
     {1, 67, 30, 29}},
    {"'input': {'channels': 131}, 'bins': [1, 2], 'branch': [{'conv': {'channels': 41}}],"
     " 'head': [{'conv': {'channels': 19, 'kernel': 3}}, 'batch_norm', 'relu6'],"
     " 'weights': {'random': 3}",
     {1, 131, 17, 23}},
    {"'input': {'channels': 5003}, 'bins': [1], 'branch': [{'conv': {'channels': 9}}],"
     " 'head': [{'conv': {'channels': 5}}, 'silu'], 'weights': {'random': 4}",
     {1, 5003, 6, 7}},
    {"'input': {'channels': 1}, 'bins': [2], 'branch': [{'conv': {'channels': 40}}],"
     " 'head': [{'conv': {'channels': 16}}], 'weights': {'random': 5}",
     {3, 1, 20, 20}},
    {"'input': {'channels': 30}, 'bins': [1, 2], 'branch': [{'conv': {'channels': 40}}],"
     " 'head': [{'conv': {'channels': 33, 'kernel': 3}}, 'relu'], 'weights': {'random': 8}",
     {1, 30, 20, 24}},
    {"'input': {'channels': 30}, 'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 64}}, "
     "'relu', {'conv': {'channels': 61, 'weights': 'second.{i}'}}],"
     " 'head': [{'conv': {'channels': 28}}, 'relu', {'conv': {'channels': 21, 'weights': 'last'}},"
     " 'softmax'], 'output': {'scale': 2}, 'weights': {'random': 6}",
     {1, 30, 20, 32}},
};

static void check_rounded(const char *members, struct ppm_shape shape)
{
    struct ppm_model *model = load(members, "bfloat16");
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    round_values(&x);
    struct ppm_tensor turned = support_other_layout(&x);
    struct ppm_tensor expected = run(model, &x, true, 2), y = run(model, &x, false, 1);
    struct ppm_tensor y_turned = run(model, &turned, false, 2);
    struct ppm_tensor back = support_other_layout(&y_turned);
    cr_expect(support_difference(&y, &expected) <= 2e-5, "%s, off by %g: %s", ppm_isa_name(),
              support_difference(&y, &expected), members);
    cr_expect(support_difference(&back, &expected) <= 2e-5, "%s, NHWC off by %g: %s",
              ppm_isa_name(), support_difference(&back, &expected), members);
    ppm_tensor_free(&x);
    ppm_tensor_free(&turned);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    ppm_tensor_free(&y_turned);
    ppm_tensor_free(&back);
    ppm_model_free(model);
}

/* Where x and the weights are bfloat16 already, nothing is left to round but the sums: the answer
 * is as near the literal graph as that of float32. The graph has the model's rounded weights. */
Test(bfloat16, of_rounded_numbers_is_exact)
{
    struct ppm_error error = {0};
    for (size_t i = 0; i < COUNT(single); i++)
        check_rounded(single[i].members, single[i].shape);
    cr_assert_eq(ppm_isa_select("scalar", &error), PPM_OK);
    for (size_t i = 0; i < COUNT(single); i++)
        check_rounded(single[i].members, single[i].shape);
}

/* Any x and weights, compared with the literal graph of the float32 model. With 8 significant bits
 * the error of a factor is at most 2^-8, and 1.7e-3 on average (uniform within half a last place,
 * over all mantissas); that of a product is sqrt(2) times as large, 2.3e-3. The errors are
 * independent: a sum of products is off by 2.3e-3 of the average sum, and the worst of some
 * thousand sums by a multiple of that, which is about the ratio of the largest to the average sum.
 * So errors of about 2e-3 of the largest value are expected (1.5e-3 to 2.6e-3 are found); more than
 * 2^-8 is a fault. */
Test(bfloat16, is_near_float32)
{
    for (size_t i = 0; i < COUNT(single); i++) {
        struct ppm_model *model = load(single[i].members, "bfloat16");
        struct ppm_model *wide = load(single[i].members, "float32");
        struct ppm_model_info info;
        struct ppm_tensor x = support_tensor(single[i].shape, PPM_NCHW, NULL);
        struct ppm_tensor expected = run(wide, &x, true, 2), y = run(model, &x, false, 1);
        const double difference = support_difference(&y, &expected);
        ppm_model_info(model, &info);
        cr_expect(difference <= 0x1p-8, "off by %g: %s", difference, single[i].members);
        cr_expect(difference > 1e-5, "off by %g, as float32 is: %s", difference, single[i].members);
        cr_expect(info.compute_error.error > difference / 4 &&
                      info.compute_error.error < difference * 4,
                  "found %g, described as %g: %s", difference, info.compute_error.error,
                  single[i].members);
        ppm_tensor_free(&x);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&y);
        ppm_model_free(model);
        ppm_model_free(wide);
    }
}

/* Map n of a batch. */
static struct ppm_tensor map_of(const struct ppm_tensor *batch, size_t n)
{
    struct ppm_shape shape = batch->shape;
    shape.n = 1;
    return support_tensor(shape, batch->layout,
                          (const float *)batch->data + n * shape.c * shape.h * shape.w);
}

Test(bfloat16, bits_depend_neither_on_threads_nor_on_the_batch)
{
    for (size_t i = 0; i < COUNT(single); i++) {
        struct ppm_model *model = load(single[i].members, "bfloat16");
        struct ppm_shape shape = single[i].shape;
        shape.n = 3;
        struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
        struct ppm_tensor y = run(model, &x, false, 1), threaded = run(model, &x, false, 3);
        cr_expect(support_is_same(&y, &threaded), "threads: %s", single[i].members);
        for (size_t n = 0; n < 3; n++) {
            struct ppm_tensor x_n = map_of(&x, n), expected = map_of(&y, n);
            struct ppm_tensor y_n = run(model, &x_n, false, 2);
            cr_expect(support_is_same(&y_n, &expected), "map %zu: %s", n, single[i].members);
            ppm_tensor_free(&x_n);
            ppm_tensor_free(&y_n);
            ppm_tensor_free(&expected);
        }
        ppm_tensor_free(&x);
        ppm_tensor_free(&y);
        ppm_tensor_free(&threaded);
        ppm_model_free(model);
    }
}

/* Branches that are not folded: more points than channels, or a head that begins with another layer
 * or is missing. Stretched values are rounded too, so that only the wide bound holds. */
Test(bfloat16, unfolded)
{
    static const char *const models[] = {
        "'input': {'channels': 33}, 'bins': [6, 9], 'branch': [{'conv': {'channels': 21}}],"
        " 'head': [{'conv': {'channels': 31, 'kernel': 3}}], 'exact': true, 'weights': {'random': "
        "1}",
        "'input': {'channels': 33}, 'bins': [9, 6], 'branch': [{'conv': {'channels': 21}}], "
        "'concat': 'branches', 'head': [{'conv': {'channels': 31}}], 'weights': {'random': 2}",
        "'input': {'channels': 33}, 'bins': [2, 3], 'branch': [{'conv': {'channels': 21}}],"
        " 'head': ['tanh', {'conv': {'channels': 31}}], 'weights': {'random': 3}",
        "'input': {'channels': 33}, 'bins': [2, 3], 'branch': [{'conv': {'channels': 21}}],"
        " 'weights': {'random': 4}",
    };
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = load(models[i], "bfloat16"), *wide = load(models[i], "float32");
        struct ppm_tensor x =
            support_tensor((struct ppm_shape){2, 33, 13, 15}, i % 2 ? PPM_NHWC : PPM_NCHW, NULL);
        struct ppm_tensor expected = run(wide, &x, true, 1), y = run(model, &x, false, 2);
        cr_expect(support_difference(&y, &expected) <= 0x1p-7, "off by %g: %s",
                  support_difference(&y, &expected), models[i]);
        ppm_tensor_free(&x);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&y);
        ppm_model_free(model);
        ppm_model_free(wide);
    }
}

static const char point_model[] =
    "'input': {'channels': 13}, 'bins': [1, 2, 3], 'branch': [{'conv': {'channels': 19}}],"
    " 'head': [{'conv': {'channels': 17}}, 'relu'], 'weights': {'random': 7}";
static const struct ppm_shape point_shape = {1, 13, 9, 11};
enum { POINTS = 99, POINT = 37 };

/* The answer where one value of x, POINT of a channel, is this. */
static struct ppm_tensor run_with(const struct ppm_model *model, float value, bool reference)
{
    struct ppm_tensor x = support_tensor(point_shape, PPM_NCHW, NULL);
    ((float *)x.data)[5 * POINTS + POINT] = value;
    struct ppm_tensor y = run(model, &x, reference, 2);
    ppm_tensor_free(&x);
    return y;
}

/* NaN and Inf reach exactly the values that they reach in the literal graph. */
Test(bfloat16, not_finite)
{
    const float values[] = {NAN, INFINITY, -INFINITY, 3e38F};
    struct ppm_model *model = load(point_model, "bfloat16");
    for (size_t i = 0; i < COUNT(values); i++) {
        struct ppm_tensor expected = run_with(model, values[i], true);
        struct ppm_tensor y = run_with(model, values[i], false);
        const float *a = y.data, *b = expected.data;
        size_t wrong = 0;
        for (size_t k = 0; k < support_elements(&y); k++)
            wrong += isnan(a[k]) != isnan(b[k]) || isinf(a[k]) != isinf(b[k]);
        cr_expect_eq(wrong, 0, "x holds %g: %zu values differ in kind", (double)values[i], wrong);
        ppm_tensor_free(&y);
        ppm_tensor_free(&expected);
    }
    ppm_model_free(model);
}

/* What is finite in float32, but rounded to Inf, is Inf at its pixel, or below 0 and clamped. */
Test(bfloat16, beyond_the_largest)
{
    struct ppm_model *model = load(point_model, "bfloat16");
    struct ppm_tensor y = run_with(model, FLT_MAX, false);
    const float *values = y.data;
    size_t infinite = 0;
    for (size_t k = POINT; k < support_elements(&y); k += POINTS) {
        cr_expect(isinf(values[k]) || values[k] == 0, "found %g", (double)values[k]);
        infinite += isinf(values[k]) ? 1 : 0;
    }
    cr_expect_gt(infinite, 0);
    ppm_tensor_free(&y);
    ppm_model_free(model);
}

/* ---- what a model says of itself ---- */

Test(bfloat16, weights_take_half_the_memory)
{
    struct ppm_model *model = load(single[0].members, "bfloat16");
    struct ppm_model *wide = load(single[0].members, "float32");
    struct ppm_model_info info, wide_info;
    ppm_model_info(model, &info);
    ppm_model_info(wide, &wide_info);
    const uint64_t weights = 3 * 48 * 64 + 37 * (64 + 3 * 48);
    cr_expect(strcmp(info.compute, "bfloat16") == 0 && strcmp(wide_info.compute, "float32") == 0);
    cr_expect_eq(wide_info.parameters_bytes - info.parameters_bytes, 2 * weights);
    cr_expect_eq(info.parameters, wide_info.parameters);
    cr_expect_eq(info.compute_error.sizes.count, 1);
    cr_expect_eq(info.compute_error.sizes.inputs[0].c, 64);
    cr_expect_eq(wide_info.compute_error.sizes.count, 0);
    ppm_model_free(model);
    ppm_model_free(wide);
}

/* By Winograd's form they are faster than with bfloat16. */
Test(bfloat16, what_winograd_fits_stays_float32)
{
    static const char form[] = "'input': {'channels': 30}, 'bins': [1], 'branch': [],"
                               " 'head': [{'conv': {'channels': 26, 'kernel': 3}}], 'exact': %s,"
                               " 'weights': {'random': 1}";
    uint64_t bytes[2];
    for (size_t i = 0; i < 2; i++) {
        char members[300];
        struct ppm_model_info info;
        struct ppm_layer_info layer;
        struct ppm_error error = {0};
        snprintf(members, sizeof members, form, i ? "true" : "false");
        struct ppm_model *model = load(members, "bfloat16");
        ppm_model_info(model, &info);
        cr_assert(info.layer_count == 1);
        cr_assert_eq(ppm_model_layers(model, NULL, &layer, &error), PPM_OK);
        cr_expect((strstr(layer.what, "bfloat16") != NULL) == (i == 1), "%s", layer.what);
        bytes[i] = info.parameters_bytes;
        ppm_model_free(model);
    }
    cr_expect_eq(bytes[0] - bytes[1], 2 * 60 * 26 * 9);
}

/* The x that the error is measured with has a size that the model takes. */
Test(bfloat16, error_is_measured_where_windows_fit)
{
    static const struct {
        const char *members;
        size_t n, h, w;
    } cases[] = {
        {"'input': {'channels': 2}, 'windows': [20], 'pool': 'valid', 'branch': ['conv'], "
         "'head': [{'conv': {'channels': 3}}], 'weights': {'random': 1}",
         1, 24, 24},
        {"'input': {'channels': 2}, 'windows': [700], 'pool': 'valid', 'branch': ['conv'], "
         "'weights': {'random': 1}, 'warm_up': [[2, 2, 700, 701]]",
         2, 700, 701},
        {"'input': {'channels': 2}, 'windows': [700], 'pool': 'valid', 'branch': ['conv'], "
         "'weights': {'random': 1}",
         0, 0, 0},
        {"'input': {'channels': 40}, 'bins': [1, 2], 'branch': ['conv'], 'weights': {'random': 1}, "
         "'head': [{'conv': {'channels': 3}}], 'output': {'as': 'argmax'}",
         1, 12, 12},
        {"'input': {'channels': 2}, 'bins': [1], 'branch': ['conv'], 'weights': {'random': 1}, "
         "'output': {'size': [65536, 65536]}",
         0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_model *model = load(cases[i].members, "bfloat16");
        struct ppm_model_info info;
        ppm_model_info(model, &info);
        const struct ppm_shape shape = info.compute_error.sizes.inputs[0];
        cr_expect(shape.n == cases[i].n && shape.h == cases[i].h && shape.w == cases[i].w,
                  "case %zu: %zu x %zu x %zu", i, shape.n, shape.h, shape.w);
        cr_expect(info.compute_error.error < 0.05, "case %zu: %g", i, info.compute_error.error);
        ppm_model_free(model);
    }
}

/* A cascade is the literal graph in double precision. */
Test(bfloat16, a_cascade_is_computed_as_ever)
{
    static const char members[] =
        "'input': {'channels': 4}, 'bins': [1, 2], 'branch': ['conv'], 'cascade': true,"
        " 'weights': {'random': 1}";
    struct ppm_model *model = load(members, "bfloat16"), *wide = load(members, "float32");
    struct ppm_model_info info;
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, 4, 5, 6}, PPM_NCHW, NULL);
    struct ppm_tensor y = run(model, &x, false, 1), expected = run(wide, &x, false, 1);
    ppm_model_info(model, &info);
    cr_expect(strcmp(info.compute, "float32") == 0);
    cr_expect(support_is_same(&y, &expected));
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&expected);
    ppm_model_free(model);
    ppm_model_free(wide);
}

/* ---- where it is refused ---- */

static const char small[] = "{'input': {'channels': 2}, 'bins': [1], 'branch': ['conv'],"
                            " 'weights': {'random': 1}, 'compute': 'bfloat16'}";

static void expect_refusal(const char *json, const char *text)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load(json, &error);
    cr_expect(model == NULL, "%s", json);
    cr_expect(error.status == PPM_BAD_CONFIG && strstr(error.text, text), "\"%s\", expected \"%s\"",
              error.text, text);
    ppm_model_free(model);
}

Test(bfloat16, refused_without_kernels)
{
    static const char *const names[] = {"avx2", "neon"};
    for (size_t i = 0; i < COUNT(names); i++) {
        struct ppm_error error = {0};
        char text[200];
        if (ppm_isa_select(names[i], &error) != PPM_OK)
            continue;
        snprintf(
            text, sizeof text,
            "model.json: compute: found \"bfloat16\", which the %s kernels in use do not have, "
            "expected \"float32\", or a CPU with AVX512_BF16",
            names[i]);
        expect_refusal(small, text);
    }
}

static double share_of(const char *json)
{
    struct ppm_model_info info;
    struct ppm_model *model = support_load_ok(json);
    ppm_model_info(model, &info);
    ppm_model_free(model);
    return info.compute_share;
}

/* In plain C, products of pairs take several times as long: that is said, and refuses nothing. */
Test(bfloat16, is_served_where_it_is_slow)
{
    struct ppm_error error = {0};
    cr_expect_gt(share_of(small), 0);
    cr_assert_eq(ppm_isa_select("scalar", &error), PPM_OK);
    cr_expect_gt(share_of(small), getenv("EMULATOR") ? 0 : 1); /* there, float32 is as slow */
    cr_expect_eq(share_of("{'input': {'channels': 2}, 'bins': [1], 'branch': ['conv'],"
                          " 'weights': {'random': 1}}"),
                 0);
}

Test(bfloat16, refused_by_what_it_is_called)
{
    expect_refusal("{'input': {'channels': 2}, 'bins': [1], 'branch': [], 'compute': 'bf16'}",
                   "compute: found \"bf16\", expected \"float32\" or \"bfloat16\"");
    expect_refusal("{'input': {'channels': 2}, 'bins': [1], 'branch': [], 'compute': 16}",
                   "compute: found 16");
}

/* Weights that let products overflow: the model is loaded, and no error can be told. */
Test(bfloat16, no_error_where_answers_are_not_finite)
{
    static const float large[4] = {3e38F, 3e38F, 3e38F, 3e38F};
    const struct support_weights tensors[] = {
        {"branch.0.conv.weight", "F32", {2, 2, 1, 1}, large},
        {"head.0.conv.weight", "F32", {1, 2, 1, 1}, large},
    };
    struct ppm_model_info info;
    support_write_safetensors("w.safetensors", tensors, COUNT(tensors));
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 2}, 'bins': [1], 'compute': 'bfloat16', 'concat': 'branches', "
        "'branch': [{'conv': {'bias': false}}], 'head': [{'conv': {'channels': 1, 'bias': false}}],"
        " 'weights': {'file': 'w.safetensors'}}");
    ppm_model_info(model, &info);
    cr_expect_eq(info.compute_error.sizes.count, 0);
    ppm_model_free(model);
}

Test(bfloat16, weights_beyond_its_range_are_refused)
{
    const float largest = 0x1.fefffep127F, beyond = 0x1.ffp127F;
    const float fine[2] = {1, -largest}, values[2] = {1, -beyond};
    struct support_weights tensor = {"branch.0.conv.weight", "F32", {1, 2, 1, 1}, fine};
    static const char json[] =
        "{'input': {'channels': 2}, 'bins': [1], 'compute': 'bfloat16', 'branch': [{'conv': "
        "{'channels': 1, 'bias': false}}], 'weights': {'file': 'w.safetensors'}}";
    support_write_safetensors("w.safetensors", &tensor, 1);
    ppm_model_free(support_load_ok(json));
    tensor.values = values;
    support_write_safetensors("w.safetensors", &tensor, 1);
    expect_refusal(json, "tensor branch.0.conv.weight: found -3.39618e+38 at element 1, expected a "
                         "value that is finite as bfloat16, with which the model computes");
}
