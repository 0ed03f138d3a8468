/* test_cancel.c - a run asks again and again whether anyone still waits for it, whatever it works
 * on: each question after a bounded number of values, and what it is told ends it at once. */
#include "core/base/cancel.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(cancel, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

enum how { ENGINE, REFERENCE, STAGES };

#define PYRAMID(bins, head)                                                                        \
    "{'input': {'channels': 4}, 'bins': " bins ", 'branch': [{'conv': {'channels': 5}}, 'gelu'], " \
    "'weights': {'random': 1}" head "}"
#define POINT_HEAD ", 'head': [{'conv': {'channels': 6}}, 'relu', {'conv': {'channels': 3}}]"
#define MANY_BINS  "[64, 63, 62, 61, 60, 59, 58, 57]"

#define NETWORK(entries)                                                                           \
    "{'input': {'channels': 4}, 'network': [" entries "], 'weights': {'random': 1}}"
#define JOINS                                                                                      \
    "{'conv': {'channels': 4}, 'name': 'a'}, {'batch_norm': {}}, {'gelu': {}, 'name': 'b'}, "      \
    "{'concat': ['a', 'b', 'x']}, {'slice': {'channels': [3, 11]}, 'name': 's'}, 'channel_sum', "  \
    "{'affine': {'scale': -1}, 'name': 'g'}, {'mul': ['s', 'g']}"
#define WINDOWS                                                                                    \
    "{'conv': {'channels': 8, 'kernel': 3, 'stride': 2, 'padding': 1, 'groups': 4}}, "             \
    "{'max_pool': "                                                                                \
    "{'window': 3, 'padding': 1, 'stride': 1}}, {'avg_pool': {'window': 17, 'padding': 8, "        \
    "'stride': 8}}, {'resize': {'like': 'x', 'mode': 'nearest'}}"

/* Every stage, over maps that are square, one row, one column, or one pixel each. */
static const struct {
    const char *model;
    struct ppm_shape shape;
    enum ppm_layout layout;
    enum how how;
} cases[] = {
    {PYRAMID("[1, 2, 3, 6]", ""), {1, 4, 1, 100000}, PPM_NCHW, ENGINE},
    {PYRAMID("[1, 2, 3, 6]", ""), {1, 4, 100000, 1}, PPM_NHWC, ENGINE},
    {PYRAMID("[1, 2, 3, 6]", ""), {1, 4, 1, 50000}, PPM_NCHW, STAGES},
    {PYRAMID("[1, 2, 3, 6]", ""), {1, 4, 1, 20000}, PPM_NHWC, REFERENCE},
    {PYRAMID("[1, 2]", ""), {20000, 4, 1, 1}, PPM_NCHW, ENGINE},
    {PYRAMID("[1, 2]", POINT_HEAD), {20000, 4, 1, 1}, PPM_NHWC, ENGINE},
    {PYRAMID("[1, 2]", POINT_HEAD), {6000, 4, 1, 1}, PPM_NCHW, STAGES},
    {PYRAMID(MANY_BINS, POINT_HEAD), {1, 4, 150, 150}, PPM_NCHW, ENGINE},
    {PYRAMID(MANY_BINS, POINT_HEAD), {1, 4, 150, 150}, PPM_NHWC, ENGINE},
    {PYRAMID(MANY_BINS, POINT_HEAD), {1, 4, 90, 90}, PPM_NHWC, STAGES},
    {"{'input': {'channels': 4}, 'bins': [1, 2], 'branch': [{'conv': {'channels': 4}}, 'gelu'], "
     "'cascade': true, 'weights': {'random': 1}}",
     {1, 4, 1, 15000},
     PPM_NCHW,
     STAGES},
    {PYRAMID("[1, 2, 3, 6]", ", 'head': [{'conv': {'channels': 64, 'kernel': 3}}], 'exact': true"),
     {1, 4, 120, 120},
     PPM_NCHW,
     ENGINE},
    {"{'input': {'channels': 32}, 'bins': [1, 2, 6], 'branch': [{'conv': {'channels': 256}}], "
     "'weights': {'random': 1}, 'head': [{'conv': {'channels': 512, 'kernel': 3}}, 'relu', "
     "{'conv': "
     "{'channels': 40}}]}",
     {1, 32, 60, 70},
     PPM_NHWC,
     ENGINE},
    {PYRAMID("[1, 2]", POINT_HEAD ", 'output': {'size': [1, 60000], 'as': 'softmax'}"),
     {1, 4, 3, 5},
     PPM_NHWC,
     ENGINE},
    {PYRAMID("[1, 2]", POINT_HEAD ", 'output': {'scale': 15, 'as': 'argmax'}"),
     {1, 4, 10, 8},
     PPM_NCHW,
     REFERENCE},
    {PYRAMID("[1, 2]", ", 'head': [{'conv': {'channels': 6}}, 'softmax'], 'output': {'size': [1, "
                       "15000], 'as': 'softmax'}"),
     {1, 4, 1, 10000},
     PPM_NCHW,
     REFERENCE},
    {NETWORK(JOINS), {1, 4, 90, 110}, PPM_NHWC, REFERENCE},
    {NETWORK(JOINS), {9000, 4, 1, 1}, PPM_NCHW, REFERENCE},
    {NETWORK(WINDOWS), {1, 4, 1, 20000}, PPM_NCHW, REFERENCE},
    {NETWORK(WINDOWS), {1, 4, 100, 120}, PPM_NCHW, REFERENCE},
    {NETWORK("{'adaptive_avg_pool': {'bins': [1, 2]}}, {'resize': {'size': [150, 160]}}"),
     {1, 4, 200, 300},
     PPM_NCHW,
     REFERENCE},
    {NETWORK("{'group_norm': {'groups': 2}}, {'layer_norm': {}}, {'softmax': {}}"),
     {1, 4, 1, 30000},
     PPM_NCHW,
     REFERENCE},
};

