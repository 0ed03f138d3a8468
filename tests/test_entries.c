/* test_entries.c - the values of a network's entries, compared with networks that end there. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(entries, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

/* Networks that begin alike have the same random weights as far as that. */
#define E0 "{'conv': {'channels': 6, 'kernel': 3, 'padding': 1}, 'name': 'stem'}"
#define E1 E0 ", {'relu': {}, 'name': 'first'}"
#define E2 E1 ", {'conv': {'channels': 6}, 'name': 'second'}"
#define E3 E2 ", {'batch_norm': {}}"
#define E4 E3 ", {'max_pool': {'window': 3, 'stride': 2, 'padding': 1}, 'name': 'pooled'}"
#define E5                                                                                         \
    E4 ", {'pyramid': {'bins': [1, 2], 'branch': [{'conv': {'channels': 2}}], 'upsample': "        \
       "'half_pixel', 'concat': 'input_first'}, 'name': 'ppm'}"
#define E6 E5 ", {'conv': {'channels': 4}, 'name': 'head'}"
#define NETWORK(entries)                                                                           \
    "{'name': 'net', 'input': {'channels': 3}, 'network': [" entries "], 'weights': {'random': "   \
    "3}}"
#define WHOLE                                                                                      \
    "{'name': 'net', 'input': {'channels': 3}, 'network': [" E6                                    \
    "], 'output': {'as': 'argmax', 'size': 'input'}, 'weights': {'random': 3}}"

static const struct ppm_shape shape = {2, 3, 7, 9};

static struct ppm_tensor input(enum ppm_layout layout)
{
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    if (layout == PPM_NCHW)
        return x;
    struct ppm_tensor other = support_other_layout(&x);
    ppm_tensor_free(&x);
    return other;
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x,
                             const struct ppm_stages *stages, bool reference)
{
    const struct ppm_run_options options = {.threads = 2, .stages = stages, .reference = reference};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    cr_assert(ppm_run(model, x, &options, &y, &error) == PPM_OK, "%s", error.text);
    return y;
}

static void list(const struct ppm_model *model, const struct ppm_tensor *x, const char *names,
                 struct ppm_stages *ret)
{
    struct ppm_error error = {0};
    cr_assert(ppm_model_entries(model, SIZES_OF(x->shape), x->layout, x->is_batch, names, ret,
                                &error) == PPM_OK,
              "%s: %s", names, error.text);
    ppm_stages_place(ret, malloc(ret->bytes));
    memset(ret->list[0].tensor.data, 0xff, ret->bytes); /* NaN */
}

static size_t bytes_of(const struct ppm_tensor *x)
{
    return 4 * x->shape.n * x->shape.c * x->shape.h * x->shape.w;
}

static void check_same(const struct ppm_tensor *found, const struct ppm_tensor *expected,
                       const char *what)
{
    cr_assert(memcmp(&found->shape, &expected->shape, sizeof found->shape) == 0 &&
                  found->layout == expected->layout && found->is_batch == expected->is_batch &&
                  found->dtype == expected->dtype,
              "%s", what);
    cr_assert(memcmp(found->data, expected->data, bytes_of(found)) == 0, "%s", what);
}

/* What a network that ends with the entry answers, by the literal graph. */
static void check_entry(const struct ppm_stage *stage, const char *prefix,
                        const struct ppm_tensor *x)
{
    struct ppm_model *model = support_load_ok(prefix);
    struct ppm_tensor expected = run(model, x, NULL, true);
    check_same(&stage->tensor, &expected, stage->name);
    ppm_tensor_free(&expected);
    ppm_model_free(model);
}

Test(entries, are_what_a_network_that_ends_there_answers)
{
    static const struct {
        const char *names;
        const char *prefixes[4];
    } cases[] = {
        {"stem", {NETWORK(E0)}},
        {"network.0,first", {NETWORK(E0), NETWORK(E1)}},
        {"network.3", {NETWORK(E3)}},
        {"head,pooled,ppm,first", {NETWORK(E6), NETWORK(E4), NETWORK(E5), NETWORK(E1)}},
        {"network.6", {NETWORK(E6)}},
    };
    struct ppm_model *model = support_load_ok(WHOLE);
    for (enum ppm_layout layout = PPM_NCHW; layout <= PPM_NHWC; layout++) {
        struct ppm_tensor x = input(layout), plain = run(model, &x, NULL, false);
        for (size_t i = 0; i < COUNT(cases); i++)
            for (int reference = 0; reference < 2; reference++) {
                struct ppm_stages stages;
                list(model, &x, cases[i].names, &stages);
                struct ppm_tensor y = run(model, &x, &stages, reference);
                for (size_t k = 0; k < stages.count; k++)
                    check_entry(&stages.list[k], cases[i].prefixes[k], &x);
                cr_assert(stages.count == 4 || !cases[i].prefixes[stages.count]);
                check_same(&y, &plain, "y");
                ppm_tensor_free(&y);
                free(stages.list[0].tensor.data);
            }
        ppm_tensor_free(&plain);
        ppm_tensor_free(&x);
    }
    ppm_model_free(model);
}

Test(entries, that_are_none_are_refused)
{
    static const struct {
        const char *names, *sentence;
    } cases[] = {
        {"none", "found \"none\", expected 0, 1, or entries of the network by their names or as "
                 "network.0 to network.6"},
        {"", "found \"\""},
        {"stem,", "found \"\""},
        {"network.7", "found \"network.7\""},
        {"x", "found \"x\""},
        {"second", "\"second\" is computed together with the norm after it, expected network.3"},
        {"stem,stem", "found \"stem\" twice"},
        {"network.0,stem", "found \"stem\" twice"},
    };
    struct ppm_model *model = support_load_ok(WHOLE);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_stages stages;
        struct ppm_error error = {0};
        cr_assert(ppm_model_entries(model, SIZES_OF(shape), PPM_NCHW, true, cases[i].names, &stages,
                                    &error) == PPM_UNFIT,
                  "%s", cases[i].names);
        cr_assert(strstr(error.text, cases[i].sentence), "%s: %s", cases[i].names, error.text);
    }
    ppm_model_free(model);
}

Test(entries, only_networks_have_them)
{
    struct ppm_stages stages;
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 3}, 'bins': [1], 'branch': ['conv'], 'weights': {'random': 1}}");
    cr_assert(ppm_model_entries(model, SIZES_OF(shape), PPM_NCHW, true, "2", &stages, &error) ==
              PPM_MALFORMED);
    cr_assert_str_eq(error.text, "stages: found \"2\", expected 0 or 1");
    ppm_model_free(model);
}

Test(entries, a_size_beyond_memory_is_refused)
{
    struct ppm_stages stages;
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(WHOLE);
    cr_assert_neq(ppm_model_entries(model, SIZES(1, 3, SIZE_MAX / 64, 16), PPM_NCHW, true, "stem",
                                    &stages, &error),
                  PPM_OK);
    ppm_model_free(model);
}
