/* test_stages.c - intermediate results, compared with other models with the same weights. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(stages, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define PYRAMID                                                                                    \
    "'input': {'channels': 3}, 'bins': [1, 3], 'upsample': 'half_pixel', "                         \
    "'branch': [{'conv': {'channels': 5}}, {'batch_norm': {}}, 'relu'], 'weights': {'random': 4}"
#define HEAD "'head': [{'conv': {'channels': 4, 'kernel': 3}}, 'relu']"

static const struct ppm_shape shape = {2, 3, 7, 9};

/* A run with its intermediate results, and their memory. */
struct looked {
    struct ppm_tensor x, y;
    struct ppm_stages stages;
    void *memory;
};

static void look(const struct ppm_model *model, enum ppm_layout layout, bool reference,
                 struct looked *ret)
{
    struct ppm_error error = {0};
    struct ppm_run_options options = {.threads = 2, .reference = reference, .stages = &ret->stages};
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    ret->x = layout == PPM_NCHW ? x : support_other_layout(&x);
    if (layout != PPM_NCHW)
        ppm_tensor_free(&x);
    ret->y = (struct ppm_tensor){0};
    cr_assert_eq(ppm_model_stages(model, SIZES_OF(ret->x.shape), ret->x.layout, ret->x.is_batch,
                                  &ret->stages, &error),
                 PPM_OK, "%s", error.text);
    ret->memory = malloc(ret->stages.bytes);
    cr_assert(ret->memory);
    memset(ret->memory, 0xff, ret->stages.bytes); /* NaN */
    ppm_stages_place(&ret->stages, ret->memory);
    ppm_run(model, &ret->x, &options, &ret->y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
}

static void forget(struct looked *looked)
{
    ppm_tensor_free(&looked->x);
    ppm_tensor_free(&looked->y);
    free(looked->memory);
}

static const struct ppm_tensor *find(const struct looked *looked, const char *name)
{
    size_t i = 0;
    while (i < looked->stages.count && strcmp(looked->stages.list[i].name, name) != 0)
        i++;
    cr_assert_lt(i, looked->stages.count, "there is no %s", name);
    return &looked->stages.list[i].tensor;
}

static struct ppm_tensor answer(const char *json, const struct ppm_tensor *x)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    struct ppm_model *model = support_load_ok(json);
    cr_assert_eq(ppm_run(model, x, NULL, &y, &error), PPM_OK, "%s", error.text);
    ppm_model_free(model);
    return y;
}

/* Channels [first, first + count) of a tensor in NCHW. */
static struct ppm_tensor channels_of(const struct ppm_tensor *whole, size_t first, size_t count)
{
    const size_t pixels = whole->shape.h * whole->shape.w;
    struct ppm_tensor ret = *whole;
    struct ppm_error error = {0};
    ret.shape.c = count;
    cr_assert_eq(ppm_tensor_allocate(&ret, &error), PPM_OK);
    for (size_t n = 0; n < ret.shape.n; n++)
        memcpy((float *)ret.data + n * count * pixels,
               (const float *)whole->data + (n * whole->shape.c + first) * pixels,
               count * pixels * sizeof(float));
    return ret;
}

Test(stages, are_named_in_the_order_of_the_graph)
{
    static const char *const names[] = {"branch.0.pooled",
                                        "branch.0.output",
                                        "branch.0.upsampled",
                                        "branch.1.pooled",
                                        "branch.1.output",
                                        "branch.1.upsampled",
                                        "head"};
    static const struct ppm_shape shapes[] = {{2, 3, 1, 1}, {2, 5, 1, 1}, {2, 5, 7, 9},
                                              {2, 3, 3, 3}, {2, 5, 3, 3}, {2, 5, 7, 9},
                                              {2, 4, 7, 9}};
    struct ppm_model *model =
        support_load_ok("{" PYRAMID ", " HEAD ", 'output': {'as': 'argmax'}}");
    struct looked looked;
    look(model, PPM_NHWC, false, &looked);
    cr_assert_eq(looked.stages.count, COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        const struct ppm_stage *stage = &looked.stages.list[i];
        cr_expect_str_eq(stage->name, names[i]);
        cr_expect(memcmp(&stage->tensor.shape, &shapes[i], sizeof shapes[i]) == 0, "%s", names[i]);
        cr_expect(stage->tensor.layout == PPM_NHWC && stage->tensor.dtype == PPM_FLOAT32);
    }
    forget(&looked);
    ppm_model_free(model);
}