/* Returns false `count` times, then true. */
struct patience {
    atomic_size_t asked;
    size_t answer_at;
};

static bool is_over(void *context)
{
    struct patience *patience = context;
    return atomic_fetch_add(&patience->asked, 1) + 1 >= patience->answer_at;
}

struct subject {
    struct ppm_model *model;
    struct ppm_plan *plan;
    struct ppm_tensor x, y; /* y is of the first run, and then room for those that follow */
    enum how how;
    struct ppm_stages *stages;
    void *memory;
};

static struct subject open_subject(size_t index)
{
    struct ppm_error error = {0};
    struct subject ret = {.model = support_load_ok(cases[index].model),
                          .x = support_tensor(cases[index].shape, cases[index].layout, NULL),
                          .how = cases[index].how};
    if (ret.how != REFERENCE) {
        ret.plan = ppm_plan_create(ret.model, SIZES_OF(cases[index].shape), NULL, &error);
        cr_assert(ret.plan, "%s", error.text);
    }
    if (ret.how == STAGES) {
        ret.stages = calloc(1, sizeof *ret.stages);
        ppm_model_stages(ret.model, SIZES_OF(ret.x.shape), ret.x.layout, ret.x.is_batch, ret.stages,
                         &error);
        ret.memory = malloc(ret.stages->bytes);
        ppm_stages_place(ret.stages, ret.memory);
    }
    return ret;
}

static void close_subject(struct subject *subject)
{
    ppm_tensor_free(&subject->x);
    ppm_tensor_free(&subject->y);
    free(subject->stages);
    free(subject->memory);
    ppm_plan_free(subject->plan);
    ppm_model_free(subject->model);
}

/* The number of calls, with the given number answered no. */
static size_t run(struct subject *subject, size_t answer_at, int threads, enum ppm_status expected)
{
    struct ppm_error error = {0};
    struct patience patience = {.answer_at = answer_at};
    const struct ppm_run_options options = {.threads = threads,
                                            .plan = subject->plan,
                                            .reference = subject->how == REFERENCE,
                                            .stages = subject->stages,
                                            .is_cancelled = is_over,
                                            .cancel_context = &patience};
    ppm_run(subject->model, &subject->x, &options, &subject->y, &error);
    cr_expect_eq(error.status, expected, "at %zu: \"%s\"", answer_at, error.text);
    return patience.asked;
}

