/* test_allocations.c - a run that is given a plan, scratch and room for the answer allocates
 * nothing, on any thread. */
#include "core/base/kernels.h"
#include "tests/heap.h"
#include "tests/support.h"

#ifndef MALLOC_IS_TAKEN

#    include <criterion/criterion.h>
#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>

TestSuite(allocations, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#    define BRANCHES "'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 9}}, 'relu']"

#    define PYRAMID "{'bins': [1, 2], 'branch': [{'conv': {'channels': 9}}, 'relu']}"

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
    "{'inputs': {'x': {'channels': 7}}, 'weights': {'random': 1}, 'network': ["
    "{'conv': {'channels': 24, 'kernel': 3, 'stride': 2, 'padding': 1}}, 'relu', {'max_pool':"
    " {'window': 2, 'stride': 1}, 'name': 'a'}, {'conv': {'channels': 24, 'kernel': 3, 'padding': "
    "1,"
    " 'weights': 'b'}}, {'batch_norm': {'weights': 'n'}, 'name': 'b'}, {'add': ['a', 'b']}, 'relu',"
    " {'resize': {'like': 'x'}}]}",
    "{'inputs': {'x': {'channels': 7}}, 'weights': {'random': 1}, 'network': [{'avg_pool':"
    " {'window': 3, 'padding': 1}, 'name': 'a'}, {'resize': {'like': 'x'}, 'name': 'b'},"
    " {'concat': ['x', 'b']}, {'pyramid': " PYRAMID "}, {'conv': {'channels': 5, 'kernel': 3,"
    " 'padding': 1}}, 'sigmoid'], 'output': {'size': [31, 17], 'as': 'argmax'}}",
};

/* A run's scratch memory: exactly the size it asks for. */
struct given {
    struct ppm_plan *plan;
    void *scratch;
    size_t scratch_bytes;
    size_t output_h, output_w; /* 0, 0: the model's own */
};

static struct given give(const struct ppm_model *model, const struct ppm_sizes *sizes,
                         enum ppm_layout layout, int threads)
{
    struct ppm_error error = {0};
    struct ppm_costs costs;
    cr_assert(ppm_model_costs(model, sizes, layout, threads, &costs, &error) == PPM_OK, "%s",
              error.text);
    struct given ret = {.plan = ppm_plan_create(model, sizes, NULL, &error),
                        .scratch = aligned_alloc(64, costs.scratch_bytes),
                        .scratch_bytes = costs.scratch_bytes,
                        .output_h = sizes->output_h,
                        .output_w = sizes->output_w};
    cr_assert(ret.plan && ret.scratch);
    return ret;
}

static void take_back(struct given *given)
{
    ppm_plan_free(given->plan);
    free(given->scratch);
}

