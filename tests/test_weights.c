/* test_weights.c - models with their weights: errors, names, and results. */
#include "core/model/model.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(weights, .init = support_open_folder, .fini = support_close_folder);

#define HEAD_MODEL(layers, weights)                                                                \
    "{'input': {'channels': 1}, 'bins': [1], 'branch': [], 'head': [" layers "],"                  \
    " 'weights': {'file': 'w.safetensors'" weights "}}"

/* Cases differ in one or two tensors; the rest of the model is a head over 2 channels. */
static void expect_refusal(const char *what, const char *json,
                           const struct support_weights *tensors, size_t count, const char *text)
{
    struct ppm_error error = {0};
    const char *path = support_write_safetensors("w.safetensors", tensors, count);
    struct ppm_model *model = support_load(json, &error);
    cr_expect(model == NULL, "%s: was loaded", what);
    cr_expect(error.status == PPM_BAD_CONFIG, "%s: found status %d", what, (int)error.status);
    cr_expect(strstr(error.text, text) != NULL, "%s: found \"%s\", expected \"%s\"", what,
              error.text, text);
    cr_expect(strstr(error.text, path) != NULL, "%s: \"%s\" does not name the file", what,
              error.text);
    ppm_model_free(model);
}

Test(weights, refuses_kernels)
{
    const char *plain = HEAD_MODEL("{'conv': {'channels': 3, 'bias': false}}", "");
    const char *biased = HEAD_MODEL("{'conv': {'channels': 3}}", "");
    const char *square = HEAD_MODEL("{'conv': {'channels': 3, 'kernel': 3, 'bias': false}}", "");
    const char *hwio = HEAD_MODEL("{'conv': {'channels': 3, 'bias': false}}",
                                  ", 'prefix': 'm.', 'kernel_layout': 'HWIO'");
    static const float nan_at_4[6] = {0, 0, 0, 0, NAN, 0}, inf_at_0[6] = {-INFINITY};
    static const uint16_t half_inf_at_5[6] = {0, 0, 0, 0, 0, 0x7c00};
    const struct {
        const char *name, *json;
        struct support_weights tensor;
        const char *text;
    } cases[] = {
        {"missing",
         plain,
         {"head.1.conv.weight", "F32", {3, 2, 1, 1}, NULL},
         "tensor head.0.conv.weight: found none of that name, expected one of shape [3, 2, 1, 1] "
         "(the file's first is head.1.conv.weight)"},
        {"no bias",
         biased,
         {"head.0.conv.weight", "F32", {3, 2, 1, 1}, NULL},
         "tensor head.0.conv.bias: found none of that name, expected one of shape [3]"},
        {"wrong width",
         plain,
         {"head.0.conv.weight", "F32", {3, 4, 1, 1}, NULL},
         "tensor head.0.conv.weight: found shape [3, 4, 1, 1], expected [3, 2, 1, 1] "
         "(kernel_layout OIHW)"},
        {"wrong rank",
         plain,
         {"head.0.conv.weight", "F32", {3, 2}, NULL},
         "found shape [3, 2], ex"},
        {"rank 0", plain, {"head.0.conv.weight", "F32", {0}, NULL}, "found shape [], expected [3"},
        {"1x1 for 3x3",
         square,
         {"head.0.conv.weight", "F32", {3, 2, 1, 1}, NULL},
         "found shape [3, 2, 1, 1], expected [3, 2, 3, 3]"},
        {"HWIO for OIHW",
         plain,
         {"head.0.conv.weight", "F32", {1, 1, 2, 3}, NULL},
         "found shape [1, 1, 2, 3], expected [3, 2, 1, 1] (kernel_layout OIHW)"},
        {"OIHW for HWIO",
         hwio,
         {"m.head.0.conv.weight", "F32", {3, 2, 1, 1}, NULL},
         "tensor m.head.0.conv.weight: found shape [3, 2, 1, 1], expected [1, 1, 2, 3] "
         "(kernel_layout HWIO)"},
        {"without prefix",
         hwio,
         {"head.0.conv.weight", "F32", {1, 1, 2, 3}, NULL},
         "tensor m.head.0.conv.weight: found none of that name, expected one of shape [1, 1, 2, "
         "3]"},
        {"F64",
         plain,
         {"head.0.conv.weight", "F64", {3, 2, 1, 1}, NULL},
         "found dtype F64, expect"},
        {"I64",
         plain,
         {"head.0.conv.weight", "I64", {3, 2, 1, 1}, NULL},
         "found dtype I64, expect"},
        {"NaN",
         plain,
         {"head.0.conv.weight", "F32", {3, 2, 1, 1}, nan_at_4},
         "tensor head.0.conv.weight: found nan at element 4, expected finite values"},
        {"Inf",
         plain,
         {"head.0.conv.weight", "F32", {3, 2, 1, 1}, inf_at_0},
         "found -inf at element 0, expected finite values"},
        {"F16 Inf",
         plain,
         {"head.0.conv.weight", "F16", {3, 2, 1, 1}, half_inf_at_5},
         "found inf at element 5"},
        {"HWIO Inf",
         hwio,
         {"m.head.0.conv.weight", "F32", {1, 1, 2, 3}, inf_at_0},
         "found -inf at"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_refusal(cases[i].name, cases[i].json, &cases[i].tensor, 1, cases[i].text);
}

Test(weights, refuses_norms_and_slopes)
{
    const char *norm = HEAD_MODEL("{'batch_norm': {'weights': 'n', 'scale': false,"
                                  " 'center': false}}",
                                  "");
    const char *eps_0 = HEAD_MODEL("{'batch_norm': {'weights': 'n', 'scale': false,"
                                   " 'center': false, 'eps': 0}}",
                                   "");
    const char *whole = HEAD_MODEL("{'batch_norm': {'weights': 'n'}}", "");
    const char *prelu = HEAD_MODEL("'prelu'", "");
    static const float negative[] = {1, -1e-12F}, zero[] = {0, 1}, inf[] = {1, INFINITY};
    const struct {
        const char *name, *json;
        struct support_weights tensors[2];
        const char *text;
    } cases[] = {
        {"negative variance",
         norm,
         {{"n.running_mean", "F32", {2}, NULL}, {"n.running_var", "F32", {2}, negative}},
         "tensor n.running_var: found -1e-12 at element 1, expected a variance of at least 0"},
        {"zero variance with eps 0",
         eps_0,
         {{"n.running_mean", "F32", {2}, NULL}, {"n.running_var", "F32", {2}, zero}},
         "tensor n.running_var: found 0 at element 0"},
        {"infinite variance",
         norm,
         {{"n.running_mean", "F32", {2}, NULL}, {"n.running_var", "F32", {2}, inf}},
         "tensor n.running_var: found inf at element 1, expected finite values"},
        {"no variance",
         norm,
         {{"n.running_mean", "F32", {2}, NULL}, {"n.var", "F32", {2}, zero}},
         "tensor n.running_var: found none of that name"},
        {"long mean",
         norm,
         {{"n.running_mean", "F32", {3}, NULL}, {"n.running_var", "F32", {2}, zero}},
         "tensor n.running_mean: found shape [3], expected [2]"},
        {"no gamma",
         whole,
         {{"n.running_mean", "F32", {2}, NULL}, {"n.running_var", "F32", {2}, zero}},
         "tensor n.weight: found none of that name"},
        {"3 slopes",
         prelu,
         {{"head.0.prelu.weight", "F32", {3}, NULL}, {"a", "F32", {1}, NULL}},
         "tensor head.0.prelu.weight: found shape [3], expected [2]"},
        {"slopes of rank 2",
         prelu,
         {{"head.0.prelu.weight", "F32", {2, 1}, NULL}, {"a", "F32", {1}, NULL}},
         "tensor head.0.prelu.weight: found shape [2, 1], expected [2]"},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_refusal(cases[i].name, cases[i].json, cases[i].tensors, 2, cases[i].text);
}

Test(weights, refuses_a_model_without)
{
    struct ppm_error error = {0};
    cr_expect(support_load("{'input': {'channels': 1}, 'bins': [1], 'branch': ['conv']}", &error) ==
              NULL);
    cr_expect(strstr(error.text, "weights: found nothing, expected {\"file\"") != NULL, "%s",
              error.text);
    error = (struct ppm_error){0};
    cr_expect(support_load(HEAD_MODEL("'relu'", ""), &error) == NULL, "a missing file");
    cr_expect(strstr(error.text, "w.safetensors: cannot read it: No such file") != NULL, "%s",
              error.text);
    /* a model without trained layers needs none */
    struct ppm_model *model =
        support_load_ok("{'input': {'channels': 1}, 'bins': [1], 'branch': [], 'head': ['gelu']}");
    ppm_model_free(model);
}

/* y of a model for x = 1, 2, .. on [1, 1, h, w], NCHW */
static struct ppm_tensor run_on_counting(const char *json, size_t h, size_t w)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    struct ppm_model *model = support_load_ok(json);
    struct ppm_tensor input = support_tensor((struct ppm_shape){1, 1, h, w}, PPM_NCHW, x);
    cr_assert(ppm_run(model, &input, NULL, &y, &error) == PPM_OK, "%s", error.text);
    ppm_tensor_free(&input);
    ppm_model_free(model);
    return y;
}

static void expect_floats(const char *what, struct ppm_tensor y, const float *expected,
                          size_t count)
{
    const float *found = y.data;
    cr_assert(support_elements(&y) == count, "%s: found %zu values", what, support_elements(&y));
    for (size_t i = 0; i < count; i++)
        cr_expect(found[i] == expected[i], "%s: found %.9g at %zu, expected %.9g", what,
                  (double)found[i], i, (double)expected[i]);
    ppm_tensor_free(&y);
}

/* x = 1 and its mean, 1; other tensors in the file are ignored. */
Test(weights, kernels_in_both_layouts)
{
    static const float oihw[] = {1, 10, 100, 1000, 2, 20}; /* [3][2] */
    static const float hwio[] = {1, 100, 2, 10, 1000, 20}; /* [2][3] */
    static const float bias[] = {0.5F, 0.25F, 0.125F};
    static const float expected[] = {11.5F, 1100.25F, 22.125F};
    const struct support_weights tensors[] = {
        {"num_batches", "I64", {1}, NULL}, {"c.weight", "F32", {3, 2, 1, 1}, oihw},
        {"c.bias", "F32", {3}, bias},      {"d.weight", "F32", {1, 1, 2, 3}, hwio},
        {"d.bias", "F32", {3}, bias},      {"c.extra", "F64", {7}, NULL}};
    const char *c = HEAD_MODEL("{'conv': {'channels': 3, 'weights': 'c'}}", "");
    const char *d =
        HEAD_MODEL("{'conv': {'channels': 3, 'weights': 'd'}}", ", 'kernel_layout': 'HWIO'");
    support_write_safetensors("w.safetensors", tensors, COUNT(tensors));
    expect_floats("OIHW", run_on_counting(c, 1, 1), expected, 3);
    expect_floats("HWIO", run_on_counting(d, 1, 1), expected, 3);
}

/* A 3x3 kernel that copies the pixel to the upper right in input 0, in both layouts. */
Test(weights, three_by_three_kernels_in_both_layouts)
{
    const char *const layouts[] = {"OIHW", "HWIO"};
    static const float oihw[18] = {[0 * 9 + 0 * 3 + 2] = 1};   /* [1][2][3][3] */
    static const float hwio[18] = {[(0 * 3 + 2) * 2 + 0] = 1}; /* [3][3][2][1] */
    static const float expected[] = {0, 0, 0, 2, 3, 0};
    const struct support_weights tensors[] = {{"OIHW.weight", "F32", {1, 2, 3, 3}, oihw},
                                              {"HWIO.weight", "F32", {3, 3, 2, 1}, hwio}};
    support_write_safetensors("w.safetensors", tensors, COUNT(tensors));
    for (size_t i = 0; i < COUNT(layouts); i++) {
        char json[400];
        snprintf(json, sizeof json,
                 HEAD_MODEL("{'conv': {'channels': 1, 'kernel': 3, 'bias': false,"
                            " 'weights': '%s'}}",
                            ", 'kernel_layout': '%s'"),
                 layouts[i], layouts[i]);
        expect_floats(layouts[i], run_on_counting(json, 2, 3), expected, 6);
    }
}

/* Rows longer than any kernel's block. */
Test(weights, three_by_three_kernels_on_long_rows)
{
    enum { WIDTH = 700 };
    static const float above_right[18] = {[2] = 1};
    static const struct support_weights tensor = {"a.weight", "F32", {1, 2, 3, 3}, above_right};
    support_write_safetensors("w.safetensors", &tensor, 1);
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(
        HEAD_MODEL("{'conv': {'channels': 1, 'kernel': 3, 'bias': false, 'weights': 'a'}}", ""));
    struct ppm_tensor y = {0};
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, 1, 2, WIDTH}, PPM_NCHW, NULL);
    const float *above = x.data;
    cr_assert(ppm_run(model, &x, NULL, &y, &error) == PPM_OK, "%s", error.text);
    const float *rows = y.data;
    for (size_t i = 0; i < WIDTH; i++) {
        cr_expect(rows[i] == 0, "row 0, column %zu", i);
        cr_expect(rows[WIDTH + i] == (i + 1 < WIDTH ? above[i + 1] : 0), "row 1, column %zu", i);
    }
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_model_free(model);
}

