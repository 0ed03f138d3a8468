/* test_pooling.c - x pooled as it arrives: the same bits as in a run, whatever the pieces. */
#include "tests/heap_sweep.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(pooling, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define HEAD                                                                                       \
    "'branch': [{'conv': {'channels': 6}}, 'relu'], 'head': [{'conv': {'channels': 9}}, 'relu']"

static const char *const models[] = {
    "{'input': {'channels': 5}, 'bins': [1, 2, 3, 6], " HEAD ", 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'bins': [1, 2, 3, 6], 'branch': [], 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'bins': [4, 9], 'concat': 'branches', " HEAD
    ", 'output': {'scale': 2, 'as': 'argmax'}, 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'bins': [1, 3], 'pool': 'same', " HEAD
    ", 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'windows': [[4, 3], 2], 'pool': 'same', " HEAD
    ", 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'bins': [1, 2, 5], 'pool': 'valid', 'branch': [], 'concat': "
    "'input_last', 'weights': {'random': 1}}",
    "{'input': {'channels': 5}, 'bins': [2], 'branch': ['conv'], 'cascade': true, 'weights': "
    "{'random': 1}}",
};

static const struct ppm_shape shapes[] = {
    {1, 5, 12, 12}, {1, 5, 7, 11}, {3, 5, 13, 37}, {2, 5, 6, 1}, {4, 5, 31, 5}};

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             const struct ppm_pooling *pooling, int threads)
{
    const struct ppm_run_options options = {.threads = threads, .pooling = pooling};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    ppm_run(model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    return y;
}

static struct ppm_pooling *create(const struct ppm_model *model, struct ppm_shape shape)
{
    struct ppm_error error = {0};
    struct ppm_pooling *pooling = ppm_pooling_create(model, shape, NULL, &error);
    cr_assert(pooling, "%s", error.text);
    return pooling;
}

/* Feeds `step` more values at a time, except for the last `missing`, from memory that moves and
 * ends where the values end. */
static void feed(struct ppm_pooling *pooling, const struct ppm_tensor *x, size_t step,
                 size_t missing)
{
    const size_t count = support_elements(x) - missing;
    for (size_t fed = 0; fed < count;) {
        fed = fed + step < count ? fed + step : count;
        float *copy = malloc(fed * sizeof *copy);
        memcpy(copy, x->data, fed * sizeof *copy);
        ppm_pooling_feed(pooling, copy, fed);
        free(copy);
    }
}

static void check(const char *text, const struct ppm_model *model, const struct ppm_tensor *x,
                  size_t step, size_t missing)
{
    const struct ppm_shape s = x->shape;
    struct ppm_pooling *pooling = create(model, s);
    struct ppm_tensor expected = run(model, x, NULL, 1);
    feed(pooling, x, step, missing);
    for (int threads = 1; threads <= 3; threads++) {
        struct ppm_tensor y = run(model, x, pooling, threads);
        cr_expect(support_is_same(&y, &expected),
                  "steps of %zu, %zu missing, %d threads, %zu x %zu x %zu x %zu: %s", step, missing,
                  threads, s.n, s.c, s.h, s.w, text);
        ppm_tensor_free(&y);
    }
    ppm_tensor_free(&expected);
    ppm_pooling_free(pooling);
}

Test(pooling, same_bits)
{
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        for (size_t k = 0; k < COUNT(shapes); k++) {
            struct ppm_costs costs;
            struct ppm_error unfit = {0};
            struct ppm_tensor x = support_tensor(shapes[k], PPM_NCHW, NULL);
            if (ppm_model_costs(model, SIZES_OF(shapes[k]), PPM_NCHW, 2, &costs, &unfit) ==
                PPM_OK) {
                const size_t plane = shapes[k].h * shapes[k].w;
                check(models[i], model, &x, plane, 0);
                check(models[i], model, &x, plane / 3 + 1, 0);
                check(models[i], model, &x, 3 * plane + 1, 0);
                check(models[i], model, &x, 100000, 0);
                check(models[i], model, &x, 2 * plane, 1);
                check(models[i], model, &x, plane + 1, 4 * plane - 1);
                check(models[i], model, &x, 1, support_elements(&x));
            }
            ppm_tensor_free(&x);
        }
        ppm_model_free(model);
    }
}

/* NaN and Inf here and there. */
Test(pooling, special_values)
{
    const float values[] = {NAN, INFINITY, -INFINITY, 3e38F};
    for (size_t i = 0; i < 2; i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        for (size_t k = 0; k < COUNT(values); k++) {
            struct ppm_tensor x = support_tensor(shapes[2], PPM_NCHW, NULL);
            for (size_t at = 2; at < support_elements(&x); at += 1777)
                ((float *)x.data)[at] = values[k];
            check(models[i], model, &x, 777, 0);
            ppm_tensor_free(&x);
        }
        ppm_model_free(model);
    }
}

/* Subnormals, which the engine treats as zero, among other numbers; the means show it. */
Test(pooling, subnormal_values)
{
    struct ppm_model *model = support_load_ok(models[1]);
    struct ppm_tensor x = support_tensor(shapes[0], PPM_NCHW, NULL);
    for (size_t at = 0; at < support_elements(&x); at++)
        ((float *)x.data)[at] = at % 2 ? 1e-38F : 4e-38F;
    check(models[1], model, &x, 777, 0);
    ppm_tensor_free(&x);
    ppm_model_free(model);
}

