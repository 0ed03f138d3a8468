/* test_isa.c - a model belongs to the kernels that its weights are packed for: choosing others
 * changes what is loaded later, and nothing that is there. */
#include "simd/simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(isa, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static const char *const isas[] = {"scalar", "avx2", "avx512", "neon"};

#define MEMBERS(head)                                                                              \
    "'input': {'channels': 30}, 'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 29}}, "     \
    "'relu'], 'head': [" head "], 'weights': {'random': 1}"

/* What reads packed weights, each in another way: tiles and tiles of rows, Winograd's form and the
 * direct one of 3x3, later convs, no head, an output stage, pairs of bfloat16. */
static const char *const kinds[] = {
    MEMBERS("{'conv': {'channels': 37}}, 'relu', {'conv': {'channels': 5, 'weights': 'last'}}"),
    MEMBERS("{'conv': {'channels': 40, 'kernel': 3}}, 'relu', {'conv': {'channels': 9, 'weights': "
            "'last'}}"),
    MEMBERS("{'conv': {'channels': 20, 'kernel': 3}}"),
    MEMBERS("{'batch_norm': {}}, {'conv': {'channels': 7}}") ", 'output': {'scale': 3, 'as': "
                                                             "'softmax'}",
    "'input': {'channels': 5}, 'bins': [1, 4], 'branch': [{'conv': {'channels': 3}}], 'weights': "
    "{'random': 1}",
    MEMBERS("{'conv': {'channels': 37}}, 'gelu'") ", 'compute': 'bfloat16'",
};
enum { KINDS = COUNT(kinds), ISAS = COUNT(isas) };

static bool has(const char *isa, const char *kind)
{
    const struct simd_ops *ops = simd_select(isa);
    return ops && (!strstr(kind, "bfloat16") || simd_select_bfloat16(ops));
}

static void choose(const char *isa)
{
    struct ppm_error error = {0};
    cr_assert_eq(ppm_isa_select(isa, &error), PPM_OK, "%s", error.text);
}

static struct ppm_model *load(const char *members)
{
    char text[1024];
    snprintf(text, sizeof text, "{%s}", members);
    return support_load_ok(text);
}

struct loaded {
    const char *isa, *kind;
    struct ppm_model *model;
    struct ppm_plan *plan;
    struct ppm_tensor x, x_nhwc;
    struct ppm_tensor y, y_nhwc; /* as long as nothing else had been chosen */
};

static struct ppm_tensor run(const struct loaded *loaded, const struct ppm_tensor *x,
                             struct ppm_plan *plan, const struct ppm_pooling *pooling,
                             bool reference)
{
    const struct ppm_run_options options = {
        .threads = 2, .plan = plan, .pooling = pooling, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(loaded->model, x, &options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

static struct loaded load_under(const char *isa, const char *kind)
{
    choose(isa);
    struct loaded ret = {.isa = isa, .kind = kind, .model = load(kind)};
    struct ppm_error error = {0};
    struct ppm_model_info info;
    ppm_model_info(ret.model, &info);
    ret.x = support_tensor((struct ppm_shape){2, info.inputs[0].channels, 24, 31}, PPM_NCHW, NULL);
    ret.x_nhwc = support_other_layout(&ret.x);
    ret.plan = ppm_plan_create(ret.model, SIZES_OF(ret.x.shape), NULL, &error);
    cr_assert(ret.plan, "%s", error.text);
    ret.y = run(&ret, &ret.x, ret.plan, NULL, false);
    ret.y_nhwc = run(&ret, &ret.x_nhwc, ret.plan, NULL, false);
    return ret;
}

static void expect_same(const struct ppm_tensor *y, const struct ppm_tensor *expected,
                        const struct loaded *loaded, const char *what)
{
    cr_expect(support_is_same(y, expected), "%s: loaded for %s, %s chosen: %s", what, loaded->isa,
              ppm_isa_name(), loaded->kind);
}

/* With the plan of its load, with a new one, and pooled before the run. */
static void check(const struct loaded *loaded)
{
    struct ppm_error error = {0};
    struct ppm_model_info info;
    ppm_model_info(loaded->model, &info);
    cr_expect_str_eq(info.isa, loaded->isa);
    struct ppm_pooling *pooling = ppm_pooling_create(loaded->model, loaded->x.shape, NULL, &error);
    cr_assert(pooling, "%s", error.text);
    ppm_pooling_feed(pooling, loaded->x.data, support_elements(&loaded->x));
    struct ppm_tensor known = run(loaded, &loaded->x, loaded->plan, NULL, false);
    struct ppm_tensor planned = run(loaded, &loaded->x, NULL, NULL, false);
    struct ppm_tensor pooled = run(loaded, &loaded->x, loaded->plan, pooling, false);
    struct ppm_tensor nhwc = run(loaded, &loaded->x_nhwc, NULL, NULL, false);
    struct ppm_tensor literal = run(loaded, &loaded->x, NULL, NULL, true);
    expect_same(&known, &loaded->y, loaded, "the plan of its load");
    expect_same(&planned, &loaded->y, loaded, "a new plan");
    expect_same(&pooled, &loaded->y, loaded, "pooled ahead");
    expect_same(&nhwc, &loaded->y_nhwc, loaded, "NHWC");
    const double most = strstr(loaded->kind, "bfloat16") ? 0x1p-8 : 2e-5;
    cr_expect(support_difference(&loaded->y, &literal) <= most, "off by %g: loaded for %s, %s",
              support_difference(&loaded->y, &literal), loaded->isa, loaded->kind);
    struct ppm_tensor *const all[] = {&known, &planned, &pooled, &nhwc, &literal};
    for (size_t i = 0; i < COUNT(all); i++)
        ppm_tensor_free(all[i]);
    ppm_pooling_free(pooling);
}

Test(isa, a_model_keeps_its_kernels)
{
    struct loaded loaded[ISAS * KINDS];
    size_t count = 0;
    for (size_t i = 0; i < ISAS; i++)
        for (size_t k = 0; k < KINDS; k++)
            if (has(isas[i], kinds[k]))
                loaded[count++] = load_under(isas[i], kinds[k]);
    for (size_t i = 0; i < ISAS; i++) {
        if (!simd_select(isas[i]))
            continue;
        choose(isas[i]);
        for (size_t k = 0; k < count; k++)
            check(&loaded[k]);
    }
    for (size_t i = 0; i < count; i++) {
        ppm_tensor_free(&loaded[i].x);
        ppm_tensor_free(&loaded[i].x_nhwc);
        ppm_tensor_free(&loaded[i].y);
        ppm_tensor_free(&loaded[i].y_nhwc);
        ppm_plan_free(loaded[i].plan);
        ppm_model_free(loaded[i].model);
    }
}
