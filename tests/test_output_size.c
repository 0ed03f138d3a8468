/* test_output_size.c - the size of the output that a request asks for. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { H = 10, W = 12, WANTED_H = 13, WANTED_W = 31 };

#define MODEL(members)                                                                             \
    "{'input': {'channels': 4}, 'bins': [1, 2, 3], 'branch': [{'conv': {'channels': 4}}], "        \
    "" members "'weights': {'random': 3}}"
#define HEAD           "'head': [{'conv': {'channels': 5}}], "
#define OUTPUT(output) "'output': {" output "}, "
#define WANTED         "'size': [13, 31]"

/* A model that is asked for a size, and one whose own it is. */
static const struct {
    const char *asked, *own;
} pairs[] = {
    {MODEL(HEAD), MODEL(HEAD OUTPUT(WANTED))},
    {MODEL(""), MODEL(OUTPUT(WANTED))},
    {MODEL("'upsample': 'half_pixel', " HEAD),
     MODEL("'upsample': 'half_pixel', " HEAD OUTPUT(WANTED))},
    {MODEL(HEAD OUTPUT("'upsample': 'asymmetric'")),
     MODEL(HEAD OUTPUT(WANTED ", 'upsample': 'asymmetric'"))},
    {MODEL(HEAD OUTPUT("'scale': 3")), MODEL(HEAD OUTPUT(WANTED))},
    {MODEL(HEAD OUTPUT("'size': [7, 100], 'as': 'softmax'")),
     MODEL(HEAD OUTPUT(WANTED ", 'as': 'softmax'"))},
    {MODEL(HEAD OUTPUT("'as': 'argmax'")), MODEL(HEAD OUTPUT(WANTED ", 'as': 'argmax'"))},
    {MODEL(HEAD OUTPUT("'size': 'input', 'as': 'sigmoid'")),
     MODEL(HEAD OUTPUT(WANTED ", 'as': 'sigmoid'"))},
    {MODEL(HEAD OUTPUT("'scale': 3, 'trim': true, 'as': 'sigmoid', 'threshold': 0.3")),
     MODEL(HEAD OUTPUT(WANTED ", 'as': 'sigmoid', 'threshold': 0.3"))},
    {MODEL("'cascade': true, " HEAD), MODEL("'cascade': true, " HEAD OUTPUT(WANTED))},
};

