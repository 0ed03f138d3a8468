/* test_image_memory.c - what the answer to an image takes: no more than its costs say, nothing at
 * all with a plan, scratch and room for the answer, and an error where memory runs out. */
#include "tests/heap_sweep.h"
#include "tests/images.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

TestSuite(image_memory, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

enum { H = 41, W = 67, CANARY_BYTES = 4096 };

#define NETWORK(image, output)                                                                     \
    "{'input': {'channels': 3, 'image': {'mean': [1, 2, 3], 'std': [9, 8, 7]" image "}}, "         \
    "'network': [{'conv': {'channels': 8, 'kernel': 3, 'stride': 2, 'padding': 1}}, {'conv': "     \
    "{'channels': 5}}], 'output': {" output "}, 'weights': {'random': 1}}"

#ifndef MALLOC_IS_TAKEN

static const struct {
    const char *json;
    size_t want_h, want_w;
} cases[] = {
    {NETWORK("", "'as': 'argmax'"), 0, 0},
    {NETWORK("", "'as': 'softmax'"), 90, 20},
    {NETWORK(", 'multiple': 32", "'as': 'argmax'"), 0, 0},
    {NETWORK(", 'fit': 'resize', 'size': 32", "'as': 'softmax'"), 0, 0},
    {NETWORK(", 'fit': 'resize', 'longest_side': 90, 'multiple': 8", "'as': 'argmax'"), 11, 12},
    {NETWORK(", 'fit': 'tiles', 'size': 32", "'as': 'argmax'"), 0, 0},
    {NETWORK(", 'fit': 'tiles', 'size': [16, 48], 'overlap': 7", "'as': 'softmax'"), 0, 0},
    {NETWORK(", 'fit': 'tiles', 'size': 24, 'overlap': 0", "'as': 'argmax'"), 100, 31},
    {NETWORK(", 'fit': 'tiles', 'size': 90", "'as': 'argmax'"), 0, 0},
};

static struct ppm_image_costs costs_of(const struct ppm_model *model, size_t index, int threads)
{
    struct ppm_error error = {0};
    struct ppm_image_costs costs;
    cr_assert_eq(ppm_image_costs(model, W, H, cases[index].want_h, cases[index].want_w, threads,
                                 &costs, &error),
                 PPM_OK, "%s", error.text);
    return costs;
}

/* A plan, scratch and room for y of exactly the bytes that the costs say, and what is after it. */
struct given {
    struct ppm_run_options options;
    struct ppm_tensor y;
    size_t y_bytes;
};

static struct given give(const struct ppm_model *model, size_t index, int threads)
{
    struct ppm_error error = {0};
    const struct ppm_image_costs costs = costs_of(model, index, threads);
    struct given given = {.y_bytes = costs.output_bytes};
    given.options = (struct ppm_run_options){
        .threads = threads,
        .output_h = cases[index].want_h,
        .output_w = cases[index].want_w,
        .plan = ppm_plan_create(model, &costs.sizes, NULL, &error),
        .scratch = aligned_alloc(64, costs.scratch_bytes + CANARY_BYTES),
        .scratch_bytes = costs.scratch_bytes,
    };
    given.y.data = aligned_alloc(64, (costs.output_bytes + 63) / 64 * 64 + CANARY_BYTES);
    cr_assert(given.options.plan && given.options.scratch && given.y.data, "%s", error.text);
    memset(given.options.scratch, 0x5a, costs.scratch_bytes + CANARY_BYTES);
    memset(given.y.data, 0x5a, costs.output_bytes + CANARY_BYTES);
    return given;
}

static void check_canary(const void *memory, size_t bytes, size_t index)
{
    for (size_t i = 0; i < CANARY_BYTES; i++)
        cr_assert(((const uint8_t *)memory)[bytes + i] == 0x5a, "case %zu: wrote %zu bytes past it",
                  index, i);
}

static void run_given(const struct ppm_model *model, const struct ppm_image *image,
                      const struct given *given)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = given->y;
    ppm_image_run(model, image, &given->options, &y, &error);
    cr_assert(error.status == PPM_OK && y.data == given->y.data, "%s", error.text);
}