/* Values that were fed are not read again: the result is that of the original x. */
Test(pooling, is_not_done_twice)
{
    struct ppm_model *model = support_load_ok(models[2]);
    struct ppm_tensor x = support_tensor(shapes[2], PPM_NCHW, NULL);
    struct ppm_tensor expected = run(model, &x, NULL, 2);
    struct ppm_pooling *pooling = create(model, x.shape);
    feed(pooling, &x, 2000, 0);
    memset(x.data, 0, support_elements(&x) * sizeof(float));
    struct ppm_tensor y = run(model, &x, pooling, 2), zeros = run(model, &x, NULL, 2);
    cr_expect(support_is_same(&y, &expected));
    cr_expect(!support_is_same(&y, &zeros));
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&zeros);
    ppm_tensor_free(&expected);
    ppm_pooling_free(pooling);
    ppm_model_free(model);
}

Test(pooling, is_refused)
{
    struct ppm_error unfit = {0}, large = {0};
    struct ppm_model *model = support_load_ok(models[0]);
    cr_expect(!ppm_pooling_create(model, (struct ppm_shape){1, 4, 8, 8}, NULL, &unfit));
    cr_expect_eq(unfit.status, PPM_UNFIT);
    cr_expect(
        !ppm_pooling_create(model, (struct ppm_shape){(size_t)1 << 55, 5, 1, 1}, NULL, &large));
    cr_expect_eq(large.status, PPM_TOO_LARGE, "%s", large.text);
    ppm_pooling_free(NULL);
    ppm_model_free(model);
}

/* The required number of values is sufficient. */
Test(pooling, room_is_enough)
{
    struct ppm_model *model = support_load_ok(models[0]);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct ppm_costs costs;
        struct ppm_error error = {0};
        cr_assert_eq(ppm_model_costs(model, SIZES_OF(shapes[i]), PPM_NCHW, 2, &costs, &error),
                     PPM_OK);
        unsigned char *room = aligned_alloc(64, (costs.pooling_bytes + 64 + 63) / 64 * 64);
        struct ppm_tensor x = support_tensor(shapes[i], PPM_NCHW, NULL);
        memset(room, 0x55, costs.pooling_bytes + 64);
        struct ppm_pooling *pooling = ppm_pooling_create(model, shapes[i], room, &error);
        cr_assert(pooling, "%s", error.text);
        feed(pooling, &x, 100, 0);
        struct ppm_tensor y = run(model, &x, pooling, 2), expected = run(model, &x, NULL, 2);
        cr_expect(support_is_same(&y, &expected));
        for (size_t k = 0; k < 64; k++)
            cr_expect_eq(room[costs.pooling_bytes + k], 0x55, "%zu: byte %zu after it", i, k);
        ppm_tensor_free(&y);
        ppm_tensor_free(&expected);
        ppm_pooling_free(pooling);
        free(room);
        ppm_tensor_free(&x);
    }
    ppm_model_free(model);
}

Test(pooling, memory_is_counted)
{
    const struct ppm_shape many = {100, 5, 6, 6}, large = {1, 5, 256, 256};
    struct ppm_costs costs;
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(models[0]);
    cr_assert_eq(ppm_model_costs(model, SIZES_OF(many), PPM_NCHW, 2, &costs, &error), PPM_OK);
    cr_expect(costs.pooling_bytes >= 4 * 100 * 5 * (1 + 4 + 9 + 36), "%zu", costs.pooling_bytes);
    cr_assert_eq(ppm_model_costs(model, SIZES_OF(large), PPM_NCHW, 2, &costs, &error), PPM_OK);
    cr_expect(costs.pooling_bytes < costs.input_bytes / 2, "%zu", costs.pooling_bytes);
    ppm_model_free(model);
}

#ifndef MALLOC_IS_TAKEN

static struct ppm_model *swept_model;
static struct ppm_pooling *swept;

static bool attempt(struct ppm_error *error)
{
    swept = ppm_pooling_create(swept_model, shapes[2], NULL, error);
    return swept != NULL;
}

static void release(void)
{
    ppm_pooling_free(swept);
}

Test(pooling, memory_runs_out)
{
    swept_model = support_load_ok(models[0]);
    heap_sweep(
        &(struct heap_attempt){"pooling", attempt, release, .expected = true, .requests_min = 1});
    ppm_model_free(swept_model);
}

#endif

/* Its costs say that there is none, so nobody asks. */
Test(pooling, not_of_networks)
{
    struct ppm_error error = {0};
    struct ppm_costs costs;
    struct ppm_model *model = support_load_ok("{'input': {'channels': 5}, 'weights': {'random': "
                                              "1}, 'network': [{'pyramid': {'bins': [1, 2],"
                                              " 'branch': ['conv']}}]}");
    cr_assert_eq(ppm_model_costs(model, SIZES_OF(shapes[0]), PPM_NCHW, 1, &costs, &error), PPM_OK);
    cr_expect_eq(costs.pooling_bytes, 0);
    cr_expect(!ppm_pooling_create(model, shapes[0], NULL, &error));
    cr_expect_eq(error.status, PPM_UNFIT, "%s", error.text);
    ppm_model_free(model);
}
