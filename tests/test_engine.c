/* test_engine.c - the fast engine against the literal graph: random models over random shapes,
 * values that are not finite, thread counts, batches, and what must not be allocated. */
#include "core/ppm.h"
#include "simd/simd.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

TestSuite(engine, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

/* Its own generator, so that a seed means the same model on every machine. */
static uint64_t state;

static size_t pick(size_t count)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % count;
}

static const char *pick_text(const char *const *texts)
{
    size_t count = 0;
    while (texts[count])
        count++;
    return texts[pick(count)];
}

#define ACTIVATION(constant, name, low, high) "'" #name "'",
static const char *const activations[] = {SIMD_ACTIVATIONS(ACTIVATION) "'softmax'",
                                          "{'leaky_relu': {'slope': 0.2}}", NULL};
static const char *const channel_counts[] = {"1", "2", "3", "5", "8", "14", "15", "29", "33", NULL};

/* Layers as JSON: convs with what may follow them. */
static size_t write_stack(char *ret, size_t bytes, bool is_head)
{
    const size_t convs = 1 + pick(3) / 2;
    size_t at = (size_t)snprintf(ret, bytes, "[");
    if (is_head && pick(5) == 0)
        at += (size_t)snprintf(ret + at, bytes - at, "{'batch_norm': {'weights': 'first'}}, ");
    for (size_t i = 0; i < convs; i++) {
        at += (size_t)snprintf(ret + at, bytes - at,
                               "%s{'conv': {'channels': %s, 'kernel': %d, 'bias': %s, "
                               "'weights': '%s%zu.{i}'}}",
                               i ? ", " : "", pick_text(channel_counts),
                               is_head && pick(3) == 0 ? 3 : 1, pick(2) ? "true" : "false",
                               is_head ? "head" : "branch", i);
        if (pick(2))
            at += (size_t)snprintf(ret + at, bytes - at,
                                   ", {'batch_norm': {'weights': '%snorm%zu.{i}'}}",
                                   is_head ? "head" : "branch", i);
        if (pick(4))
            at += (size_t)snprintf(ret + at, bytes - at, ", %s", pick_text(activations));
        if (pick(8) == 0)
            at += (size_t)snprintf(ret + at, bytes - at, ", {'prelu': {'weights': '%sp%zu.{i}'}}",
                                   is_head ? "head" : "branch", i);
    }
    at += (size_t)snprintf(ret + at, bytes - at, "]");
    return at;
}

/* {i} numbers branches, and a head has none. */
static void remove_index(char *text)
{
    for (char *found; (found = strstr(text, ".{i}"));)
        memmove(found, found + 4, strlen(found + 4) + 1);
}

static void write_model(char *ret, size_t bytes)
{
    static const char *const bins[] = {"[1, 2, 3, 6]", "[1]",    "[2, 5]",
                                       "[6, 3, 2, 1]", "[4, 9]", NULL};
    static const char *const pools[] = {"adaptive", "adaptive", "same", "valid", NULL};
    static const char *const modes[] = {"align_corners", "half_pixel", "asymmetric", NULL};
    static const char *const concats[] = {"input_first", "input_last", "branches", NULL};
    static const char *const outputs[] = {"",
                                          "",
                                          ", 'output': {'scale': 2}",
                                          ", 'output': {'as': 'softmax'}",
                                          ", 'output': {'size': [7, 19], 'as': 'softmax'}",
                                          ", 'output': {'scale': 3, 'upsample': 'asymmetric'}",
                                          NULL};
    char branch[1024], head[1024];
    write_stack(branch, sizeof branch, false);
    write_stack(head, sizeof head, true);
    remove_index(head);
    const bool has_head = pick(4) > 0;
    snprintf(ret, bytes,
             "{'input': {'channels': %s}, 'bins': %s, 'pool': '%s', 'branch': %s, "
             "'upsample': '%s', 'concat': '%s'%s%s%s, 'weights': {'random': %zu}}",
             pick_text(channel_counts), pick_text(bins), pick_text(pools), pick(6) ? branch : "[]",
             pick_text(modes), pick_text(concats), has_head ? ", 'head': " : "",
             has_head ? head : "", pick_text(outputs), pick(1000));
}

