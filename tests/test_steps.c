/*
 * test_steps.c - steps of networks that are no sections, against the literal graph: maps of many
 * sizes, batches, both layouts, any number of threads, values that are not finite.
 */
#include "core/engine/engine.h"
#include "core/ppm.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(steps, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

#define NAMED(entry, name) "{" entry ", 'name': '" name "'}"

/* Entries after { "input": { "channels": 6 } } */
static const char *const networks[] = {
    "{'max_pool': {'window': 3, 'stride': 2, 'padding': 1}}",
    "{'max_pool': {'window': [2, 3], 'stride': [1, 2], 'padding': [1, 0]}}",
    "{'max_pool': {'window': 3, 'stride': 2, 'ceil': true}}",
    "{'max_pool': {'window': 2}}",
    "{'max_pool': {'window': 5, 'stride': 1, 'padding': 'same'}}",
    "{'avg_pool': {'window': 5, 'stride': 2, 'padding': 2}}",
    "{'avg_pool': {'window': 5, 'stride': 2, 'padding': 2, 'count_padding': false}}",
    "{'avg_pool': {'window': [3, 2], 'stride': [2, 3], 'padding': 1, 'ceil': true}}",
    "{'avg_pool': {'window': 3, 'stride': 2, 'ceil': true, 'count_padding': false}}",
    "{'avg_pool': {'window': 9, 'stride': 4, 'padding': 4}}",
    "{'adaptive_avg_pool': {'bins': 1}}",
    "{'adaptive_avg_pool': {'bins': [3, 7]}}",
    "{'adaptive_avg_pool': {'bins': 40}}",
    "{'resize': {'scale': 2}}",
    "{'resize': {'size': [17, 5], 'mode': 'align_corners'}}",
    "{'resize': {'size': [40, 51], 'mode': 'half_pixel'}}",
    "{'resize': {'size': [9, 70], 'mode': 'asymmetric'}}",
    "{'resize': {'scale': 3, 'mode': 'nearest'}}",
    "{'resize': {'size': [5, 31], 'mode': 'nearest'}}",
    NAMED("'max_pool': {'window': 2}", "a") ", {'resize': {'like': 'input'}}",
    "'relu', 'sigmoid', 'gelu'",
    "{'leaky_relu': {'slope': 0.3}}",
    "'prelu'",
    "'softmax'",
    "'batch_norm', 'relu6'",
    "{'affine': {'scale': -1, 'shift': 1}}, 'tanh'",
    "{'group_norm': {'groups': 3}}",
    "{'group_norm': {'groups': 1}}, 'relu'",
    "'layer_norm', 'gelu'",
    "'channel_sum'",
    "'channel_mean'",
    "{'slice': {'channels': [1, 4]}}",
    NAMED("'sigmoid': {}", "a") ", {'add': ['input', 'a']}, 'relu'",
    NAMED("'sigmoid': {}",
          "a") ", {'add': ['a', 'input', 'a']}, 'channel_mean'", /* not in place of a */
    NAMED("'sigmoid': {}", "a") ", {'mul': ['a', 'input']}, 'tanh'",
    NAMED("'adaptive_avg_pool': {'bins': 1}", "a") ", {'mul': ['input', 'a']}",
    NAMED("'adaptive_avg_pool': {'bins': 1}", "a") ", {'add': ['a', 'input']}, 'relu6'",
    NAMED("'channel_mean': {}", "a") ", {'mul': ['a', 'input']}",
    NAMED("'channel_sum': {}", "a") ", {'add': ['input', 'a']}",
    NAMED("'tanh': {}", "a") ", {'concat': ['a', 'input', 'a']}",
    NAMED("'max_pool': {'window': 3, 'stride': 1, 'padding': 1}", "a") ", " NAMED(
        "'affine': {'scale': 2, 'shift': 0.5}", "b") ", {'add': ['a', 'b', 'input']}, 'elu',"
                                                     " 'channel_mean', 'sigmoid'",
    /* with sections before, between and after */
    "{'conv': {'channels': 8}}, 'relu', {'max_pool': {'window': 2}}, {'conv': {'channels': 5,"
    " 'weights': 'c'}}, 'sigmoid', {'avg_pool': {'window': 3, 'stride': 1, 'padding': 1}}",
    NAMED("'conv': {'channels': 7}", "a") ", {'adaptive_avg_pool': {'bins': 1}}, {'conv':"
                                          " {'channels': 7, 'weights': 'c'}}, " NAMED(
                                              "'sigmoid': {}", "g") ", {'mul': ['a', 'g']}, 'relu'",
};

static const struct ppm_shape shapes[] = {{1, 6, 12, 12}, {2, 6, 9, 17}, {3, 6, 21, 5}};

static struct ppm_model *load(const char *network, const char *output)
{
    char text[4000];
    snprintf(text, sizeof text,
             "{'inputs': {'input': {'channels': 6}}, 'weights': {'random': 1}, 'network': [%s]%s}",
             network, output);
    return support_load_ok(text);
}

