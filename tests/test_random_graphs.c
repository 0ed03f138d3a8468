/* test_random_graphs.c - random networks: by the literal graph, and by what ppm_run takes for them,
 * in both layouts, by one thread and three, and in a batch. A failure prints the network. */
#include "tests/random_networks.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(random_graphs, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

/* A network over inputs of one size. */
struct trial {
    char json[NETWORK_BYTES];
    uint64_t seed;
    struct ppm_model *model;
    struct ppm_model_info info;
    struct ppm_tensor inputs[PPM_INPUTS_MAX];
};

static struct ppm_tensor run(const struct trial *trial, const struct ppm_tensor *inputs,
                             bool reference, int threads)
{
    const struct ppm_run_options options = {.threads = threads, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    ppm_run(trial->model, inputs, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "seed %zu: %s: %s", (size_t)trial->seed, error.text,
                 trial->json);
    return y;
}

static void expect_close(const struct trial *trial, const struct ppm_tensor *found,
                         const struct ppm_tensor *expected, const char *what)
{
    const double difference = support_difference(found, expected);
    cr_expect(difference <= 2e-5, "seed %zu: %s: off by %g: %s", (size_t)trial->seed, what,
              difference, trial->json);
}

static void free_inputs(struct ppm_tensor *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ppm_tensor_free(&inputs[i]);
}

/* y of inputs in the other layout, turned back. */
static struct ppm_tensor run_turned(const struct trial *trial)
{
    struct ppm_tensor turned[PPM_INPUTS_MAX];
    for (size_t i = 0; i < trial->info.input_count; i++)
        turned[i] = support_other_layout(&trial->inputs[i]);
    struct ppm_tensor y = run(trial, turned, false, 2);
    struct ppm_tensor back = support_other_layout(&y);
    ppm_tensor_free(&y);
    free_inputs(turned, trial->info.input_count);
    return back;
}

/* Each map of the batch alone: the same bits. */
static void check_alone(const struct trial *trial, const struct ppm_tensor *y)
{
    const size_t values = support_elements(y) / y->shape.n;
    for (size_t n = 0; n < y->shape.n; n++) {
        struct ppm_tensor alone[PPM_INPUTS_MAX];
        for (size_t i = 0; i < trial->info.input_count; i++) {
            alone[i] = trial->inputs[i];
            alone[i].shape.n = 1;
            alone[i].data = (float *)alone[i].data + n * support_elements(&alone[i]);
        }
        struct ppm_tensor found = run(trial, alone, false, 2);
        cr_expect(
            memcmp(found.data, (const float *)y->data + n * values, values * sizeof(float)) == 0,
            "seed %zu: map %zu depends on its batch: %s", (size_t)trial->seed, n, trial->json);
        ppm_tensor_free(&found);
    }
}

/* NaN or Inf in an input reaches exactly the values that it reaches in the literal graph. */
static void check_kinds(const struct trial *trial)
{
    static const float values[] = {NAN, INFINITY, -INFINITY};
    struct ppm_tensor x = trial->inputs[trial->seed % trial->info.input_count];
    float *place = (float *)x.data + trial->seed * 7919 % support_elements(&x);
    const float before = *place;
    *place = values[trial->seed % COUNT(values)];
    struct ppm_tensor expected = run(trial, trial->inputs, true, 2);
    struct ppm_tensor y = run(trial, trial->inputs, false, 2);
    const float *a = y.data, *b = expected.data;
    size_t wrong = 0;
    for (size_t k = 0; k < support_elements(&y); k++)
        wrong += isnan(a[k]) != isnan(b[k]) || isinf(a[k]) != isinf(b[k]);
    cr_expect_eq(wrong, 0, "seed %zu: an input holds %g: %zu values differ in kind: %s",
                 (size_t)trial->seed, (double)*place, wrong, trial->json);
    *place = before;
    ppm_tensor_free(&y);
    ppm_tensor_free(&expected);
}

static void check_trial(const struct trial *trial)
{
    struct ppm_tensor expected = run(trial, trial->inputs, true, 2);
    struct ppm_tensor y = run(trial, trial->inputs, false, 1);
    struct ppm_tensor threaded = run(trial, trial->inputs, false, 3);
    struct ppm_tensor turned = run_turned(trial);
    expect_close(trial, &y, &expected, "NCHW");
    expect_close(trial, &turned, &expected, "NHWC");
    cr_expect(support_is_same(&y, &threaded), "seed %zu: depends on the number of threads: %s",
              (size_t)trial->seed, trial->json);
    check_alone(trial, &y);
    check_kinds(trial);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    ppm_tensor_free(&threaded);
    ppm_tensor_free(&turned);
}

/* Whether the network takes inputs of that size: a map may be too small for a window or a scale. */
static bool begin_trial(struct trial *trial, size_t h, size_t w)
{
    struct ppm_sizes sizes = {.count = trial->info.input_count};
    struct ppm_costs costs;
    struct ppm_error error = {0};
    for (size_t i = 0; i < sizes.count; i++)
        sizes.inputs[i] = (struct ppm_shape){2, trial->info.inputs[i].channels, h, w};
    if (ppm_model_costs(trial->model, &sizes, PPM_NCHW, 2, &costs, &error) != PPM_OK) {
        cr_expect(error.status == PPM_UNFIT && (strstr(error.text, "pixels of the window") ||
                                                strstr(error.text, "it has no pixels")),
                  "seed %zu: %s: %s", (size_t)trial->seed, error.text, trial->json);
        return false;
    }
    for (size_t i = 0; i < sizes.count; i++) {
        trial->inputs[i] = support_tensor(sizes.inputs[i], PPM_NCHW, NULL);
        support_random(trial->inputs[i].data, support_elements(&trial->inputs[i]), trial->seed + i);
    }
    return true;
}

/* Networks drawn from a seed of their own, by one kernel set, until `count` have been run. */
static void check_networks(const char *isa, uint64_t seed, size_t count)
{
    static const size_t sides[][2] = {{24, 31}, {17, 9}, {32, 32}, {5, 40}};
    struct ppm_error error = {0};
    static struct trial trial;
    if (ppm_isa_select(isa, &error) != PPM_OK)
        return;
    for (size_t run = 0; run < count; seed++) {
        struct ppm_error refused = {0};
        trial.seed = seed;
        random_network(seed, 3 + seed % 12, trial.json);
        trial.model = support_load(trial.json, &refused);
        cr_assert(trial.model != NULL, "seed %zu: %s: %s", (size_t)seed, refused.text, trial.json);
        ppm_model_info(trial.model, &trial.info);
        if (begin_trial(&trial, sides[seed % COUNT(sides)][0], sides[seed % COUNT(sides)][1])) {
            check_trial(&trial);
            free_inputs(trial.inputs, trial.info.input_count);
            run++;
        }
        ppm_model_free(trial.model);
    }
}

Test(random_graphs, scalar)
{
    check_networks("scalar", 1, 100);
}

Test(random_graphs, avx2)
{
    check_networks("avx2", 1001, 100);
}

Test(random_graphs, avx512)
{
    check_networks("avx512", 2001, 200);
}

Test(random_graphs, neon)
{
    check_networks("neon", 3001, 100);
}