static void run(const struct given *given, const struct ppm_model *model,
                const struct ppm_tensor *x, const struct ppm_tensor *room, int threads)
{
    const struct ppm_run_options options = {.threads = threads,
                                            .plan = given->plan,
                                            .scratch = given->scratch,
                                            .scratch_bytes = given->scratch_bytes,
                                            .output_h = given->output_h,
                                            .output_w = given->output_w};
    struct ppm_error error = {0};
    struct ppm_tensor y = *room;
    ppm_run(model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    cr_assert_eq(y.data, room->data, "the answer is not where it was wanted");
}

/* Room for any answer below. */
static struct ppm_tensor room(void)
{
    return support_tensor((struct ppm_shape){3, 64, 96, 96}, PPM_NCHW, NULL);
}

/* The same sizes repeatedly, once the team of threads exists; on the team and on one thread. */
static void check_sizes(const char *text, const struct ppm_model *model,
                        const struct ppm_sizes *sizes, enum ppm_layout layout,
                        const struct ppm_tensor *y)
{
    const struct ppm_shape shape = sizes->inputs[0];
    struct ppm_tensor x = support_tensor(shape, layout, NULL);
    for (int threads = 1; threads <= 3; threads++) {
        struct given given = give(model, sizes, layout, threads);
        run(&given, model, &x, y, threads);
        heap_count();
        for (size_t i = 0; i < 3; i++) {
            run(&given, model, &x, y, threads);
            run(&given, model, &x, y, 1);
        }
        const size_t calls = heap_counted();
        cr_expect_eq(calls, 0, "%zu calls, %d threads, %s, %zu x %zu x %zu x %zu: %s", calls,
                     threads, ppm_layout_name(layout), shape.n, shape.c, shape.h, shape.w, text);
        take_back(&given);
    }
    ppm_tensor_free(&x);
}

Test(allocations, none_with_plan_and_scratch)
{
    static const struct ppm_shape shapes[] = {{1, 7, 8, 21}, {1, 7, 40, 36}, {3, 7, 40, 36}};
    struct ppm_tensor y = room();
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        for (size_t k = 0; k < COUNT(shapes); k++) {
            const struct ppm_sizes wanted = {
                .inputs = {shapes[k]}, .count = 1, .output_h = 31, .output_w = 64};
            check_sizes(models[i], model, SIZES_OF(shapes[k]), PPM_NCHW, &y);
            check_sizes(models[i], model, SIZES_OF(shapes[k]), PPM_NHWC, &y);
            check_sizes(models[i], model, &wanted, PPM_NHWC, &y);
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
        check_sizes(text, model, SIZES(1, 7, 40, 36), PPM_NCHW, &y);
        check_sizes(text, model, SIZES(3, 7, 8, 21), PPM_NHWC, &y);
        ppm_model_free(model);
    }
    ppm_tensor_free(&y);
}

/* All that a run asks for to compute a map, with nothing given but room for the answer. */
static size_t bytes_for(const struct ppm_model *model, struct ppm_shape shape, int threads)
{
    const struct given nothing = {0};
    struct ppm_error error = {0};
    struct ppm_costs costs;
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL), y = {0};
    cr_assert(ppm_model_costs(model, SIZES_OF(shape), PPM_NCHW, threads, &costs, &error) == PPM_OK,
              "%s", error.text);
    y.shape = costs.output;
    cr_assert(ppm_tensor_allocate(&y, &error) == PPM_OK);
    heap_count();
    run(&nothing, model, &x, &y, threads);
    heap_counted();
    const size_t bytes = heap_counted_bytes();
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    return bytes;
}

/* Admission charges the reported bytes; a run allocates no more, and hardly less. */
Test(allocations, are_as_large_as_told)
{
    static const struct ppm_shape shapes[] = {{1, 7, 40, 36}, {3, 7, 8, 21}, {2, 7, 90, 3}};
    if (!heap_is_ours())
        return; /* valgrind's */
    for (size_t i = 0; i < COUNT(models) * COUNT(shapes); i++) {
        const struct ppm_shape shape = shapes[i % COUNT(shapes)];
        struct ppm_model *model = support_load_ok(models[i / COUNT(shapes)]);
        for (int threads = 1; threads <= 3; threads++) {
            struct ppm_error error = {0};
            struct ppm_costs costs;
            cr_assert(ppm_model_costs(model, SIZES_OF(shape), PPM_NCHW, threads, &costs, &error) ==
                      PPM_OK);
            bytes_for(model, shape, threads); /* the team's threads take memory of their own */
            const size_t bytes = bytes_for(model, shape, threads);
            const size_t told = costs.plan_bytes + costs.scratch_bytes;
            cr_expect(costs.working_bytes == told + costs.output_bytes);
            cr_expect(bytes <= told && bytes > told / 2, "%zu of %zu bytes, %d threads: %s", bytes,
                      told, threads, models[i / COUNT(shapes)]);
        }
        ppm_model_free(model);
    }
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
    struct ppm_model *model = support_load_ok(text);
    for (int threads = 1; threads <= 3; threads++) {
        const size_t bytes = bytes_for(model, shape, threads);
        cr_expect(bytes > 21 * 60 * 60 * sizeof(float) && bytes < logits / 8,
                  "%zu bytes, %d threads, of %zu for all logits", bytes, threads, logits);
    }
    ppm_model_free(model);
}

static void allocate_on_two_threads(void)
{
#    pragma omp parallel num_threads(2)
    {
        void *volatile memory = malloc(1);
        free(memory);
    }
}

/* The count itself: a run without plan or scratch is seen to allocate, and so is any thread. */
Test(allocations, are_counted)
{
    const struct given nothing = {0};
    struct ppm_model *model = support_load_ok(models[1]);
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, 7, 15, 13}, PPM_NCHW, NULL);
    struct ppm_tensor y = room();
    heap_count();
    run(&nothing, model, &x, &y, 2);
    if (heap_counted() == 0)
        cr_skip_test("another malloc is in place"); /* valgrind's */
    allocate_on_two_threads();
    heap_count();
    allocate_on_two_threads();
    const size_t calls = heap_counted();
    cr_expect_eq(calls, 2, "%zu calls, expected one of each thread", calls);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_model_free(model);
}

#endif
