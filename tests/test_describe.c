/* test_describe.c - the layers of a network, a line each. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

TestSuite(describe, .init = support_open_folder, .fini = support_close_folder);

enum { LINES_MAX = 40 };

/* The lines of a network of these entries, and how many; shape: of its input. */
static size_t lines_of(const char *entries, const struct ppm_shape *shape,
                       struct ppm_layer_info ret_lines[LINES_MAX])
{
    char json[3000];
    struct ppm_model_info info;
    struct ppm_error error = {0};
    snprintf(json, sizeof json,
             "{'name': 'n', 'input': {'channels': 8}, 'weights': {'random': 1}, 'network': [%s]}",
             entries);
    struct ppm_model *model = support_load_ok(json);
    ppm_model_info(model, &info);
    cr_assert(info.layer_count <= LINES_MAX);
    cr_assert(ppm_model_layers(model, shape ? SIZES_OF(*shape) : NULL, ret_lines, &error) == PPM_OK,
              "%s", error.text);
    uint64_t parameters = 0;
    for (size_t i = 0; i < info.layer_count; i++)
        parameters += ret_lines[i].parameters;
    cr_expect(parameters == info.parameters, "%" PRIu64 " of %" PRIu64, parameters,
              info.parameters);
    ppm_model_free(model);
    return info.layer_count;
}