static void check_given(size_t index, int threads)
{
    struct ppm_image image = images_random(W, H);
    struct ppm_model *model = support_load_ok(cases[index].json);
    const struct ppm_run_options wanted = {
        .threads = threads, .output_h = cases[index].want_h, .output_w = cases[index].want_w};
    struct given given = give(model, index, threads);
    struct ppm_error error = {0};
    struct ppm_tensor alone = {0};
    run_given(model, &image, &given);
    heap_count();
    run_given(model, &image, &given);
    const size_t calls = heap_counted();
    cr_expect_eq(calls, 0, "case %zu, %d threads: %zu allocations", index, threads, calls);
    check_canary(given.options.scratch, given.options.scratch_bytes, index);
    check_canary(given.y.data, given.y_bytes, index);
    heap_count();
    ppm_image_run(model, &image, &wanted, &alone, &error);
    const size_t bytes = heap_counted_bytes();
    const struct ppm_image_costs costs = costs_of(model, index, threads);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    cr_expect(memcmp(alone.data, given.y.data, given.y_bytes) == 0, "case %zu differs", index);
    /* outlines of plans, for counting, are gone before anything is computed */
    cr_expect(!heap_is_ours() || bytes <= costs.working_bytes + 2 * costs.plan_bytes,
              "case %zu: took %zu bytes, expected at most %zu", index, bytes, costs.working_bytes);
    ppm_tensor_free(&alone);
    ppm_plan_free(given.options.plan);
    free(given.options.scratch);
    free(given.y.data);
    free(image.pixels);
    ppm_model_free(model);
}

Test(image_memory, nothing_is_allocated_with_plan_and_memory)
{
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int threads = 1; threads <= 3; threads++)
            check_given(i, threads);
}

static const struct ppm_model *model_under_test;
static const struct ppm_image *image_under_test;
static size_t case_under_test;
static struct ppm_tensor answer;

static bool run(struct ppm_error *error)
{
    const struct ppm_run_options options = {.threads = 2,
                                            .output_h = cases[case_under_test].want_h,
                                            .output_w = cases[case_under_test].want_w};
    answer = (struct ppm_tensor){0};
    return ppm_image_run(model_under_test, image_under_test, &options, &answer, error) == PPM_OK;
}

static void drop_answer(void)
{
    ppm_tensor_free(&answer);
}

Test(image_memory, each_allocation_may_fail)
{
    struct ppm_image image = images_random(W, H);
    image_under_test = &image;
    for (case_under_test = 0; case_under_test < COUNT(cases); case_under_test++) {
        struct ppm_model *model = support_load_ok(cases[case_under_test].json);
        model_under_test = model;
        heap_sweep(
            &(struct heap_attempt){"image", run, drop_answer, .expected = true, .requests_min = 4});
        ppm_model_free(model);
    }
    free(image.pixels);
}

#endif

/* ---- an image that nobody waits for ---- */

/* Says so from a question on. */
struct waiting {
    atomic_long asked;
    long until;
};

static bool is_over(void *context)
{
    struct waiting *waiting = context;
    return atomic_fetch_add(&waiting->asked, 1) >= waiting->until;
}

/* The questions of a run that nobody abandons; the answer of one that is abandoned is an error. */
static long ask(const struct ppm_model *model, const struct ppm_image *image, long until)
{
    struct waiting waiting = {.until = until};
    const struct ppm_run_options options = {
        .threads = 1, .is_cancelled = is_over, .cancel_context = &waiting};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    const enum ppm_status status = ppm_image_run(model, image, &options, &y, &error);
    const long asked = waiting.asked;
    if (until < asked)
        cr_expect(status == PPM_CANCELLED && !y.data && asked <= until + 4,
                  "question %ld: status %d, asked %ld times more", until, (int)status,
                  asked - until);
    else
        cr_expect_eq(status, PPM_OK, "%s", error.text);
    ppm_tensor_free(&y);
    return asked;
}

Test(image_memory, an_abandoned_run_ends)
{
    enum { SIDE = 700, LAST = 8 };
    static const char *const models[] = {
        NETWORK("", "'as': 'argmax'"),
        NETWORK(", 'fit': 'resize', 'size': [3, 4]", "'as': 'argmax'"),
        NETWORK(", 'fit': 'tiles', 'size': 300", "'as': 'argmax'"),
    };
    struct ppm_image image = images_random(SIDE, SIDE);
    for (size_t i = 0; i < COUNT(models); i++) {
        struct ppm_model *model = support_load_ok(models[i]);
        const long all = ask(model, &image, LONG_MAX);
        cr_expect_geq(all, 20, "model %zu: asked %ld times", i, all);
        for (long until = 0; until < all - LAST; until += all / 9 + 1)
            ask(model, &image, until);
        for (long until = all - LAST; until < all; until++)
            ask(model, &image, until);
        ppm_model_free(model);
    }
    free(image.pixels);
}