/* (x - mean) / sqrt(variance + eps) * gamma + beta for x = 1 in both channels. */
Test(weights, norms_and_slopes)
{
    static const float mean[] = {1, 3}, variance[] = {3, 15}, gamma[] = {4, -2}, beta[] = {-10, 0};
    static const float slope[] = {0.5F};
    const struct support_weights tensors[] = {
        {"n.running_mean", "F32", {2}, mean}, {"n.running_var", "F32", {2}, variance},
        {"n.weight", "F32", {2}, gamma},      {"n.bias", "F32", {2}, beta},
        {"p.weight", "F32", {1}, slope},
    };
    static const struct {
        const char *name, *json;
        float y[2];
    } cases[] = {
        {"norm", HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1}}", ""), {-10, 1}},
        {"no gamma",
         HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1, 'scale': false}}", ""),
         {-10, -0.5F}},
        {"no beta",
         HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1, 'center': false}}", ""),
         {0, 1}},
        {"two norms",
         HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1}},"
                    "{'batch_norm': {'weights': 'n', 'eps': 1}}",
                    ""),
         {-32, 1}},
        {"norm, slope",
         HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1}}, {'prelu': {'weights': 'p'}}", ""),
         {-5, 1}},
        {"norm, relu, norm",
         HEAD_MODEL("{'batch_norm': {'weights': 'n', 'eps': 1}}, 'relu',"
                    "{'batch_norm': {'weights': 'n', 'eps': 1}}",
                    ""),
         {-12, 1}},
    };
    support_write_safetensors("w.safetensors", tensors, COUNT(tensors));
    for (size_t i = 0; i < COUNT(cases); i++)
        expect_floats(cases[i].name, run_on_counting(cases[i].json, 1, 1), cases[i].y, 2);

    struct ppm_model *model = support_load_ok(HEAD_MODEL("{'prelu': {'weights': 'p'}}", ""));
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_expect(info.parameters == 1, "one slope for all counts %llu times",
              (unsigned long long)info.parameters);
    ppm_model_free(model);
}