/* pooling, layers, stretching: each compared with a model that ends there. */
Test(stages, of_branches_are_what_models_of_them_answer)
{
    struct ppm_model *model = support_load_ok("{" PYRAMID ", " HEAD "}");
    struct looked looked;
    look(model, PPM_NCHW, false, &looked);
    struct ppm_tensor concat = answer("{" PYRAMID ", 'concat': 'branches'}", &looked.x);
    for (size_t i = 0; i < 2; i++) {
        char name[PPM_STAGE_NAME_BYTES];
        struct ppm_tensor own = channels_of(&concat, 5 * i, 5);
        snprintf(name, sizeof name, "branch.%zu.upsampled", i);
        cr_expect_lt(support_difference(find(&looked, name), &own), 2e-6, "%s", name);
        ppm_tensor_free(&own);
    }
    /* bin 1: a mean, a result, and the result everywhere */
    const float *x = looked.x.data, *pooled = find(&looked, "branch.0.pooled")->data;
    double mean = 0;
    for (size_t i = 0; i < 63; i++)
        mean += (double)x[63 + i] / 63;
    cr_expect_float_eq((double)pooled[1], mean, 1e-6);
    const float *output = find(&looked, "branch.0.output")->data;
    const float *upsampled = find(&looked, "branch.0.upsampled")->data;
    for (size_t i = 0; i < 2 * 5 * 63; i++)
        cr_assert_float_eq((double)upsampled[i], (double)output[i / 63], 1e-6);
    /* bin 3 of half pixels: the middle of the map is the middle of the grid */
    const float *grid = find(&looked, "branch.1.output")->data;
    const float *stretched = find(&looked, "branch.1.upsampled")->data;
    cr_expect_float_eq((double)stretched[3 * 9 + 4], (double)grid[4], 1e-6);
    ppm_tensor_free(&concat);
    forget(&looked);
    ppm_model_free(model);
}

/* By the engine and by the reference, in both layouts. */
Test(stages, head_is_what_a_model_without_the_output_answers)
{
    struct ppm_model *model =
        support_load_ok("{" PYRAMID ", " HEAD ", 'output': {'scale': 2, 'as': 'softmax'}}");
    for (int reference = 0; reference < 2; reference++)
        for (int nhwc = 0; nhwc < 2; nhwc++) {
            struct looked looked;
            look(model, nhwc ? PPM_NHWC : PPM_NCHW, reference, &looked);
            struct ppm_tensor head = answer("{" PYRAMID ", " HEAD "}", &looked.x);
            cr_expect_lt(support_difference(find(&looked, "head"), &head), 2e-6);
            cr_expect(looked.y.shape.h == 14 && looked.y.shape.w == 18);
            ppm_tensor_free(&head);
            forget(&looked);
        }
    ppm_model_free(model);
}

Test(stages, are_the_same_in_both_layouts)
{
    struct ppm_model *model = support_load_ok("{" PYRAMID ", " HEAD ", 'output': {'scale': 2}}");
    struct looked looked, turned;
    look(model, PPM_NCHW, false, &looked);
    look(model, PPM_NHWC, false, &turned);
    for (size_t i = 0; i + 1 < looked.stages.count;
         i++) { /* all except the head, which is the engine's */
        struct ppm_tensor back = support_other_layout(&turned.stages.list[i].tensor);
        cr_expect(support_is_same(&back, &looked.stages.list[i].tensor), "%s",
                  looked.stages.list[i].name);
        ppm_tensor_free(&back);
    }
    forget(&looked);
    forget(&turned);
    ppm_model_free(model);
}

/* Round by round: x = upsample(branch_i(pool_i(x))), and then the pyramid over that. */
Test(stages, of_a_cascade_begin_with_its_rounds)
{
    static const char cascade[] =
        "{'input': {'channels': 3}, 'bins': [1, 3], 'branch': ['conv', 'relu'], 'cascade': true, "
        "'weights': {'random': 4}}";
    struct ppm_model *model = support_load_ok(cascade);
    struct looked looked;
    look(model, PPM_NCHW, false, &looked);
    cr_assert_str_eq(looked.stages.list[0].name, "cascade");
    /* y is the concat of x and the branches' results on it */
    struct ppm_tensor parts[] = {channels_of(&looked.y, 0, 3), channels_of(&looked.y, 3, 3),
                                 channels_of(&looked.y, 6, 3)};
    cr_expect(support_is_same(find(&looked, "cascade"), &parts[0]));
    cr_expect(support_is_same(find(&looked, "branch.0.upsampled"), &parts[1]));
    cr_expect(support_is_same(find(&looked, "branch.1.upsampled"), &parts[2]));
    for (size_t i = 0; i < COUNT(parts); i++)
        ppm_tensor_free(&parts[i]);
    forget(&looked);
    ppm_model_free(model);
}

Test(stages, of_an_x_that_does_not_fit_are_refused)
{
    struct ppm_model *model = support_load_ok("{" PYRAMID "}");
    struct ppm_stages stages;
    struct ppm_error error = {0};
    const struct ppm_tensor narrow = {.shape = {1, 2, 7, 9}};
    cr_expect_eq(ppm_model_stages(model, SIZES_OF(narrow.shape), narrow.layout, narrow.is_batch,
                                  &stages, &error),
                 PPM_UNFIT);
    cr_expect(strstr(error.text, "3"), "%s", error.text);
    error = (struct ppm_error){0};
    const struct ppm_tensor large = {.shape = {SIZE_MAX / 64, 3, 7, 9}};
    cr_expect_neq(ppm_model_stages(model, SIZES_OF(large.shape), large.layout, large.is_batch,
                                   &stages, &error),
                  PPM_OK);
    ppm_model_free(model);
}

