/* test_golden.c - every case of tests/golden against the answer of PyTorch or TensorFlow.js. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

enum { CASES_MIN = 100 };

/* Of the largest value of an answer: both sides computed it in float32. */
static const double tolerance = 5e-6;
/* Share of pixels whose best two channels are as good as equal. */
static const double argmax_tolerance = 5e-4;

struct golden {
    const char *name;
    struct ppm_model *model;
    struct ppm_tensor x[PPM_INPUTS_MAX], y;
    size_t input_count;
};

static struct ppm_tensor load_npy(const char *folder, const char *file, enum ppm_layout layout)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return support_load_npy(path, layout);
}

/* x.npy, or x.NAME.npy for each of several inputs; and y.npy. */
static void load_tensors(struct golden *golden, const char *folder)
{
    struct ppm_model_info info;
    ppm_model_info(golden->model, &info);
    golden->input_count = info.input_count;
    for (size_t i = 0; i < info.input_count; i++) {
        char file[300] = "x.npy";
        if (info.input_count > 1)
            snprintf(file, sizeof file, "x.%s.npy", info.inputs[i].name);
        golden->x[i] = load_npy(folder, file, info.layout);
    }
    golden->y = load_npy(folder, "y.npy", info.layout);
}

/* Calls check for every case. */
static void for_each_case(void (*check)(const struct golden *golden))
{
    glob_t folders;
    cr_assert(glob("tests/golden/*", GLOB_ONLYDIR, NULL, &folders) == 0);
    cr_expect(folders.gl_pathc >= CASES_MIN, "found %zu cases, expected %d or more",
              folders.gl_pathc, CASES_MIN);
    for (size_t i = 0; i < folders.gl_pathc; i++) {
        const char *folder = folders.gl_pathv[i];
        struct golden golden = {.name = strrchr(folder, '/') + 1};
        struct ppm_error error = {0};
        char path[300];
        snprintf(path, sizeof path, "%s/config.json", folder);
        golden.model = ppm_model_load(path, NULL, &error);
        cr_assert(golden.model != NULL, "%s: %s", golden.name, error.text);
        load_tensors(&golden, folder);
        check(&golden);
        for (size_t input = 0; input < golden.input_count; input++)
            ppm_tensor_free(&golden.x[input]);
        ppm_tensor_free(&golden.y);
        ppm_model_free(golden.model);
    }
    globfree(&folders);
}

static struct ppm_tensor run(const struct golden *golden, const struct ppm_tensor *x,
                             const struct ppm_run_options *options)
{
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert(ppm_run(golden->model, x, options, &y, &error) == PPM_OK, "%s: %s", golden->name,
              error.text);
    return y;
}

static void check_answer(const struct golden *golden)
{
    struct ppm_tensor y = run(golden, golden->x, NULL);
    const double difference = support_difference(&y, &golden->y);
    cr_expect(difference <= (y.dtype == PPM_INT32 ? argmax_tolerance : tolerance),
              "%s: differs by %g of the largest value", golden->name, difference);
    ppm_tensor_free(&y);
}

Test(golden, answers_are_those_of_the_frameworks)
{
    for_each_case(check_answer);
}

static void check_other_layout(const struct golden *golden)
{
    struct ppm_tensor y = run(golden, golden->x, NULL);
    struct ppm_tensor other_x[PPM_INPUTS_MAX];
    for (size_t i = 0; i < golden->input_count; i++)
        other_x[i] = support_other_layout(&golden->x[i]);
    struct ppm_tensor other_y = run(golden, other_x, NULL);
    struct ppm_tensor expected = support_other_layout(&y);
    const double difference = support_difference(&other_y, &expected);
    cr_expect(difference <= (y.dtype == PPM_INT32 ? argmax_tolerance : tolerance),
              "%s: differs by %g in the other layout", golden->name, difference);
    ppm_tensor_free(&y);
    for (size_t i = 0; i < golden->input_count; i++)
        ppm_tensor_free(&other_x[i]);
    ppm_tensor_free(&other_y);
    ppm_tensor_free(&expected);
}

Test(golden, the_other_layout_gives_the_same)
{
    for_each_case(check_other_layout);
}

static void check_threads(const struct golden *golden)
{
    struct ppm_tensor alone = run(golden, golden->x, &(struct ppm_run_options){.threads = 1});
    for (int threads = 2; threads <= 3; threads++) {
        struct ppm_tensor y = run(golden, golden->x, &(struct ppm_run_options){.threads = threads});
        cr_expect(support_is_same(&y, &alone), "%s: differs with %d threads", golden->name,
                  threads);
        ppm_tensor_free(&y);
    }
    ppm_tensor_free(&alone);
}

Test(golden, the_number_of_threads_changes_no_bit)
{
    for_each_case(check_threads);
}

/* The first map of the batch, as 3 axes: the same bits, answered with 3 axes. */
static void check_three_axes(const struct golden *golden)
{
    struct ppm_tensor batch = run(golden, golden->x, NULL), maps[PPM_INPUTS_MAX], head = batch;
    for (size_t i = 0; i < golden->input_count; i++) {
        maps[i] = golden->x[i];
        maps[i].is_batch = false;
        maps[i].shape.n = 1;
    }
    head.is_batch = false;
    head.shape.n = 1;
    struct ppm_tensor y = run(golden, maps, NULL);
    cr_expect(support_is_same(&y, &head), "%s: differs with 3 axes", golden->name);
    ppm_tensor_free(&batch);
    ppm_tensor_free(&y);
}

Test(golden, three_axes_are_a_batch_of_one)
{
    for_each_case(check_three_axes);
}

/* Whatever ppm_run does to be fast, the literal graph in double precision agrees. */
static void check_reference(const struct golden *golden)
{
    struct ppm_tensor y = run(golden, golden->x, NULL);
    struct ppm_tensor reference =
        run(golden, golden->x, &(struct ppm_run_options){.reference = true});
    const double difference = support_difference(&y, &reference);
    cr_expect(difference <= (y.dtype == PPM_INT32 ? argmax_tolerance : tolerance),
              "%s: differs from the reference by %g of the largest value", golden->name,
              difference);
    ppm_tensor_free(&y);
    ppm_tensor_free(&reference);
}

Test(golden, the_reference_agrees)
{
    for_each_case(check_reference);
}