/* Two convs 2 -> 2 and a norm, in the head's order. */
static struct ppm_model *load_random(const char *head, const char *seed)
{
    char json[600];
    snprintf(json, sizeof json,
             "{'input': {'channels': 1}, 'bins': [1], 'branch': [], 'head': [%s],"
             " 'weights': {'random': %s}}",
             head, seed);
    return support_load_ok(json);
}

#define CONV(name) "{'conv': {'channels': 2, 'kernel': 3, 'weights': '" name "'}}"

static bool is_same_conv(const struct layer *a, const struct layer *b)
{
    const size_t count = a->out_channels * a->in_channels * conv_taps(a);
    return memcmp(a->panels, b->panels, count * sizeof *a->panels) == 0 &&
           memcmp(a->shift, b->shift, a->out_channels * sizeof *a->shift) == 0;
}

Test(weights, random_ones_follow_seed_and_name)
{
    struct ppm_model *model = load_random("'elu', " CONV("a") ", 'elu', " CONV("b"), "7");
    struct ppm_model *again = load_random("'elu', " CONV("a") ", 'elu', " CONV("b"), "7");
    struct ppm_model *swapped = load_random("'elu', " CONV("b") ", 'elu', " CONV("a"), "7");
    struct ppm_model *other = load_random("'elu', " CONV("a") ", 'elu', " CONV("b"), "8");
    const struct layer *a = &model->spec.graph.nodes[FIRST_OF_HEAD + 1].layer,
                       *b = &model->spec.graph.nodes[FIRST_OF_HEAD + 3].layer;
    cr_expect(is_same_conv(a, &again->spec.graph.nodes[FIRST_OF_HEAD + 1].layer), "another load");
    cr_expect(is_same_conv(b, &again->spec.graph.nodes[FIRST_OF_HEAD + 3].layer), "another load");
    cr_expect(is_same_conv(a, &swapped->spec.graph.nodes[FIRST_OF_HEAD + 3].layer),
              "another order");
    cr_expect(is_same_conv(b, &swapped->spec.graph.nodes[FIRST_OF_HEAD + 1].layer),
              "another order");
    cr_expect(!is_same_conv(a, b), "another name");
    cr_expect(!is_same_conv(a, &other->spec.graph.nodes[FIRST_OF_HEAD + 1].layer), "another seed");
    for (size_t i = 0; i < 36; i++)
        cr_expect(fabsf(a->panels[i]) <= sqrtf(3.0F / 18), "found %g", (double)a->panels[i]);
    ppm_model_free(model);
    ppm_model_free(again);
    ppm_model_free(swapped);
    ppm_model_free(other);
}