Test(cancel, whatever_is_computed)
{
    enum { TRIES = 5, PLACES_APART = 2 };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct subject subject = open_subject(i);
        run(&subject, SIZE_MAX, 1, PPM_OK);
        struct ppm_tensor first = support_tensor(subject.y.shape, subject.y.layout, subject.y.data);
        const size_t values = support_elements(&subject.x) + support_elements(&subject.y);
        const size_t asked = run(&subject, SIZE_MAX, 1, PPM_OK);
        cr_expect_geq(asked, values / (PLACES_APART * RUN_VALUES),
                      "case %zu: asked %zu times, %zu "
                      "values",
                      i, asked, values);
        cr_expect_geq(asked, 5, "case %zu: asked %zu times", i, asked);
        for (size_t at = 1; at <= asked; at += 1 + asked / TRIES)
            cr_expect_eq(run(&subject, at, 1, PPM_CANCELLED), at, "case %zu", i);
        run(&subject, 1 + asked / 5, 3, PPM_CANCELLED); /* each thread counts by itself */
        run(&subject, SIZE_MAX, 2, PPM_OK);
        cr_expect(memcmp(first.data, subject.y.data, support_elements(&first) * sizeof(float)) == 0,
                  "case %zu: other values after runs that were cancelled", i);
        ppm_tensor_free(&first);
        close_subject(&subject);
    }
}

/* A row of results of a pool may take far more values than it has. */
Test(cancel, pools_ask_by_what_their_windows_read)
{
    enum { WIDTH = 20000, WINDOW = 501, PLACES_APART = 3 };
    static const char *const models[] = {
        "{'input': {'channels': 1}, 'network': [{'max_pool': {'window': [1, 501], 'stride': 1}}]}",
        "{'input': {'channels': 1}, 'network': [{'avg_pool': {'window': [1, 501], 'stride': 1}}]}",
    };
    for (size_t i = 0; i < COUNT(models); i++) {
        struct subject subject = {
            .model = support_load_ok(models[i]),
            .x = support_tensor((struct ppm_shape){1, 1, 1, WIDTH}, PPM_NCHW, NULL)};
        const size_t asked = run(&subject, SIZE_MAX, 1, PPM_OK);
        cr_expect_geq(asked, (WIDTH - WINDOW) * WINDOW / (PLACES_APART * RUN_VALUES),
                      "asked %zu times", asked);
        close_subject(&subject);
    }
}

/* Twice the work, about twice the questions. */
Test(cancel, questions_grow_with_the_work)
{
    static const struct ppm_shape shapes[][2] = {
        {{1, 4, 1, 60000}, {1, 4, 1, 120000}},
        {{1, 4, 60000, 1}, {1, 4, 120000, 1}},
        {{15000, 4, 1, 1}, {30000, 4, 1, 1}},
        {{1, 4, 250, 250}, {1, 4, 250, 500}},
    };
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(PYRAMID("[1, 2, 3, 6]", ""));
    for (size_t i = 0; i < 2 * COUNT(shapes); i++) {
        size_t asked[2];
        for (size_t k = 0; k < 2; k++) {
            struct subject subject = {
                .model = model,
                .plan = ppm_plan_create(model, SIZES_OF(shapes[i / 2][k]), NULL, &error),
                .x = support_tensor(shapes[i / 2][k], i % 2 ? PPM_NHWC : PPM_NCHW, NULL)};
            asked[k] = run(&subject, SIZE_MAX, 1, PPM_OK);
            ppm_tensor_free(&subject.x);
            ppm_tensor_free(&subject.y);
            ppm_plan_free(subject.plan);
        }
        cr_expect_geq(10 * asked[1], 17 * asked[0], "case %zu: %zu and %zu", i, asked[0], asked[1]);
    }
    ppm_model_free(model);
}
