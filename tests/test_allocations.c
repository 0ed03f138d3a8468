/* test_allocations.c - for a shape that it has seen, an engine that is given room for the answer
 * allocates nothing, on any thread. */
#include "core/internal.h"
#include "tests/heap.h"
#include "tests/support.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>

TestSuite(allocations, .init = support_open_folder, .fini = support_close_folder, .timeout = 120);

#    define BRANCHES "'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 9}}, 'relu']"

static const char *const models[] = {
    "{'input': {'channels': 7}, " BRANCHES ", 'weights': {'random': 1}}",
    "{'input': {'channels': 7}, " BRANCHES ", 'head': [{'conv': {'channels': 33}}, 'relu'],"
    " 'weights': {'random': 1}}",
    "{'input': {'channels': 7}, " BRANCHES ", 'head': [{'conv': {'channels': 20, 'kernel': 3}},"
    " 'batch_norm', 'gelu', {'conv': {'channels': 5, 'weights': 'second'}}], 'weights': {'random': "
    "1}}",
    "{'input': {'channels': 7}, " BRANCHES ", 'head': [{'conv': {'channels': 20, 'kernel': 3}},"
    " 'silu', {'conv': {'channels': 5, 'kernel': 3, 'weights': 'second'}}], 'output': {'scale': 2, "
    "'as': 'softmax'},"
    " 'weights': {'random': 1}}",
    "{'input': {'channels': 7}, " BRANCHES ", 'head': [{'conv': {'channels': 20}}],"
    " 'output': {'size': [19, 23], 'as': 'argmax'}, 'weights': {'random': 1}}",
    "{'input': {'channels': 7}, 'bins': [1, 3], 'pool': 'same', 'branch': [{'conv': {'channels':"
    " 9}}, 'softmax', {'conv': {'channels': 11, 'weights': 'second.{i}'}}, 'elu'], 'upsample': "
    "'half_pixel',"
    " 'concat': 'input_last', 'output': {'scale': 3}, 'weights': {'random': 1}}",
    ("{'input': {'channels': 7}, 'bins': [2, 5], 'branch': [], 'concat': 'branches',"
     " 'weights': {'random': 1}}"),
};

static void run(struct ppm_engine *engine, const struct ppm_model *model,
                const struct ppm_tensor *x, const struct ppm_tensor *room, int threads)
{
    const struct ppm_run_options options = {.threads = threads};
    struct ppm_error error = {0};
    struct ppm_tensor y = *room;
    ppm_engine_run(engine, model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    cr_assert_eq(y.data, room->data, "the answer is not where it was wanted");
}

/* Room for any answer below. */
static struct ppm_tensor room(void)
{
    return support_tensor((struct ppm_shape){3, 64, 96, 96}, PPM_NCHW, NULL);
}

/* One shape, again and again, once the team of threads stands. */
static void check_shape(const char *text, const struct ppm_model *model, struct ppm_shape shape,
                        enum ppm_layout layout, const struct ppm_tensor *y)
{
    struct ppm_error error = {0};
    struct ppm_engine *engine = ppm_engine_create(&error);
    struct ppm_tensor x = support_tensor(shape, layout, NULL);
    cr_assert(engine != NULL);
    for (int threads = 1; threads <= 3; threads++) {
        run(engine, model, &x, y, threads);
        heap_count();
        for (size_t i = 0; i < 3; i++)
            run(engine, model, &x, y, threads);
        const size_t calls = heap_counted();
        cr_expect_eq(calls, 0, "%zu calls, %d threads, %s, %zu x %zu x %zu x %zu: %s", calls,
                     threads, ppm_layout_name(layout), shape.n, shape.c, shape.h, shape.w, text);
    }
    ppm_tensor_free(&x);
    ppm_engine_free(engine);
}

Test(allocations, none_for_a_shape_seen_before)
{
    static const struct ppm_shape shapes[] = {{1, 7, 8, 21}, {1, 7, 40, 36}, {3, 7, 40, 36}};
    struct ppm_tensor y = room();
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        for (size_t k = 0; k < COUNT(shapes); k++) {
            check_shape(models[i], model, shapes[k], PPM_NCHW, &y);
            check_shape(models[i], model, shapes[k], PPM_NHWC, &y);
        }
        ppm_model_free(model);
    }
    ppm_tensor_free(&y);
}

/* With bfloat16, by whatever kernels there are for it. */
Test(allocations, none_with_bfloat16)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = room();
    if (!simd_select_bfloat16(core_simd()))
        ppm_isa_select("scalar", &error);
    for (size_t i = 1; i < COUNT(models); i++) {
        char text[1024];
        snprintf(text, sizeof text, "{'compute': 'bfloat16', %s", models[i] + 1);
        struct ppm_model *model = support_load_ok(text);
        check_shape(text, model, (struct ppm_shape){1, 7, 40, 36}, PPM_NCHW, &y);
        check_shape(text, model, (struct ppm_shape){3, 7, 8, 21}, PPM_NHWC, &y);
        ppm_model_free(model);
    }
    ppm_tensor_free(&y);
}

