/* test_reference.c - operators of the literal graph by numbers that a few lines of arithmetic give;
 * golden cases compare all of them with PyTorch. */
#include "core/model/model.h"
#include "core/reference/reference.h"
#include "core/reference/reference_ops.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

TestSuite(reference, .init = support_open_folder, .fini = support_close_folder);

/* y of a network without trained values over one map [1, channels, h, w]. */
static struct ppm_tensor answer(const char *network, size_t channels, size_t h, size_t w,
                                const float *values)
{
    char json[1000];
    struct ppm_error error = {0};
    struct ppm_tensor y = {0};
    const struct ppm_run_options options = {.threads = 2, .reference = true};
    snprintf(json, sizeof json,
             "{'input': {'channels': %zu}, 'network': [%s], 'weights': {'random': 1}}", channels,
             network);
    struct ppm_model *model = support_load_ok(json);
    struct ppm_tensor x = support_tensor((struct ppm_shape){1, channels, h, w}, PPM_NCHW, values);
    cr_assert(ppm_run(model, &x, &options, &y, &error) == PPM_OK, "%s: %s", network, error.text);
    ppm_tensor_free(&x);
    ppm_model_free(model);
    return y;
}

static bool is_same_value(float a, float b)
{
    return isnan(a) ? isnan(b) : a == b;
}