#define BEFORE                                                                                     \
    "'input': {'channels': 3}, 'weights': {'random': 6}, 'network': [{'conv': {'channels': 7}}, "  \
    "'relu', "
#define FIRST                                                                                      \
    "{'pyramid': {'bins': [1, 3], 'branch': [{'conv': {'channels': 2}}], 'concat': 'branches'}, "  \
    "'name': 'ppm'}"
#define STRIDED ", {'conv': {'channels': 5, 'kernel': 3, 'stride': 2, 'padding': 1}}"
#define SECOND                                                                                     \
    STRIDED ", {'pyramid': {'bins': [2], 'branch': [{'conv': {'channels': 3}}, 'sigmoid'], "       \
            "'concat': 'input_last'}}"

/* Of each pyramid of a network, compared with a network that ends with it. */
Test(stages, of_networks)
{
    static const struct {
        const char *name;
        struct ppm_shape shape;
        const char *network; /* NULL: no network ends there */
        size_t first;        /* channel of its answer */
    } expected[] = {
        {"ppm.input", {2, 7, 7, 9}, "{" BEFORE "{'affine': {'scale': 1}}]}", 0},
        {"ppm.branch.0.pooled", {2, 7, 1, 1}, NULL, 0},
        {"ppm.branch.0.output", {2, 2, 1, 1}, NULL, 0},
        {"ppm.branch.0.upsampled", {2, 2, 7, 9}, "{" BEFORE FIRST "]}", 0},
        {"ppm.branch.1.pooled", {2, 7, 3, 3}, "{" BEFORE "{'adaptive_avg_pool': {'bins': 3}}]}", 0},
        {"ppm.branch.1.output", {2, 2, 3, 3}, NULL, 0},
        {"ppm.branch.1.upsampled", {2, 2, 7, 9}, "{" BEFORE FIRST "]}", 2},
        {"network.4.input", {2, 5, 4, 5}, "{" BEFORE FIRST STRIDED "]}", 0},
        {"network.4.branch.0.pooled", {2, 5, 2, 2}, NULL, 0},
        {"network.4.branch.0.output", {2, 3, 2, 2}, NULL, 0},
        {"network.4.branch.0.upsampled", {2, 3, 4, 5}, "{" BEFORE FIRST SECOND "]}", 0},
        {"head", {2, 8, 4, 5}, "{" BEFORE FIRST SECOND "]}", 0},
    };
    struct ppm_model *model =
        support_load_ok("{" BEFORE FIRST SECOND "], 'output': {'scale': 2, 'as': 'argmax'}}");
    for (size_t i = 0; i < 4 * COUNT(expected); i++) {
        const size_t k = i % COUNT(expected);
        struct looked looked;
        look(model, i / COUNT(expected) % 2 ? PPM_NHWC : PPM_NCHW, i / COUNT(expected) / 2,
             &looked);
        cr_assert_eq(looked.stages.count, COUNT(expected));
        const struct ppm_stage *stage = &looked.stages.list[k];
        cr_expect_str_eq(stage->name, expected[k].name);
        cr_expect(memcmp(&stage->tensor.shape, &expected[k].shape, sizeof expected[k].shape) == 0,
                  "%s", stage->name);
        if (expected[k].network) {
            struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
            struct ppm_tensor y = answer(expected[k].network, &x);
            struct ppm_tensor own = channels_of(&y, expected[k].first, expected[k].shape.c);
            struct ppm_tensor turned = support_other_layout(&own);
            const bool is_nchw = stage->tensor.layout == PPM_NCHW;
            const double difference = support_difference(&stage->tensor, is_nchw ? &own : &turned);
            cr_expect(difference < 1e-5, "%s: off by %g", stage->name, difference);
            ppm_tensor_free(&x);
            ppm_tensor_free(&y);
            ppm_tensor_free(&own);
            ppm_tensor_free(&turned);
        }
        forget(&looked);
    }
    ppm_model_free(model);
}

/* Whose size is needed, but not its values: they are in no memory of the run. */
Test(stages, of_a_pyramid_that_is_not_computed_are_left_out)
{
    struct ppm_model *model = support_load_ok(
        "{" BEFORE FIRST ", {'resize': {'like': 'ppm'}, 'from': 'x'}], 'output': {'scale': 2}}");
    struct looked looked;
    look(model, PPM_NCHW, false, &looked);
    cr_expect_eq(looked.stages.count, 1);
    cr_expect_str_eq(looked.stages.list[0].name, "head");
    forget(&looked);
    ppm_model_free(model);
}