static const struct ppm_sizes wanted = {
    .inputs = {{2, 4, H, W}}, .count = 1, .output_h = WANTED_H, .output_w = WANTED_W};

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             const struct ppm_run_options *options)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(model, x, options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

/* By a plan and scratch as a server keeps them. */
static struct ppm_tensor run_planned(const struct ppm_model *model, const struct ppm_tensor *x)
{
    struct ppm_error error = {0};
    struct ppm_costs costs;
    cr_assert_eq(ppm_model_costs(model, &wanted, x->layout, 2, &costs, &error), PPM_OK, "%s",
                 error.text);
    cr_assert(costs.output.n == 2 && costs.output.h == WANTED_H && costs.output.w == WANTED_W);
    cr_assert_eq(costs.output_bytes, 2 * 4 * costs.output.c * WANTED_H * WANTED_W);
    struct ppm_run_options options = {.threads = 2,
                                      .output_h = WANTED_H,
                                      .output_w = WANTED_W,
                                      .plan = ppm_plan_create(model, &wanted, NULL, &error)};
    cr_assert(options.plan && ppm_plan_fits(options.plan, model, &wanted), "%s", error.text);
    struct ppm_tensor y = run(model, x, &options);
    ppm_plan_free(options.plan);
    return y;
}

static void check_pair(size_t index, enum ppm_layout layout)
{
    const struct ppm_run_options size = {.output_h = WANTED_H, .output_w = WANTED_W},
                                 literal = {
                                     .output_h = WANTED_H, .output_w = WANTED_W, .reference = true};
    struct ppm_model *asked = support_load_ok(pairs[index].asked),
                     *own = support_load_ok(pairs[index].own);
    struct ppm_tensor x = support_tensor(wanted.inputs[0], layout, NULL);
    struct ppm_tensor expected = run(own, &x, NULL),
                      literally = run(own, &x, &(struct ppm_run_options){.reference = true});
    struct ppm_tensor found[] = {run(asked, &x, &size), run_planned(asked, &x),
                                 run(asked, &x, &literal)};
    for (size_t i = 0; i < COUNT(found); i++) {
        cr_expect(support_is_same(&found[i], i < 2 ? &expected : &literally),
                  "pair %zu, run %zu, %s", index, i, ppm_layout_name(layout));
        ppm_tensor_free(&found[i]);
    }
    ppm_tensor_free(&expected);
    ppm_tensor_free(&literally);
    ppm_tensor_free(&x);
    ppm_model_free(asked);
    ppm_model_free(own);
}

Test(output_size, is_as_if_the_model_had_it, .init = support_open_folder,
     .fini = support_close_folder)
{
    for (size_t i = 0; i < COUNT(pairs); i++) {
        check_pair(i, PPM_NCHW);
        check_pair(i, PPM_NHWC);
    }
}

/* The head's own size: nothing is resized, and there is no output stage. */
Test(output_size, may_be_the_size_there_is, .init = support_open_folder,
     .fini = support_close_folder)
{
    const struct ppm_run_options same = {.output_h = H, .output_w = W};
    struct ppm_model *model = support_load_ok(pairs[0].asked);
    struct ppm_tensor x = support_tensor(wanted.inputs[0], PPM_NCHW, NULL);
    struct ppm_tensor expected = run(model, &x, NULL), found = run(model, &x, &same);
    cr_expect(support_is_same(&found, &expected));
    ppm_tensor_free(&expected);
    ppm_tensor_free(&found);
    ppm_tensor_free(&x);
    ppm_model_free(model);
}

/* With an output stage, the head's result is an intermediate one. */
Test(output_size, makes_the_head_a_stage, .init = support_open_folder, .fini = support_close_folder)
{
    struct ppm_error error = {0};
    struct ppm_stages stages;
    struct ppm_model *model = support_load_ok(pairs[0].asked);
    cr_assert_eq(
        ppm_model_stages(model, SIZES_OF(wanted.inputs[0]), PPM_NCHW, true, &stages, &error),
        PPM_OK);
    cr_expect_str_eq(stages.list[stages.count - 1].name, "branch.2.upsampled");
    cr_assert_eq(ppm_model_stages(model, &wanted, PPM_NCHW, true, &stages, &error), PPM_OK);
    cr_expect_str_eq(stages.list[stages.count - 1].name, "head");
    ppm_model_free(model);
}

Test(output_size, is_bounded, .init = support_open_folder, .fini = support_close_folder)
{
    static const size_t sizes[][2] = {{65537, 1}, {1, 65537}, {SIZE_MAX, SIZE_MAX}, {1, SIZE_MAX}};
    struct ppm_model *model = support_load_ok(pairs[0].asked);
    struct ppm_costs costs;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct ppm_error error = {0};
        struct ppm_sizes large = wanted;
        large.output_h = sizes[i][0];
        large.output_w = sizes[i][1];
        cr_expect_eq(ppm_model_costs(model, &large, PPM_NCHW, 2, &costs, &error), PPM_TOO_LARGE);
        cr_expect(strstr(error.text, "expected at most 65536 each") != NULL, "%s", error.text);
    }
    struct ppm_error error = {0};
    struct ppm_sizes largest = wanted;
    largest.output_h = largest.output_w = 65536;
    cr_expect_eq(ppm_model_costs(model, &largest, PPM_NCHW, 2, &costs, &error), PPM_OK, "%s",
                 error.text);
    cr_expect_eq(costs.output_bytes, (size_t)2 * 4 * 5 << 32);
    largest.inputs[0].n = (size_t)1 << 30;
    cr_expect_eq(ppm_model_costs(model, &largest, PPM_NCHW, 2, &costs, &error), PPM_TOO_LARGE);
    ppm_model_free(model);
}