/* Several models and shapes by one engine, which keeps what each needs. */
Test(allocations, none_for_shapes_in_turn)
{
    struct ppm_error error = {0};
    struct ppm_engine *engine = ppm_engine_create(&error);
    struct ppm_model *const loaded[] = {support_load_ok(models[1]), support_load_ok(models[3])};
    struct ppm_tensor x[4], y = room();
    cr_assert(engine != NULL);
    for (size_t i = 0; i < COUNT(x); i++)
        x[i] = support_tensor((struct ppm_shape){1 + i % 3, 7, 9 + 4 * i, 24 - 5 * i},
                              i % 2 ? PPM_NHWC : PPM_NCHW, NULL);
    for (size_t round = 0; round < 3; round++) {
        if (round == 1)
            heap_count();
        for (size_t i = 0; i < COUNT(x); i++)
            for (size_t k = 0; k < COUNT(loaded); k++)
                run(engine, loaded[k], &x[i], &y, 2);
    }
    const size_t calls = heap_counted();
    cr_expect_eq(calls, 0, "%zu calls", calls);
    for (size_t i = 0; i < COUNT(x); i++)
        ppm_tensor_free(&x[i]);
    for (size_t k = 0; k < COUNT(loaded); k++)
        ppm_model_free(loaded[k]);
    ppm_tensor_free(&y);
    ppm_engine_free(engine);
}

/* All that an engine asks for to compute the map of a shape it has not seen. */
static size_t bytes_for(const char *text, struct ppm_shape shape, int threads)
{
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(text);
    struct ppm_costs costs;
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL), y = {0};
    cr_assert(ppm_model_costs(model, shape, &costs, &error) == PPM_OK, "%s", error.text);
    y.shape = costs.output;
    cr_assert(ppm_tensor_allocate(&y, &error) == PPM_OK);
    heap_count();
    struct ppm_engine *engine = ppm_engine_create(&error);
    cr_assert(engine != NULL);
    run(engine, model, &x, &y, threads);
    heap_counted();
    const size_t bytes = heap_counted_bytes();
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_model_free(model);
    ppm_engine_free(engine);
    return bytes;
}

/* 19 MB of them, for 0.9 MB of labels: what is upsampled is what some pixels need. */
Test(allocations, resized_logits_are_not_stored)
{
    static const char text[] =
        "{'input': {'channels': 7}, " BRANCHES ", 'head': [{'conv': {'channels': 21}}],"
        " 'output': {'size': [473, 473], 'as': 'argmax'}, 'weights': {'random': 1}}";
    const struct ppm_shape shape = {1, 7, 60, 60};
    const size_t logits = 21 * 473 * 473 * sizeof(float);
    if (!heap_is_ours())
        return; /* valgrind's */
    for (int threads = 1; threads <= 3; threads++) {
        const size_t bytes = bytes_for(text, shape, threads);
        cr_expect(bytes > 21 * 60 * 60 * sizeof(float) && bytes < logits / 8,
                  "%zu bytes, %d threads, of %zu for all logits", bytes, threads, logits);
    }
}

static void allocate_on_two_threads(void)
{
#    pragma omp parallel num_threads(2)
    {
        void *volatile memory = malloc(1);
        free(memory);
    }
}

/* The count itself: a shape seen for the first time is seen to allocate, and so is any thread. */
Test(allocations, are_counted)
{
    static const struct ppm_shape shapes[] = {{1, 7, 15, 13}, {1, 7, 16, 13}};
    struct ppm_error error = {0};
    struct ppm_engine *engine = ppm_engine_create(&error);
    struct ppm_model *model = support_load_ok(models[1]);
    struct ppm_tensor y = room();
    cr_assert(engine != NULL);
    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct ppm_tensor x = support_tensor(shapes[i], PPM_NCHW, NULL);
        heap_count();
        run(engine, model, &x, &y, 2);
        const size_t calls = heap_counted();
        if (calls == 0)
            cr_skip_test("another malloc is in place"); /* valgrind's */
        ppm_tensor_free(&x);
    }
    allocate_on_two_threads();
    heap_count();
    allocate_on_two_threads();
    const size_t calls = heap_counted();
    cr_expect_eq(calls, 2, "%zu calls, expected one of each thread", calls);
    ppm_tensor_free(&y);
    ppm_model_free(model);
    ppm_engine_free(engine);
}

#endif