/* Maps of 2 x 3, of which each network makes these values; the rest of a row counts for nothing. */
Test(reference, values)
{
    const float n = NAN, inf = INFINITY;
    const struct {
        const char *network;
        float x[6];
        size_t count;
        float y[12];
    } cases[] = {
        /* NaN is larger than all, also than Inf */
        {"{'max_pool': {'window': [1, 2], 'stride': 1}}",
         {1, n, 2, inf, -inf, -inf},
         4,
         {n, n, inf, -inf}},
        {"{'max_pool': {'window': [2, 3]}}", {inf, 0, 0, 0, n, 0}, 1, {n}},
        /* padding is less than all */
        {"{'max_pool': {'window': 2, 'stride': 2, 'padding': 1}}",
         {-1, -2, -3, -4, -5, -6},
         4,
         {-1, -2, -4, -5}},
        /* what a mean is divided by: the window; its pixels; not what is past the padding */
        {"{'avg_pool': {'window': [2, 2], 'stride': [2, 1], 'padding': [0, 1]}}",
         {1, 2, 3, 4, 5, 6},
         4,
         {1.25f, 3, 4, 2.25f}},
        {"{'avg_pool': {'window': [2, 2], 'stride': [2, 1], 'padding': [0, 1], 'count_padding': "
         "false}}",
         {1, 2, 3, 4, 5, 6},
         4,
         {2.5f, 3, 4, 4.5f}},
        {"{'avg_pool': {'window': 2, 'ceil': true}}", {1, 2, 3, 4, 5, 6}, 2, {3, 4.5f}},
        {"{'avg_pool': {'window': 2, 'padding': 'same'}}", {1, 2, 3, 4, 5, 6}, 2, {3, 4.5f}},
        {"{'adaptive_avg_pool': {'bins': [1, 2]}}", {1, 2, 3, 4, 5, 6}, 2, {3, 4}},
        {"{'adaptive_avg_pool': {'bins': 1}}", {1, inf, 3, 4, 5, 6}, 1, {inf}},
        /* nearest does not mix; linear ones do, with weights of 0 too */
        {"{'resize': {'size': [1, 6], 'mode': 'nearest'}}",
         {1, inf, n, 4, 5, 6},
         6,
         {1, 1, inf, inf, n, n}},
        {"{'resize': {'size': [1, 3], 'mode': 'align_corners'}}",
         {1, inf, 3, 4, 5, 6},
         3,
         {n, inf, 3}},
        {"{'resize': {'scale': 1.5, 'mode': 'half_pixel'}}",
         {0, 3, 6, 0, 3, 6},
         4,
         {0, 1.5f, 3.5f, 5.5f}},
        {"{'affine': {'scale': -1, 'shift': 1}}",
         {0, 1, n, inf, 0.25f, -2},
         6,
         {1, 0, n, -inf, 0.75f, 3}},
        {"{'relu': {}}", {n, -1, 0, inf, -inf, 2}, 6, {n, 0, 0, inf, 0, 2}},
        {"{'add': ['x', 'x']}", {1, n, inf, -inf, 3e38f, 5}, 6, {2, n, inf, -inf, inf, 10}},
        {"{'mul': ['x', 'x', 'x']}", {2, n, inf, -inf, 1e20f, 0}, 6, {8, n, inf, -inf, inf, 0}},
        {"{'adaptive_avg_pool': {'bins': 1}, 'name': 'm'}, {'mul': ['x', 'm']}",
         {1, 2, 3, 4, 5, 3},
         6,
         {3, 6, 9, 12, 15, 9}},
        {"{'affine': {'scale': 2}, 'name': 'b'}, {'concat': ['b', 'x']}",
         {1, 2, 3, 4, 5, 6},
         12,
         {2, 4, 6, 8, 10, 12, 1, 2, 3, 4, 5, 6}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor y = answer(cases[i].network, 1, 2, 3, cases[i].x);
        const float *values = y.data;
        for (size_t k = 0; k < cases[i].count; k++)
            cr_expect(is_same_value(values[k], cases[i].y[k]), "%s: value %zu is %g, expected %g",
                      cases[i].network, k, (double)values[k], (double)cases[i].y[k]);
        ppm_tensor_free(&y);
    }
}

/* Maps of one row of two pixels and three channels. */
Test(reference, channels)
{
    const float n = NAN;
    const struct {
        const char *network;
        float x[6];
        size_t count;
        float y[6];
    } cases[] = {
        {"'channel_sum'", {1, 2, 3, 4, 5, n}, 2, {9, n}},
        {"'channel_mean'", {1, 2, 3, 4, 5, 6}, 2, {3, 4}},
        {"{'slice': {'channels': [1, 3]}}", {1, 2, 3, 4, 5, 6}, 4, {3, 4, 5, 6}},
        {"{'channel_sum': {}, 'name': 's'}, {'mul': ['s', 'x']}",
         {1, 2, 0, 0, 1, 1},
         6,
         {2, 6, 0, 0, 2, 3}},
        {"{'layer_norm': {'scale': false, 'center': false, 'eps': 0}}",
         {1, 0, 2, 0, 3, n},
         1,
         {-1.2247449f}},
        {"{'group_norm': {'groups': 1, 'scale': false, 'center': false, 'eps': 1}}",
         {1, 1, 1, 1, 1, 1},
         6,
         {0, 0, 0, 0, 0, 0}},
        {"{'group_norm': {'groups': 3, 'scale': false, 'center': false, 'eps': 0}}",
         {1, 3, 5, 9, n, 0},
         5,
         {-1, 1, -1, 1, n}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_tensor y = answer(cases[i].network, 3, 1, 2, cases[i].x);
        const float *values = y.data;
        for (size_t k = 0; k < cases[i].count; k++)
            cr_expect(is_same_value(values[k], cases[i].y[k]), "%s: value %zu is %g, expected %g",
                      cases[i].network, k, (double)values[k], (double)cases[i].y[k]);
        ppm_tensor_free(&y);
    }
}

/* Maps are freed after their last reader: a chain of any length holds two of them at a time. */
Test(reference, working_bytes)
{
    static const char relu[] = "'relu', ", map[] = "{'affine': {'scale': 1}}, ";
    const struct ppm_sizes sizes = {.inputs = {{1, 8, 50, 40}}, .count = 1};
    size_t bytes[3];
    for (size_t i = 0; i < COUNT(bytes); i++) {
        static const size_t lengths[] = {1, 2, 20};
        char json[2000] = "{'input': {'channels': 8}, 'network': [";
        struct ppm_error error = {0};
        struct geometry geometry;
        for (size_t k = 0; k < lengths[i]; k++)
            strcat(json, k % 2 ? relu : map);
        strcpy(json + strlen(json) - 2, "]}");
        struct ppm_model *model = support_load_ok(json);
        cr_assert(geometry_of(&model->spec, &sizes, &geometry, &error) == PPM_OK);
        cr_assert(reference_working_bytes(&model->spec, &geometry, &bytes[i], &error) == PPM_OK);
        ppm_model_free(model);
    }
    const size_t one = 8 * 50 * 40 * sizeof(float);
    cr_expect(bytes[0] >= one && bytes[0] < one + 1000, "found %zu", bytes[0]);
    cr_expect(bytes[1] >= 2 * one && bytes[1] < 2 * one + 1000, "found %zu", bytes[1]);
    cr_expect(bytes[2] >= 2 * one && bytes[2] < 2 * one + 4000, "found %zu", bytes[2]);
}
