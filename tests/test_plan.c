/* test_plan.c - plans: which requests they fit, that they change no bit, how little memory they
 * take, and that they can be cancelled. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(plan, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define MODEL_3X3                                                                                  \
    "{'input': {'channels': 4}, 'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 64}}], "    \
    "'head': [{'conv': {'channels': 4, 'kernel': 3}}], 'weights': {'random': 1}}"

static const char *const models[] = {
    "{'input': {'channels': 4}, 'bins': [1, 2, 3, 6], 'branch': ['conv']," /* no head */
    " 'weights': {'random': 1}}",
    "{'input': {'channels': 4}, 'bins': [2, 5], 'branch': [{'conv': {'channels': 70}}]," /* a row */
    " 'head': [{'conv': {'channels': 9}}], 'weights': {'random': 1}}",
    MODEL_3X3, /* one product per tap */
    "{'input': {'channels': 30}, 'bins': [1, 3, 9], 'upsample': 'half_pixel'," /* Winograd's */
    " 'branch': [{'conv': {'channels': 90}}], 'head': [{'conv': {'channels': 24, 'kernel': 3}}],"
    " 'output': {'scale': 2}, 'weights': {'random': 1}}",
    "{'input': {'channels': 4}, 'windows': [1, [2, 5]], 'pool': 'same', 'branch': ['conv'],"
    " 'weights': {'random': 1}}", /* as many bins as pixels */
};

static size_t channels_of(const struct ppm_model *model)
{
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    return info.inputs[0].channels;
}

static struct ppm_plan *plan_ok(const struct ppm_model *model, struct ppm_shape shape)
{
    struct ppm_error error = {0};
    struct ppm_plan *plan = ppm_plan_create(model, SIZES_OF(shape), NULL, &error);
    cr_assert(plan, "%s", error.text);
    return plan;
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             struct ppm_plan *plan)
{
    const struct ppm_run_options options = {.threads = 2, .plan = plan};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert_eq(ppm_run(model, x, &options, &y, &error), PPM_OK, "%s", error.text);
    return y;
}

Test(plan, serves_any_batch_again_and_again)
{
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        const struct ppm_shape shape = {1, channels_of(model), 33, 47};
        struct ppm_plan *plan = plan_ok(model, shape);
        for (size_t n = 1; n <= 3; n++) {
            struct ppm_tensor x =
                support_tensor((struct ppm_shape){n, shape.c, shape.h, shape.w}, PPM_NCHW, NULL);
            struct ppm_tensor with = run(model, &x, plan), without = run(model, &x, NULL);
            cr_expect(support_is_same(&with, &without), "%zu maps: %s", n, models[i]);
            ppm_tensor_free(&x);
            ppm_tensor_free(&with);
            ppm_tensor_free(&without);
        }
        ppm_plan_free(plan);
        ppm_model_free(model);
    }
}

/* A model that is loaded again is a different one. */
Test(plan, fits_its_model_and_map_alone)
{
    struct ppm_model *model = support_load_ok(models[0]), *again = support_load_ok(models[0]);
    struct ppm_plan *plan = plan_ok(model, (struct ppm_shape){2, 4, 9, 7});
    cr_expect(ppm_plan_fits(plan, model, SIZES(1, 4, 9, 7)));
    cr_expect(!ppm_plan_fits(plan, model, SIZES(1, 4, 9, 8)));
    cr_expect(!ppm_plan_fits(plan, model, SIZES(1, 4, 7, 9)));
    cr_expect(ppm_plan_fits(plan, model, SIZES(3, 4, 9, 7)), "whatever their N");
    struct ppm_sizes wanted = *SIZES(1, 4, 9, 7);
    wanted.output_h = 9;
    cr_expect(!ppm_plan_fits(plan, model, &wanted), "another size of the output");
    wanted.output_h = 0, wanted.output_w = 7;
    cr_expect(!ppm_plan_fits(plan, model, &wanted), "another size of the output");
    cr_expect(!ppm_plan_fits(plan, again, SIZES(1, 4, 9, 7)));
    ppm_model_free(model);
    cr_expect(!ppm_plan_fits(plan, again, SIZES(1, 4, 9, 7)), "it outlives its own");
    ppm_plan_free(plan);
    ppm_model_free(again);
}

/* Plans store rows and columns: a map four times as large takes twice the memory. */
Test(plan, grows_with_the_edges_of_a_map)
{
    for (size_t i = 0; i < 4; i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        struct ppm_error error = {0};
        struct ppm_costs small, large;
        const size_t c = channels_of(model);
        cr_assert(ppm_model_costs(model, SIZES(1, c, 500, 500), PPM_NCHW, 2, &small, &error) ==
                  PPM_OK);
        cr_assert(ppm_model_costs(model, SIZES(1, c, 1000, 1000), PPM_NCHW, 2, &large, &error) ==
                  PPM_OK);
        cr_expect(small.plan_bytes < 200000, "%zu bytes: %s", small.plan_bytes, models[i]);
        cr_expect(large.plan_bytes < 2 * small.plan_bytes, "%zu, then %zu bytes: %s",
                  small.plan_bytes, large.plan_bytes, models[i]);
        ppm_model_free(model);
    }
}

static int asked, answers_until;

static bool is_cancelled(void *context)
{
    (void)context;
    return ++asked > answers_until;
}

/* The callback is called while a plan of millions of columns is made, and cancels it. */
Test(plan, can_be_abandoned)
{
    const struct ppm_run_options options = {.is_cancelled = is_cancelled};
    struct ppm_model *model = support_load_ok(models[0]);
    const struct ppm_shape shape = {1, 4, 1, 1500000};
    struct ppm_error error = {0};
    answers_until = 1000000;
    struct ppm_plan *plan = ppm_plan_create(model, SIZES_OF(shape), &options, &error);
    cr_assert(plan, "%s", error.text);
    ppm_plan_free(plan);
    const int asked_in_all = asked;
    cr_expect(asked_in_all > 20, "asked %d times", asked_in_all);
    for (answers_until = 0; answers_until < 20; answers_until++) {
        error = (struct ppm_error){0};
        asked = 0;
        cr_expect(!ppm_plan_create(model, SIZES_OF(shape), &options, &error) &&
                  error.status == PPM_CANCELLED);
        cr_expect(asked == answers_until + 1, "%d times for %d", asked, answers_until);
    }
    ppm_model_free(model);
}

Test(plan, of_what_a_model_cannot_take_is_refused)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(models[0]);
    cr_expect(!ppm_plan_create(model, SIZES(1, 5, 8, 8), NULL, &error));
    cr_expect_eq(error.status, PPM_UNFIT);
    ppm_plan_free(NULL);
    ppm_model_free(model);
}