Test(describe, options_of_each_layer)
{
    static const char *const cases[][2] = {
        {"{'conv': {'channels': 16, 'kernel': 3, 'padding': 1}}", "conv 3x3 8 -> 16"},
        {"{'conv': {'channels': 16, 'kernel': 3}}", "conv 3x3 8 -> 16, padding 0"},
        {"{'conv': {'channels': 4, 'kernel': [5, 3], 'stride': [2, 1], 'padding': [2, 1],"
         " 'groups': 4, 'bias': false}}",
         "conv 5x3 8 -> 4, stride 2x1, groups 4, no bias"},
        {"{'conv': {'channels': 8, 'kernel': 3, 'dilation': 4, 'padding': 4}}",
         "conv 3x3 8 -> 8, dilation 4"},
        {"{'conv': {'channels': 8, 'kernel': 3, 'padding': [0, 1, 2, 3]}}",
         "conv 3x3 8 -> 8, padding [0, 1, 2, 3]"},
        {"{'conv': {'channels': 8, 'kernel': 3, 'padding': 'same'}}",
         "conv 3x3 8 -> 8, padding same"},
        {"'batch_norm'", "batch_norm 8"},
        {"{'group_norm': {'groups': 2}}", "group_norm 8, groups 2"},
        {"'layer_norm'", "layer_norm 8"},
        {"'hardswish'", "hardswish"},
        {"{'max_pool': {'window': 2}}", "max_pool 2x2"},
        {"{'max_pool': {'window': 3, 'stride': 2, 'padding': 1, 'ceil': true}}",
         "max_pool 3x3, stride 2, padding 1, ceil"},
        {"{'avg_pool': {'window': [3, 2], 'stride': 1, 'count_padding': false}}",
         "avg_pool 3x2, stride 1, padding not counted"},
        {"{'adaptive_avg_pool': {'bins': [1, 2]}}", "adaptive_avg_pool 1x2"},
        {"{'resize': {'scale': 2, 'mode': 'nearest'}}", "resize nearest, scale 2"},
        {"{'resize': {'size': [9, 7], 'mode': 'half_pixel'}}", "resize half_pixel, size 9x7"},
        {"{'affine': {'scale': -1, 'shift': 0.5}}", "affine, scale -1, shift 0.5"},
        {"{'slice': {'channels': [2, 6]}}", "slice 2..5 of 8"},
        {"'channel_mean'", "channel_mean"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ppm_layer_info lines[LINES_MAX];
        cr_assert(lines_of(cases[i][0], NULL, lines) == 1);
        cr_expect_str_eq(lines[0].where, "network[0]");
        cr_expect_str_eq(lines[0].what, cases[i][1]);
    }
}

/* Names, what is read, what is computed together, and how; sizes and FLOPs. */
Test(describe, a_network_with_its_sizes)
{
    static const struct {
        const char *where, *what;
        struct ppm_shape shape;
        uint64_t parameters, flops;
    } expected[] = {
        {"a first",
         "conv 1x1 8 -> 32, batch_norm folded, product",
         {2, 32, 20, 24},
         288 + 128,
         2 * 2 * 480 * 8 * 32},
        {"network[1]", "batch_norm 32, folded", {2, 32, 20, 24}, 0, 0},
        {"stem", "relu, fused", {2, 32, 20, 24}, 0, 0},
        {"network[3]",
         "conv 3x3 32 -> 32, no bias, Winograd F(4x4, 3x3)",
         {2, 32, 20, 24},
         9216,
         2 * 2 * 480 * 9216},
        {"b", "sigmoid, fused", {2, 32, 20, 24}, 0, 0},
        {"c", "max_pool 2x2, from stem", {2, 32, 10, 12}, 0, 0},
        {"d", "resize align_corners, like b, not stored", {2, 32, 20, 24}, 0, 0},
        {"network[7]", "concat b, d, not stored", {2, 64, 20, 24}, 0, 0},
        {"network[8]", "conv 1x1 64 -> 8, product", {2, 8, 20, 24}, 520, 2 * 2 * 480 * 64 * 8},
        {"p", "pyramid, bins 1 2", {2, 8 + 2 * 4, 20, 24}, 0, 0},
        {"p, branch 0 (bin 1)", "conv 1x1 8 -> 4", {2, 4, 1, 1}, 36, 2 * 2 * 8 * 4},
        {"p, branch 1 (bin 2)", "conv 1x1 8 -> 4", {2, 4, 2, 2}, 36, 2 * 2 * 8 * 4 * 4},
    };
    struct ppm_layer_info lines[LINES_MAX];
    const size_t count = lines_of(
        "{'conv': {'channels': 32, 'weights': 'first'}, 'name': 'a'}, 'batch_norm',"
        " {'relu': {}, 'name': 'stem'},"
        " {'conv': {'channels': 32, 'kernel': 3, 'padding': 1, 'bias': false}},"
        " {'sigmoid': {}, 'name': 'b'}, {'max_pool': {'window': 2}, 'from': 'stem', 'name': 'c'},"
        " {'resize': {'like': 'b'}, 'name': 'd'}, {'concat': ['b', 'd']},"
        " {'conv': {'channels': 8}},"
        " {'pyramid': {'bins': [1, 2], 'branch': [{'conv': {'channels': 4}}]}, 'name': 'p'}",
        &(struct ppm_shape){2, 8, 20, 24}, lines);
    cr_assert(count == COUNT(expected), "%zu lines", count);
    for (size_t i = 0; i < count; i++) {
        const struct ppm_shape s = expected[i].shape;
        cr_expect_str_eq(lines[i].where, expected[i].where);
        cr_expect_str_eq(lines[i].what, expected[i].what);
        cr_expect(memcmp(&lines[i].shape, &s, sizeof s) == 0, "%s: %zu, %zu, %zu, %zu",
                  lines[i].where, lines[i].shape.n, lines[i].shape.c, lines[i].shape.h,
                  lines[i].shape.w);
        cr_expect(lines[i].parameters == expected[i].parameters, "%s: %" PRIu64, lines[i].where,
                  lines[i].parameters);
        cr_expect(lines[i].flops == expected[i].flops, "%s: %" PRIu64, lines[i].where,
                  lines[i].flops);
    }
}

/* The steps of that network: what is computed together, and how often it multiplies. */
Test(describe, steps_of_a_network)
{
    static const struct {
        const char *where, *what;
        uint64_t flops;
        bool is_effective;
    } expected[] = {
        {"first", "conv 3x3 8 -> 32, padding 0, taps + relu", 2 * 18 * 22 * 8 * 32 * 9, false},
        {"network[2] a.b",
         "conv 3x3 32 -> 32, batch_norm folded, Winograd F(4x4, 3x3) + add + relu",
         2 * 18 * 22 * 9216, true},
        {"network[6]", "max_pool 2x2", 0, false},
        {"network[8]", "pyramid, bins 1 + conv 1x1 36 -> 8, product",
         2 * (99 * 32 * 8 + 32 * 4 + 4 * 8 + 99 * 8), false},
        {"output", "argmax, stretched to 20x24", 0, false},
    };
    struct ppm_step_info steps[COUNT(expected)];
    struct ppm_model_info info;
    struct ppm_error error = {0};
    struct ppm_model *model = support_load_ok(
        "{'name': 'n', 'input': {'channels': 8}, 'weights': {'random': 1}, 'network': ["
        " {'conv': {'channels': 32, 'kernel': 3}, 'name': 'first'}, {'relu': {}, 'name': 'stem'},"
        " {'conv': {'channels': 32, 'kernel': 3, 'padding': 1, 'weights': 'a.b'}},"
        " {'batch_norm': {}, 'name': 'c'}, {'add': ['c', 'stem']}, 'relu',"
        " {'max_pool': {'window': 2}},"
        " {'pyramid': {'bins': [1], 'branch': [{'conv': {'channels': 4}}]}},"
        " {'conv': {'channels': 8}}], 'output': {'size': 'input', 'as': 'argmax'}}");
    ppm_model_info(model, &info);
    cr_assert(info.step_count == COUNT(expected), "%zu steps", info.step_count);
    cr_assert(ppm_model_steps(model, SIZES(1, 8, 20, 24), steps, &error) == PPM_OK, "%s",
              error.text);
    for (size_t i = 0; i < COUNT(expected); i++) {
        cr_expect_str_eq(steps[i].where, expected[i].where);
        cr_expect_str_eq(steps[i].what, expected[i].what);
        cr_expect(steps[i].flops == expected[i].flops, "%s: %" PRIu64 ", not %" PRIu64,
                  steps[i].where, steps[i].flops, expected[i].flops);
        cr_expect(steps[i].is_effective == expected[i].is_effective, "%s", steps[i].where);
    }
    cr_expect(ppm_model_steps(model, SIZES(1, 8, 1, 1), steps, &error) == PPM_UNFIT);
    ppm_model_free(model);
}

/* Of a model of one pyramid, the steps count what the whole does. */
Test(describe, flops_of_steps_are_those_of_the_model)
{
    struct ppm_model *model =
        support_load_ok("{'input': {'channels': 64}, 'bins': [1, 2, 3, 6], 'branch': ['conv'],"
                        " 'head': [{'conv': {'channels': 9, 'kernel': 3}}, 'relu',"
                        " {'conv': {'channels': 5}}], 'weights': {'random': 1}}");
    struct ppm_step_info steps[2];
    struct ppm_costs costs;
    struct ppm_error error = {0};
    cr_assert(ppm_model_steps(model, SIZES(3, 64, 21, 17), steps, &error) == PPM_OK);
    cr_assert(ppm_model_costs(model, SIZES(3, 64, 21, 17), PPM_NCHW, 1, &costs, &error) == PPM_OK);
    cr_expect(steps[0].flops == costs.flops_folded && costs.flops_folded < costs.flops_literal);
    ppm_model_free(model);
}

/* A run notes the time of each step. */
Test(describe, steps_are_timed)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 2}, 'weights': {'random': 1}, 'network': ['conv', 'relu',"
        " {'max_pool': {'window': 2}}, {'adaptive_avg_pool': {'bins': 2}}, {'resize': {'scale': "
        "2}},"
        " 'softmax']}");
    struct ppm_model_info info;
    float values[2 * 9 * 9] = {0};
    const struct ppm_tensor x = {.shape = {1, 2, 9, 9}, .is_batch = true, .data = values};
    for (int threads = 1; threads <= 3; threads += 2) {
        double ms[] = {-1, -1, -1, -1, -1, -1, -1};
        struct ppm_tensor y = {0};
        struct ppm_error error = {0};
        const struct ppm_run_options options = {.threads = threads, .ret_step_ms = ms};
        ppm_model_info(model, &info);
        cr_assert(info.step_count >= 4 && info.step_count < COUNT(ms), "%zu", info.step_count);
        cr_assert(ppm_run(model, &x, &options, &y, &error) == PPM_OK, "%s", error.text);
        for (size_t i = 0; i < info.step_count; i++)
            cr_expect(ms[i] >= 0, "step %zu of %zu", i, info.step_count);
        cr_expect(ms[info.step_count] == -1, "written beyond the last step");
        ppm_tensor_free(&y);
    }
    ppm_model_free(model);
}

/* Names as long as they may be: what does not fit is left out. */
Test(describe, lines_end_where_they_must)
{
    enum { LENGTH = 127, MAPS = 4 };
    char entries[2500], name[LENGTH + 1];
    struct ppm_layer_info lines[LINES_MAX];
    size_t at = 0;
    memset(name, 'n', LENGTH);
    name[LENGTH] = '\0';
    for (int i = 0; i < MAPS; i++)
        at += (size_t)snprintf(entries + at, sizeof entries - at,
                               "{'relu': {}, 'name': '%.*s%d'}, ", LENGTH - 1, name, i);
    snprintf(entries + at, sizeof entries - at, "{'add': ['%.*s0', '%.*s1', '%.*s2', '%.*s3']}",
             LENGTH - 1, name, LENGTH - 1, name, LENGTH - 1, name, LENGTH - 1, name);
    cr_assert(lines_of(entries, NULL, lines) == MAPS + 1);
    cr_expect(strlen(lines[0].where) == LENGTH);
    cr_expect(strlen(lines[MAPS].what) == sizeof lines[MAPS].what - 1);
}