/* Heads of 3x3 convs wide enough for Winograd's form, with other layers around them. */
static void write_3x3_model(char *ret, size_t bytes)
{
    static const char *const widths[] = {"24", "29", "40", "61", NULL};
    static const char *const concats[] = {"input_first", "input_last", "branches", NULL};
    static const char *const modes[] = {"align_corners", "half_pixel", "asymmetric", NULL};
    static const char *const afters[] = {
        "",
        ", 'relu'",
        ", 'relu6', {'conv': {'channels': 5}}",
        ", 'sigmoid'",
        ", {'prelu': {'weights': 'p'}}, {'conv': {'channels': 30, 'kernel': 3}}, 'relu'",
        ", {'conv': {'channels': 31, 'kernel': 3, 'bias': false}}, {'conv': {'channels': 3}}",
        NULL};
    snprintf(ret, bytes,
             "{'input': {'channels': %s}, 'bins': [1, %zu, 6], 'branch': [{'conv': {'channels': "
             "%s}}, 'tanh'], 'upsample': '%s', 'concat': '%s', 'head': [{'conv': {'channels': %s, "
             "'kernel': 3}}, {'batch_norm': {}}%s], 'weights': {'random': %zu}}",
             pick_text(widths), 2 + pick(8), pick_text(widths), pick_text(modes),
             pick_text(concats), pick_text(widths), pick_text(afters), pick(1000));
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             bool reference, int threads)
{
    const struct ppm_run_options options = {.threads = threads, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    ppm_run(model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    return y;
}

/* One model over one shape, in both layouts, one thread and three: bits may not depend on those. */
static void check_model(const struct ppm_model *model, struct ppm_shape shape, const char *text)
{
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    struct ppm_tensor expected = run(model, &x, true, 2);
    struct ppm_tensor y = run(model, &x, false, 1);
    struct ppm_tensor threaded = run(model, &x, false, 3);
    struct ppm_tensor turned = support_other_layout(&x);
    struct ppm_tensor y_turned = run(model, &turned, false, 2);
    struct ppm_tensor back = support_other_layout(&y_turned);
    const double difference = support_difference(&y, &expected);
    cr_expect(difference <= 2e-5, "off by %g on %zu x %zu x %zu x %zu: %s", difference, shape.n,
              shape.c, shape.h, shape.w, text);
    cr_expect(support_is_same(&y, &threaded), "depends on the number of threads: %s", text);
    cr_expect(support_difference(&back, &expected) <= 2e-5, "NHWC off: %s", text);
    ppm_tensor_free(&x);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    ppm_tensor_free(&threaded);
    ppm_tensor_free(&turned);
    ppm_tensor_free(&y_turned);
    ppm_tensor_free(&back);
}

/* Every kernel set that this machine runs, over models and shapes drawn from a seed of their own.
 */
static void check_random_models(const char *isa, uint64_t seed, size_t models,
                                void (*write)(char *ret, size_t bytes))
{
    struct ppm_error error = {0};
    if (ppm_isa_select(isa, &error) != PPM_OK)
        return;
    size_t checked = 0;
    state = seed;
    while (checked < models) {
        char text[4096];
        struct ppm_model_info info;
        struct ppm_costs costs;
        write(text, sizeof text);
        struct ppm_error refused = {0};
        struct ppm_model *model = support_load(text, &refused);
        if (!model && strstr(refused.text, "softmax") && strstr(refused.text, "1 channel"))
            continue; /* the one thing that write_model does wrong, now and then */
        cr_assert(model, "%s: %s", text, refused.text);
        ppm_model_info(model, &info);
        for (size_t i = 0; i < 2; i++) {
            const struct ppm_shape shape = {1 + pick(3), info.inputs[0].channels, 1 + pick(24),
                                            1 + pick(40)};
            struct ppm_error unfit = {0};
            if (ppm_model_costs(model, SIZES_OF(shape), PPM_NCHW, 2, &costs, &unfit) != PPM_OK)
                continue;
            check_model(model, shape, text);
            checked++;
        }
        ppm_model_free(model);
    }
}

Test(engine, random_models_scalar)
{
    check_random_models("scalar", 1, 120, write_model);
    check_random_models("scalar", 1, 60, write_3x3_model);
}

Test(engine, random_models_avx2)
{
    check_random_models("avx2", 2, 120, write_model);
    check_random_models("avx2", 2, 60, write_3x3_model);
}

Test(engine, random_models_avx512)
{
    check_random_models("avx512", 3, 120, write_model);
    check_random_models("avx512", 3, 60, write_3x3_model);
}

Test(engine, random_models_neon)
{
    check_random_models("neon", 4, 120, write_model);
    check_random_models("neon", 4, 60, write_3x3_model);
}

/* Many channels, as in real heads: signed, and as after a relu. */
Test(engine, wide_3x3_heads_round_little)
{
    static const size_t widths[] = {512, 2048, 4096};
    for (size_t i = 0; i < 2 * COUNT(widths); i++) {
        char text[300];
        snprintf(text, sizeof text,
                 "{'input': {'channels': %zu}, 'bins': [1, 2], 'branch': [{'conv': {'channels': "
                 "32}}], 'head': [{'conv': {'channels': 24, 'kernel': 3}}], 'weights': {'random': "
                 "%zu}}",
                 widths[i / 2], i);
        struct ppm_model *model = support_load_ok(text);
        struct ppm_tensor x =
            support_tensor((struct ppm_shape){1, widths[i / 2], 15, 17}, PPM_NCHW, NULL);
        float *values = x.data;
        for (size_t k = 0; i % 2 && k < support_elements(&x); k++)
            values[k] = values[k] > 0 ? values[k] : 0;
        struct ppm_tensor expected = run(model, &x, true, 2);
        struct ppm_tensor y = run(model, &x, false, 2);
        const double difference = support_difference(&y, &expected);
        cr_expect(difference <= 2e-5, "%zu channels: off by %g", widths[i / 2], difference);
        ppm_tensor_free(&x);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&y);
        ppm_model_free(model);
    }
}

/* More sums than a task keeps: panels are shared out in groups whatever the number of threads. */
Test(engine, more_outputs_than_a_task_of_winograd_takes)
{
    static const char text[] = "{'input': {'channels': 24}, 'bins': [2], 'branch': [], 'head': "
                               "[{'conv': {'channels': 4200, "
                               "'kernel': 3}}, 'relu'], 'weights': {'random': 5}}";
    struct ppm_model *model = support_load_ok(text);
    check_model(model, (struct ppm_shape){1, 24, 9, 14}, text);
    ppm_model_free(model);
}

#define HEAD_3X3(options)                                                                          \
    "{'input': {'channels': 30}, 'bins': [1, 2, 3], 'branch': [{'conv': {'channels': 25}}], "      \
    "'head': [{'conv': {'channels': 26, 'kernel': 3}}, 'relu', {'conv': {'channels': 24, "         \
    "'kernel': 3}}], " options "'weights': {'random': 7}}"

/* The direct form rounds less. */
Test(engine, exact_models_take_the_direct_form)
{
    struct ppm_model *fast = support_load_ok(HEAD_3X3("")),
                     *exact = support_load_ok(HEAD_3X3("'exact': true, "));
    struct ppm_tensor x = support_tensor((struct ppm_shape){2, 30, 21, 26}, PPM_NCHW, NULL);
    struct ppm_tensor expected = run(fast, &x, true, 2);
    struct ppm_tensor y = run(fast, &x, false, 2), exact_y = run(exact, &x, false, 2);
    const double error_fast = support_difference(&y, &expected);
    const double error_exact = support_difference(&exact_y, &expected);
    cr_expect(error_exact < error_fast / 2, "off by %g, otherwise by %g", error_exact, error_fast);
    ppm_tensor_free(&x);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    ppm_tensor_free(&exact_y);
    ppm_model_free(fast);
    ppm_model_free(exact);
}

/* Rows of several blocks of pixels and vectors, larger, smaller and as they are, by every kernel
 * set. */
Test(engine, outputs_of_long_rows)
{
    static const char *const isas[] = {"scalar", "avx2", "avx512", "neon"};
    static const char *const sizes[] = {"",
                                        "'size': [11, 150], ",
                                        "'size': [3, 29], ",
                                        "'scale': 8, ",
                                        "'size': [4, 83], ",
                                        "'scale': 3, 'trim': true, ",
                                        "'size': 'input', "};
    static const char *const kinds[] = {"values", "softmax", "argmax", "sigmoid",
                                        "sigmoid', 'threshold': 0.52, 'upsample': 'half_pixel"};
    const struct ppm_shape shape = {2, 6, 3, 81};
    for (size_t i = 0; i < COUNT(isas) * COUNT(sizes) * COUNT(kinds); i++) {
        char text[400];
        struct ppm_error error = {0};
        if (ppm_isa_select(isas[i / COUNT(kinds) / COUNT(sizes)], &error) != PPM_OK)
            continue;
        snprintf(text, sizeof text,
                 "{'input': {'channels': 6}, 'bins': [1, 2], 'branch': ['conv'], 'head': [{'conv': "
                 "{'channels': 21}}], 'output': {%s'as': '%s'}, 'weights': {'random': 3}}",
                 sizes[i / COUNT(kinds) % COUNT(sizes)], kinds[i % COUNT(kinds)]);
        struct ppm_model *model = support_load_ok(text);
        check_model(model, shape, text);
        ppm_model_free(model);
    }
}

static const char bottleneck_model[] =
    "{'input': {'channels': 12}, 'bins': [1, 2, 3], 'branch': [{'conv': {'channels': 9}}], "
    "'head': [{'conv': {'channels': 17}}, 'relu'], 'weights': {'random': 7}}";

/* NaN or Inf anywhere in x reaches exactly the values that it reaches in the literal graph. */
static void check_kinds(const struct ppm_model *model, size_t channels, float value)
{
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, channels, 19, 21}, PPM_NCHW, NULL);
    ((float *)x.data)[5 * 19 * 21 + 137] = value;
    struct ppm_tensor expected = run(model, &x, true, 1);
    struct ppm_tensor y = run(model, &x, false, 2);
    const float *a = y.data, *b = expected.data;
    size_t wrong = 0;
    for (size_t k = 0; k < support_elements(&y); k++)
        wrong += isnan(a[k]) != isnan(b[k]) || isinf(a[k]) != isinf(b[k]);
    cr_expect_eq(wrong, 0, "x holds %g: %zu values differ in kind", (double)value, wrong);
    ppm_tensor_free(&x);
    ppm_tensor_free(&y);
    ppm_tensor_free(&expected);
}

Test(engine, not_finite)
{
    const float values[] = {NAN, INFINITY, -INFINITY, 3e38f};
    struct ppm_model *model = support_load_ok(bottleneck_model),
                     *model_3x3 = support_load_ok(HEAD_3X3(""));
    for (size_t i = 0; i < COUNT(values); i++) {
        check_kinds(model, 12, values[i]);
        check_kinds(model_3x3, 30, values[i]);
    }
    ppm_model_free(model);
    ppm_model_free(model_3x3);
}