static struct ppm_tensor run_reference(const struct ppm_model *model, const struct ppm_tensor *x)
{
    const struct ppm_run_options options = {.threads = 2, .reference = true};
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    ppm_run(model, x, &options, &y, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    return y;
}

static struct ppm_tensor run(const struct ppm_model *model, const struct ppm_tensor *x, int threads)
{
    struct ppm_error error = {0};
    struct ppm_stage_times times = {0};
    struct geometry geometry;
    atomic_bool is_abandoned = false;
    const struct run run = {.threads = threads, .is_abandoned = &is_abandoned};
    const struct ppm_sizes sizes = ppm_sizes_of(x, 1);
    geometry_of(&model->spec, &sizes, &geometry, &error);
    struct ppm_tensor y = {.shape = geometry.output,
                           .layout = x->layout,
                           .is_batch = true,
                           .dtype = model->spec.output.as == AS_ARGMAX ? PPM_INT32 : PPM_FLOAT32};
    ppm_tensor_allocate(&y, &error);
    struct ppm_plan *plan = plan_create(model, &geometry, &run, &error);
    if (plan)
        engine_run(plan, x, &y, &run, &times, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    ppm_plan_free(plan);
    return y;
}

/* One model over one x: bits may depend neither on threads nor, but for rounding, on the layout. */
static void check(const struct ppm_model *model, const struct ppm_tensor *x, const char *text)
{
    const double tolerance = 1e-5;
    struct ppm_tensor expected = run_reference(model, x);
    struct ppm_tensor y = run(model, x, 1), threaded = run(model, x, 3);
    struct ppm_tensor turned = support_other_layout(x), y_turned = run(model, &turned, 2);
    struct ppm_tensor back = support_other_layout(&y_turned);
    const double difference = support_difference(&y, &expected);
    cr_expect(difference <= tolerance, "off by %g on %zu x %zu x %zu x %zu: %s", difference,
              x->shape.n, x->shape.c, x->shape.h, x->shape.w, text);
    cr_expect(support_is_same(&y, &threaded), "depends on the number of threads: %s", text);
    cr_expect(support_difference(&back, &expected) <= tolerance, "NHWC off: %s", text);
    ppm_tensor_free(&expected);
    ppm_tensor_free(&y);
    ppm_tensor_free(&threaded);
    ppm_tensor_free(&turned);
    ppm_tensor_free(&y_turned);
    ppm_tensor_free(&back);
}

Test(steps, equal_the_literal_graph)
{
    for (size_t i = 0; i < COUNT(networks); i++) {
        struct ppm_model *model = load(networks[i], "");
        for (size_t k = 0; k < COUNT(shapes); k++) {
            struct ppm_tensor x = support_tensor(shapes[k], PPM_NCHW, NULL);
            check(model, &x, networks[i]);
            ppm_tensor_free(&x);
        }
        ppm_model_free(model);
    }
}

/* Large enough that every step is shared by a team. */
Test(steps, are_shared_by_threads)
{
    for (size_t i = 0; i < COUNT(networks); i++) {
        struct ppm_model *model = load(networks[i], "");
        struct ppm_tensor x = support_tensor((struct ppm_shape){1, 6, 67, 131}, PPM_NCHW, NULL);
        check(model, &x, networks[i]);
        ppm_tensor_free(&x);
        ppm_model_free(model);
    }
}

Test(steps, an_output_stage_follows)
{
    static const char *const outputs[] = {
        ", 'output': {'as': 'argmax'}", ", 'output': {'scale': 2, 'as': 'softmax'}",
        ", 'output': {'size': [31, 23], 'upsample': 'half_pixel'}"};
    for (size_t i = 0; i < COUNT(outputs); i++) {
        struct ppm_model *model =
            load("{'max_pool': {'window': 3, 'stride': 2, 'padding': 1}}, 'relu'", outputs[i]);
        for (size_t k = 0; k < COUNT(shapes); k++) {
            struct ppm_tensor x = support_tensor(shapes[k], PPM_NCHW, NULL);
            check(model, &x, outputs[i]);
            ppm_tensor_free(&x);
        }
        ppm_model_free(model);
    }
}

/* Leaves out what is not finite in both alike. */
static void leave_out(struct ppm_tensor *a, struct ppm_tensor *b)
{
    float *left = a->data, *right = b->data;
    for (size_t i = 0; i < support_elements(a); i++)
        if ((isnan(left[i]) && isnan(right[i])) || (isinf(left[i]) && left[i] == right[i]))
            left[i] = right[i] = 0;
}

/* NaN and Inf go where the literal graph has them; other maps of the batch keep their bits. */
Test(steps, values_that_are_not_finite)
{
    static const float values[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(networks) * COUNT(values); i++) {
        const char *text = networks[i / COUNT(values)];
        struct ppm_model *model = load(text, "");
        struct ppm_tensor x = support_tensor(shapes[1], PPM_NCHW, NULL);
        struct ppm_tensor before = run(model, &x, 2);
        for (size_t at = 3; at < support_elements(&x) / 2; at += 101)
            ((float *)x.data)[at] = values[i % COUNT(values)];
        struct ppm_tensor expected = run_reference(model, &x), y = run(model, &x, 2);
        leave_out(&y, &expected);
        const double difference = support_difference(&y, &expected);
        cr_expect(difference <= 1e-5, "off by %g with %g: %s", difference,
                  (double)values[i % COUNT(values)], text);
        const size_t half = support_elements(&y) / 2;
        cr_expect(
            memcmp((float *)y.data + half, (float *)before.data + half, half * sizeof(float)) == 0,
            "the other map differs: %s", text);
        ppm_tensor_free(&x);
        ppm_tensor_free(&before);
        ppm_tensor_free(&expected);
        ppm_tensor_free(&y);
        ppm_model_free(model);
    }
}