struct reports {
    size_t count;
    double last;
    bool falls;
};

static void count_report(void *context, const char *what, double share)
{
    struct reports *reports = context;
    reports->falls = reports->falls || share < reports->last || strcmp(what, "model") != 0;
    reports->last = share;
    reports->count++;
}

Test(weights, progress_rises_to_1)
{
    struct reports reports = {0};
    struct ppm_error error = {0};
    const struct ppm_progress progress = {.report = count_report, .context = &reports};
    const char *path = support_write_json(
        "model.json", "{'input': {'channels': 1}, 'bins': [1, 2], 'branch': ['conv', 'relu'],"
                      " 'head': ['batch_norm'], 'weights': {'random': 1}}");
    struct ppm_model *model = ppm_model_load(path, &progress, &error);
    cr_assert(model != NULL, "%s", error.text);
    cr_expect(reports.count == 5 && reports.last == 1 && !reports.falls, "found %zu reports to %g",
              reports.count, reports.last);
    ppm_model_free(model);
}

/* ---- a load that is cancelled ---- */

struct looks {
    size_t count, cancelled_at;
};

static bool is_cancelled(void *context)
{
    struct looks *looks = context;
    return ++looks->count == looks->cancelled_at;
}

static struct ppm_model *load_until(const char *path, size_t look, size_t *ret_looks,
                                    struct ppm_error *error)
{
    struct looks looks = {.cancelled_at = look};
    const struct ppm_progress progress = {.is_cancelled = is_cancelled, .context = &looks};
    struct ppm_model *model = ppm_model_load(path, &progress, error);
    *ret_looks = looks.count;
    return model;
}

