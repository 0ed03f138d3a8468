/* test_shapes.c - the sizes of maps: windows along an axis, and nodes of a graph. The numbers are
 * PyTorch's, those of same padding TensorFlow's. */
#include "core/shape/window_axis.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(shapes, .init = support_open_folder, .fini = support_close_folder);

static struct window window_of(size_t size, size_t stride, size_t dilation)
{
    return (struct window){.size = {1, size}, .stride = {1, stride}, .dilation = {1, dilation}};
}

Test(shapes, outputs_of_windows)
{
    static const struct {
        size_t size, stride, dilation, before, after, extent;
        bool is_ceil;
        size_t outputs;
    } cases[] = {
        {1, 1, 1, 0, 0, 7, false, 7},     {3, 1, 1, 1, 1, 7, false, 7},
        {3, 2, 1, 1, 1, 7, false, 4},     {3, 2, 1, 1, 1, 8, false, 4},
        {7, 2, 1, 3, 3, 473, false, 237}, {3, 1, 2, 2, 2, 9, false, 9},
        {3, 1, 4, 4, 4, 60, false, 60},   {3, 2, 2, 1, 0, 9, false, 3},
        {2, 1, 1, 0, 1, 5, false, 5},     {5, 3, 1, 0, 4, 2, false, 1},
        {11, 4, 1, 2, 2, 224, false, 55}, {3, 1, 12, 0, 0, 25, false, 1},
        {3, 1, 12, 0, 0, 24, false, 0},   {4, 2, 1, 1, 2, 1, false, 1},
        {1, 2, 1, 0, 0, 6, false, 3},     {1, 3, 1, 0, 0, 5, false, 2},
        {3, 2, 1, 1, 1, 237, false, 119}, {3, 2, 1, 1, 1, 237, true, 119},
        {3, 2, 1, 0, 0, 7, false, 3},     {3, 2, 1, 0, 0, 7, true, 3},
        {3, 2, 1, 0, 0, 8, false, 3},     {3, 2, 1, 0, 0, 8, true, 4},
        {2, 2, 1, 0, 0, 7, false, 3},     {2, 2, 1, 0, 0, 7, true, 4},
        {2, 3, 1, 1, 1, 4, false, 2},     {2, 3, 1, 1, 1, 4, true, 2},
        {2, 3, 1, 1, 1, 5, false, 2},     {2, 3, 1, 1, 1, 5, true, 2},
        {5, 2, 1, 2, 2, 60, false, 30},   {5, 2, 1, 2, 2, 60, true, 31},
        {9, 4, 1, 4, 4, 60, false, 15},   {9, 4, 1, 4, 4, 60, true, 16},
        {17, 8, 1, 8, 8, 60, false, 8},   {17, 8, 1, 8, 8, 60, true, 9},
        {17, 8, 1, 8, 8, 9, false, 2},    {17, 8, 1, 8, 8, 9, true, 2},
        {3, 3, 1, 1, 1, 6, false, 2},     {3, 3, 1, 1, 1, 6, true, 3},
        {2, 2, 1, 1, 1, 3, false, 2},     {2, 2, 1, 1, 1, 3, true, 2},
        {2, 2, 1, 1, 1, 4, false, 3},     {2, 2, 1, 1, 1, 4, true, 3},
        {2, 5, 1, 1, 1, 5, false, 2},     {2, 5, 1, 1, 1, 5, true, 2},
        {2, 4, 1, 0, 0, 5, false, 1},     {2, 4, 1, 0, 0, 5, true, 2},
        {2, 4, 1, 0, 0, 6, false, 2},     {2, 4, 1, 0, 0, 6, true, 2},
        {3, 1, 1, 1, 1, 1, false, 1},     {3, 1, 1, 1, 1, 1, true, 1},
        {4, 4, 1, 0, 0, 3, false, 0},     {4, 4, 1, 0, 0, 3, true, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = window_of(cases[i].size, cases[i].stride, cases[i].dilation);
        window.before[AXIS_W] = cases[i].before;
        window.after[AXIS_W] = cases[i].after;
        window.is_ceil = cases[i].is_ceil;
        const struct window_axis on = window_axis_of(&window, AXIS_W, cases[i].extent);
        cr_expect_eq(on.outputs, cases[i].outputs, "case %zu: found %zu, expected %zu", i,
                     on.outputs, cases[i].outputs);
    }
}

Test(shapes, same_padding)
{
    static const struct {
        size_t size, stride, dilation, extent, outputs, before, after;
    } cases[] = {
        {3, 1, 1, 5, 5, 1, 1}, {3, 2, 1, 5, 3, 1, 1},     {3, 2, 1, 6, 3, 0, 1},
        {2, 1, 1, 4, 4, 0, 1}, {7, 2, 1, 224, 112, 2, 3}, {3, 1, 4, 9, 9, 4, 4},
        {1, 2, 1, 5, 3, 0, 0}, {2, 3, 1, 9, 3, 0, 0},     {2, 5, 1, 7, 2, 0, 0},
        {5, 2, 1, 1, 1, 2, 2}, {4, 2, 1, 3, 2, 1, 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window window = window_of(cases[i].size, cases[i].stride, cases[i].dilation);
        window.is_same = true;
        const struct window_axis on = window_axis_of(&window, AXIS_W, cases[i].extent);
        cr_expect(on.outputs == cases[i].outputs && on.before == cases[i].before &&
                      on.after == cases[i].after,
                  "case %zu: found %zu, %zu, %zu", i, on.outputs, on.before, on.after);
    }
}

/* The taps of each output are those whose pixels lie in the map. */
Test(shapes, taps_of_windows)
{
    for (size_t code = 0; code < 5 * 4 * 3 * 4 * 4 * 2; code++) {
        const size_t extent = 1 + code / 384 * 3;
        struct window window = window_of(1 + code % 4, 1 + code / 4 % 3, 1 + code / 12 % 4);
        window.before[AXIS_W] = code / 48 % 4;
        window.after[AXIS_W] = 2;
        window.is_same = code / 192 % 2;
        const struct window_axis on = window_axis_of(&window, AXIS_W, extent);
        for (size_t i = 0; i < on.outputs; i++) {
            size_t from, to;
            window_axis_taps(&window, AXIS_W, extent, &on, i, &from, &to);
            for (size_t k = 0; k < window.size[AXIS_W]; k++) {
                const ptrdiff_t pixel =
                    (ptrdiff_t)(i * window.stride[AXIS_W] + k * window.dilation[AXIS_W]) -
                    (ptrdiff_t)on.before;
                const bool is_inside = pixel >= 0 && pixel < (ptrdiff_t)extent;
                cr_assert_eq(is_inside, k >= from && k < to, "code %zu, output %zu, tap %zu", code,
                             i, k);
            }
        }
    }
}

/* What a network says of inputs of a shape: the shape of its answer, or why it does not take them.
 */
static struct ppm_error shape_of(const char *network, const struct ppm_sizes *sizes,
                                 struct ppm_shape *ret_shape)
{
    char json[2000];
    struct ppm_error error = {0};
    struct ppm_costs costs = {0};
    snprintf(json, sizeof json, "{%s], 'weights': {'random': 1}}", network);
    struct ppm_model *model = support_load_ok(json);
    ppm_model_costs(model, sizes, PPM_NCHW, 2, &costs, &error);
    ppm_model_free(model);
    *ret_shape = costs.output;
    return error;
}

#define ONE "'input': {'channels': 6}, 'network': ["
#define THREE                                                                                      \
    "'inputs': {'a': {'channels': 6}, 'b': {'channels': 6}, 'c': {'channels': 1}}, 'network': ["

/* Checked against PyTorch 1.13. */
Test(shapes, answers)
{
    static const struct {
        const char *network;
        size_t h, w;
        struct ppm_shape output;
    } cases[] = {
        {ONE "{'conv': {'channels': 4}}", 7, 9, {2, 4, 7, 9}},
        {ONE "{'conv': {'channels': 4, 'kernel': 7, 'stride': 2, 'padding': 3}}",
         473,
         9,
         {2, 4, 237, 5}},
        {ONE
         "{'conv': {'channels': 4, 'kernel': [3, 5], 'stride': [1, 3], 'padding': [2, 0, 1, 1], "
         "'dilation': [2, 1]}}",
         7,
         9,
         {2, 4, 6, 2}},
        {ONE "{'conv': {'channels': 4, 'kernel': 3, 'stride': 2, 'padding': 'same'}}",
         7,
         8,
         {2, 4, 4, 4}},
        {ONE "{'max_pool': {'window': 3, 'stride': 2}}", 8, 7, {2, 6, 3, 3}},
        {ONE "{'max_pool': {'window': 3, 'stride': 2, 'ceil': true}}", 8, 7, {2, 6, 4, 3}},
        {ONE "{'avg_pool': {'window': [17, 9], 'stride': [8, 4], 'padding': [8, 4]}}",
         60,
         60,
         {2, 6, 8, 15}},
        {ONE "{'avg_pool': {'window': 2, 'stride': 3, 'padding': 1, 'ceil': true}}",
         4,
         5,
         {2, 6, 2, 2}},
        {ONE "{'avg_pool': {'window': 4, 'ceil': true}}", 3, 9, {2, 6, 1, 3}},
        {ONE "{'adaptive_avg_pool': {'bins': [3, 1]}}", 2, 9, {2, 6, 3, 1}},
        {ONE "{'resize': {'scale': 1.6}}", 5, 7, {2, 6, 8, 11}},
        {ONE "{'resize': {'scale': 0.5}}", 5, 7, {2, 6, 2, 3}},
        {ONE "{'resize': {'size': [9, 1]}}", 5, 7, {2, 6, 9, 1}},
        {ONE "{'max_pool': {'window': 2}}, {'resize': {'like': 'x'}}", 5, 7, {2, 6, 5, 7}},
        {ONE "{'slice': {'channels': [1, 4]}}", 5, 7, {2, 3, 5, 7}},
        {ONE "'channel_sum'", 5, 7, {2, 1, 5, 7}},
        {ONE "{'pyramid': {'bins': [1, 2], 'branch': ['conv']}}", 5, 7, {2, 18, 5, 7}},
        {ONE "{'pyramid': {'windows': [2, 4], 'pool': 'same', 'branch': ['conv'], 'upsample_to': "
             "'stride_multiple', 'concat': 'branches'}}",
         8,
         16,
         {2, 12, 8, 16}},
        {ONE "{'pyramid': {'bins': [1, 2], 'branch': [], 'sum': true}}", 5, 7, {2, 6, 5, 7}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ppm_sizes sizes = {.inputs = {{2, 6, cases[i].h, cases[i].w}}, .count = 1};
        struct ppm_shape y;
        const struct ppm_error error = shape_of(cases[i].network, &sizes, &y);
        cr_expect(error.status == PPM_OK, "%s: %s", cases[i].network, error.text);
        cr_expect(memcmp(&y, &cases[i].output, sizeof y) == 0, "%s: found %zu x %zu x %zu x %zu",
                  cases[i].network, y.n, y.c, y.h, y.w);
    }
}

/* Sums, products and concats of inputs of several sizes. */
Test(shapes, joins)
{
    static const struct {
        const char *network;
        size_t sides[3][2]; /* of a, b and c */
        size_t output[2];
        const char *refusal;
    } cases[] = {
        {"{'add': ['a', 'b', 'c']}", {{5, 7}, {5, 7}, {5, 7}}, {5, 7}, ""},
        {"{'mul': ['a', 'b', 'c']}", {{1, 1}, {5, 7}, {1, 1}}, {5, 7}, ""},
        {"{'add': ['c', 'b', 'a']}", {{5, 7}, {1, 1}, {5, 7}}, {5, 7}, ""},
        {"{'mul': ['a', 'b', 'c']}", {{1, 1}, {1, 1}, {1, 1}}, {1, 1}, ""},
        {"{'concat': ['a', 'b', 'c']}", {{5, 7}, {5, 7}, {5, 7}}, {5, 7}, ""},
        {"{'add': ['a', 'b', 'c']}",
         {{5, 7}, {1, 1}, {5, 8}},
         {0},
         "network[0].add: input \"a\" is 5 x 7 (H x W) and input \"c\" is 5 x 8, expected the same "
         "size, or 1 x 1"},
        {"{'mul': ['a', 'b', 'c'], 'name': 'gate'}",
         {{1, 1}, {5, 1}, {5, 7}},
         {0},
         "mul \"gate\": input \"b\" is 5 x 1 (H x W) and input \"c\" is 5 x 7, expected the same "
         "size, or 1 x 1"},
        {"{'concat': ['a', 'b', 'c']}",
         {{5, 7}, {5, 7}, {1, 1}},
         {0},
         "network[0].concat: input \"a\" is 5 x 7 (H x W) and input \"c\" is 1 x 1, expected the "
         "same size"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_sizes sizes = {.count = 3};
        char network[300];
        struct ppm_shape y;
        for (size_t k = 0; k < 3; k++)
            sizes.inputs[k] =
                (struct ppm_shape){1, k < 2 ? 6 : 1, cases[i].sides[k][0], cases[i].sides[k][1]};
        snprintf(network, sizeof network, THREE "%s", cases[i].network);
        const struct ppm_error error = shape_of(network, &sizes, &y);
        cr_expect_str_eq(error.text, cases[i].refusal);
        cr_expect(error.status == (*cases[i].refusal ? PPM_UNFIT : PPM_OK));
        cr_expect(y.h == cases[i].output[0] && y.w == cases[i].output[1], "%s: %zu x %zu",
                  cases[i].network, y.h, y.w);
    }
}

/* Where, what was found, what was expected. */
Test(shapes, refusals)
{
    static const struct {
        const char *network;
        struct ppm_shape input;
        enum ppm_status status;
        const char *text;
    } cases[] = {
        {ONE
         "'relu', {'conv': {'channels': 4, 'kernel': [3, 5], 'dilation': 2, 'padding': [0, 1]}}",
         {1, 6, 4, 9},
         PPM_UNFIT,
         "network[1].conv: the map is 4 x 9 (H x W), padded 4 x 11: expected at least the 5 x 9 "
         "pixels of the window"},
        {ONE "{'max_pool': {'window': 6}, 'name': 'stem'}",
         {1, 6, 9, 5},
         PPM_UNFIT,
         "max_pool \"stem\": the map is 9 x 5 (H x W), padded 9 x 5: expected at least the 6 x 6 "
         "pixels of the window"},
        {ONE "{'resize': {'scale': 0.25}}",
         {1, 6, 9, 3},
         PPM_UNFIT,
         "network[0].resize: the map is 9 x 3 (H x W): scaled by 0.25 it has no pixels"},
        {ONE "{'pyramid': {'bins': [8], 'pool': 'valid', 'branch': ['conv']}}",
         {1, 6, 9, 3},
         PPM_UNFIT,
         "network[0].pyramid: bin 8 makes a pooling window of 1 x 0 pixels on an input of 9 x 3 (H "
         "x W), expected a side of more than half the bin"},
        {ONE "'relu'",
         {1, 5, 9, 3},
         PPM_UNFIT,
         "input \"x\": found 5 channels, expected the model's 6"},
        {ONE "{'resize': {'scale': 256}}",
         {1, 6, 1 << 25, 1},
         PPM_TOO_LARGE,
         "network[0].resize: the map would be 8589934592 x 256 pixels (H x W) of 6 channels, more "
         "than can be counted"},
        {ONE "{'conv': {'channels': 131072}}, {'conv': {'channels': 1, 'weights': 'b'}}",
         {1 << 20, 6, 1 << 20, 1 << 10},
         PPM_TOO_LARGE,
         "network[0].conv: the map would be 1048576 x 1024 pixels (H x W) of 131072 channels, more "
         "than can be counted"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct ppm_sizes sizes = {.inputs = {cases[i].input}, .count = 1};
        struct ppm_shape y;
        const struct ppm_error error = shape_of(cases[i].network, &sizes, &y);
        cr_expect_str_eq(error.text, cases[i].text);
        cr_expect(error.status == cases[i].status, "%s: %d", cases[i].text, error.status);
    }
}

Test(shapes, several_inputs)
{
    const struct ppm_shape a = {2, 6, 5, 7}, c = {2, 1, 5, 7};
    const struct ppm_sizes two = {.inputs = {a, a}, .count = 2};
    const struct ppm_sizes uneven = {.inputs = {a, {1, 6, 5, 7}, c}, .count = 3};
    struct ppm_shape y;
    struct ppm_error error = shape_of(THREE "{'add': ['a', 'b', 'c']}", &two, &y);
    cr_expect_str_eq(error.text, "found 2 inputs, expected the model's 3");
    error = shape_of(THREE "{'add': ['a', 'b', 'c']}", &uneven, &y);
    cr_expect_str_eq(error.text, "input \"b\": found a batch of 1 map, expected 2: all inputs of a "
                                 "request have the same N");
}