/* Whichever call tells it to stop, it stops, and makes no further call. There is a call for each
 * quarter of a million values and each packed panel: every few milliseconds. */
static void check_cancellation(const char *path, size_t looks_min)
{
    size_t looks, count;
    struct ppm_error error = {0};
    struct ppm_model *model = load_until(path, 0, &looks, &error);
    cr_assert(model != NULL, "%s", error.text);
    ppm_model_free(model);
    cr_assert(looks >= looks_min, "%s: %zu looks, expected at least %zu", path, looks, looks_min);
    for (size_t look = 1; look <= looks; look += 1 + looks / 8) {
        error = (struct ppm_error){0};
        cr_assert(load_until(path, look, &count, &error) == NULL, "look %zu", look);
        cr_assert(error.status == PPM_CANCELLED && count == look, "%s", error.text);
    }
}

#define WIDE_HEAD "[{'conv': {'channels': 512, 'kernel': 3, 'bias': false}}]"
#define WIDE(weights)                                                                              \
    "{'input': {'channels': 128}, 'bins': [1], 'branch': [], 'head': " WIDE_HEAD                   \
    ", 'weights': " weights "}"

Test(weights, a_load_is_abandoned_at_any_look)
{
    enum { VALUES = 512 * 256 * 9, LOOKS_MIN = VALUES / (256 << 10) + 512 / 32 };
    const struct support_weights oihw = {"head.0.conv.weight", "F32", {512, 256, 3, 3}, NULL};
    const struct support_weights hwio = {"head.0.conv.weight", "F32", {3, 3, 256, 512}, NULL};
    check_cancellation(support_write_json("random.json", WIDE("{'random': 1}")), LOOKS_MIN);
    support_write_safetensors("w.safetensors", &oihw, 1);
    check_cancellation(support_write_json("file.json", WIDE("{'file': 'w.safetensors'}")),
                       LOOKS_MIN);
    support_write_safetensors("h.safetensors", &hwio, 1);
    check_cancellation(support_write_json("hwio.json", WIDE("{'file': 'h.safetensors',"
                                                            " 'kernel_layout': 'HWIO'}")),
                       LOOKS_MIN + 9);
}
