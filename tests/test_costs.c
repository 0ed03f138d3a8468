/* test_costs.c - what a model says of itself: parameters, FLOPs, bytes, layers. */
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(costs, .init = support_open_folder, .fini = support_close_folder);

static struct ppm_costs costs_ok(const struct ppm_model *model, struct ppm_shape shape)
{
    struct ppm_error error = {0};
    struct ppm_costs costs;
    cr_assert(ppm_model_costs(model, SIZES_OF(shape), PPM_NCHW, 2, &costs, &error) == PPM_OK, "%s",
              error.text);
    return costs;
}

/* PSPNet-50's module at 60 x 60, with a bottleneck of 1 x 1. */
Test(costs, flops_of_pspnet50)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 2048}, 'bins': [1, 2, 3, 6], 'weights': {'random': 1},"
        " 'branch': [{'conv': {'channels': 512, 'bias': false}}, 'batch_norm', 'relu'],"
        " 'head': [{'conv': {'channels': 512}}]}");
    const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){1, 2048, 60, 60});
    const uint64_t points = 1 + 4 + 9 + 36, pixels = 3600, branches = 2 * 512 * 2048 * points;
    cr_expect(costs.flops_literal == branches + 2 * pixels * 512 * 4096, "found %llu",
              (unsigned long long)costs.flops_literal);
    /* the bottleneck's columns for x on every pixel; those for the branches on their grids, and
     * from there to the pixels */
    const uint64_t folded =
        branches + 2 * pixels * 512 * 2048 + 2 * 512 * 512 * points + 2 * 512 * points * pixels;
    cr_expect(costs.flops_folded == folded, "found %llu", (unsigned long long)costs.flops_folded);
    cr_expect(folded == 7865139200u);

    const struct ppm_costs batch = costs_ok(model, (struct ppm_shape){3, 2048, 60, 60});
    cr_expect(batch.flops_literal == 3 * costs.flops_literal);
    cr_expect(batch.flops_folded == 3 * costs.flops_folded);
    /* time grows with the maps, but for the weights, which are fetched once */
    cr_expect(costs.one_thread_us > 1000 && batch.one_thread_us > 2.9 * costs.one_thread_us);
    cr_expect(costs.weights_us > 500 && batch.weights_us == costs.weights_us);
    ppm_model_free(model);
}

/* A head that begins with anything else, or small maps, leave nothing to fold. */
Test(costs, folding_never_costs)
{
    static const char *const heads[] = {"", ", 'head': ['relu', 'conv']", ", 'head': ['conv']"};
    static const uint64_t heads_flops[] = {0, 2 * 12 * 12, 2 * 12 * 12};
    for (size_t i = 0; i < COUNT(heads); i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{'input': {'channels': 4}, 'bins': [2, 9], 'branch': ['conv'],"
                 " 'weights': {'random': 1}%s}",
                 heads[i]);
        struct ppm_model *model = support_load_ok(json);
        const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){1, 4, 2, 3});
        cr_expect(costs.flops_literal == 2 * 4 * 4 * 85 + 6 * heads_flops[i], "%s: found %llu",
                  heads[i], (unsigned long long)costs.flops_literal);
        cr_expect(costs.flops_folded == costs.flops_literal, "%s", heads[i]);
        ppm_model_free(model);
    }
}

/* Convs of any window and groups, on the maps that they make; a pyramid's on its grids; the rest
 * counts for nothing. */
Test(costs, flops_of_a_network)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 4}, 'weights': {'random': 1}, 'network': [{'conv': {'channels': 6, "
        "'kernel': [3, 5], 'stride': 2, 'padding': [1, 2]}}, {'batch_norm': {}}, 'gelu', "
        "{'max_pool': {'window': 2}}, {'conv': {'channels': 12, 'groups': 3}}, {'conv': {'kernel': "
        "3, 'padding': 1, 'groups': 12}}, {'pyramid': {'bins': [1, 2], 'branch': [{'conv': "
        "{'channels': 5}}]}}, {'resize': {'scale': 3}}]}");
    const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){2, 4, 9, 16});
    /* 9 x 16 -> 5 x 8 -> 2 x 4 */
    const uint64_t stem = 2 * 40 * 6 * 4 * 15, groups = 2 * 8 * 12 * 2, depthwise = 2 * 8 * 12 * 9;
    const uint64_t branches = 2 * (1 + 4) * 5 * 12;
    cr_expect(costs.flops_literal == 2 * (stem + groups + depthwise + branches), "found %llu",
              (unsigned long long)costs.flops_literal);
    cr_expect(costs.output.h == 6 && costs.output.w == 12 && costs.output.c == 22);
    ppm_model_free(model);
}

/* Steps without a convolution take time for the maps between them, however small x and y are. */
Test(costs, time_of_a_network_without_flops)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 4}, 'network': [{'resize': {'size': [2000, 1000]}}, 'softmax', "
        "{'adaptive_avg_pool': {'bins': 1}}]}");
    const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){1, 4, 8, 8});
    const struct ppm_costs batch = costs_ok(model, (struct ppm_shape){3, 4, 8, 8});
    cr_expect(costs.flops_literal == 0 && costs.one_thread_us > 1000, "found %g us",
              costs.one_thread_us);
    cr_expect(batch.one_thread_us > 2.9 * costs.one_thread_us, "found %g us", batch.one_thread_us);
    ppm_model_free(model);
}

/* A cascade runs its branches twice. */
Test(costs, flops_of_a_cascade)
{
    struct ppm_model *model =
        support_load_ok("{'input': {'channels': 4}, 'bins': [1, 3], 'branch': ['conv'],"
                        " 'cascade': true, 'weights': {'random': 1}}");
    const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){2, 4, 9, 9});
    cr_expect(costs.flops_literal == 2 * 2 * 2 * 4 * 4 * 10, "found %llu",
              (unsigned long long)costs.flops_literal);
    ppm_model_free(model);
}

/* The answer's shape, and bytes that hold at least what comes in and goes out. */
Test(costs, shapes_and_bytes)
{
    static const struct {
        const char *more;
        struct ppm_shape output;
    } cases[] = {
        {"", {2, 9, 6, 8}},
        {", 'concat': 'branches'", {2, 6, 6, 8}},
        {", 'head': [{'conv': {'channels': 5, 'kernel': 3}}]", {2, 5, 6, 8}},
        {", 'head': [{'conv': {'channels': 5}}], 'output': {'as': 'argmax'}", {2, 1, 6, 8}},
        {", 'output': {'scale': 8}", {2, 9, 48, 64}},
        {", 'output': {'size': [3, 50], 'as': 'argmax'}", {2, 1, 3, 50}},
        {", 'cascade': true, 'concat': 'input_last'", {2, 9, 6, 8}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char json[300];
        snprintf(json, sizeof json,
                 "{'input': {'channels': 3}, 'bins': [1, 2], 'branch': ['conv'],"
                 " 'weights': {'random': 1}%s}",
                 cases[i].more);
        struct ppm_model *model = support_load_ok(json);
        const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){2, 3, 6, 8});
        const struct ppm_shape o = costs.output;
        cr_expect(memcmp(&o, &cases[i].output, sizeof o) == 0, "%s: found %zu, %zu, %zu, %zu",
                  cases[i].more, o.n, o.c, o.h, o.w);
        cr_expect(costs.input_bytes == 4 * 2 * 3 * 6 * 8, "%s", cases[i].more);
        cr_expect(costs.output_bytes == 4 * o.n * o.c * o.h * o.w, "%s", cases[i].more);
        const bool is_literal = strstr(cases[i].more, "cascade") != NULL;
        cr_expect((costs.scratch_bytes == 0) == is_literal &&
                  (costs.plan_bytes == 0) == is_literal);
        cr_expect(is_literal ? costs.working_bytes > costs.input_bytes + 2 * costs.output_bytes
                             : costs.working_bytes ==
                                   costs.plan_bytes + costs.scratch_bytes + costs.output_bytes,
                  "%s: found %zu", cases[i].more, costs.working_bytes);
        ppm_model_free(model);
    }
}

Test(costs, sizes_too_large_are_told)
{
    struct ppm_model *model = support_load_ok("{'input': {'channels': 4}, 'bins': [4096],"
                                              " 'branch': [], 'output': {'scale': 256}}");
    struct ppm_costs costs = {.working_bytes = 77};
    struct ppm_error error = {0};
    cr_expect(ppm_model_costs(model, SIZES(1, 4, 1u << 31, 1u << 13), PPM_NCHW, 2, &costs,
                              &error) == PPM_TOO_LARGE);
    cr_expect(costs.working_bytes == 77, "touched although it failed");
    error = (struct ppm_error){0};
    cr_expect(ppm_model_costs(model, SIZES(1, 5, 9, 9), PPM_NCHW, 2, &costs, &error) == PPM_UNFIT);
    ppm_model_free(model);

    /* the largest output there is, and then maps between two convs that are larger: the sum of all
     * bytes stops at the largest number */
    model = support_load_ok("{'input': {'channels': 4}, 'bins': [1], 'branch': []}");
    const struct ppm_shape largest = {(1u << 20) - 1, 4, 1u << 19, 1u << 19};
    const struct ppm_costs costs_largest = costs_ok(model, largest);
    cr_expect(costs_largest.working_bytes > costs_largest.output_bytes);
    ppm_model_free(model);
    model = support_load_ok("{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'weights': "
                            "{'random': 1}, 'head': [{'conv': {'channels': 99, 'kernel': 3, "
                            "'weights': 'a'}}, {'conv': {'channels': 1, 'kernel': 3}}]}");
    cr_expect(costs_ok(model, largest).scratch_bytes == SIZE_MAX);
    cr_expect(costs_ok(model, largest).working_bytes == SIZE_MAX);
    ppm_model_free(model);
}

/* Neither graph computes a map of which only the size is needed. */
Test(costs, of_a_size_are_none)
{
    struct ppm_model *model = support_load_ok(
        "{'input': {'channels': 8}, 'weights': {'random': 1}, 'network': [{'conv': {'channels': "
        "64, 'kernel': 3}, 'name': 'a'}, {'resize': {'like': 'a'}, 'from': 'x'}]}");
    const struct ppm_costs costs = costs_ok(model, (struct ppm_shape){2, 8, 20, 20});
    cr_expect(costs.flops_literal == 0 && costs.flops_folded == 0);
    cr_expect(costs.output.h == 18 && costs.output.w == 18);
    ppm_model_free(model);
}

Test(costs, what_a_model_knows_of_itself)
{
    struct ppm_model *model = support_load_ok(
        "{'name': 'm', 'input': {'channels': 3, 'layout': 'NHWC'}, 'bins': [1, 2],"
        " 'branches': [[], [{'conv': {'channels': 5, 'bias': false}}, 'batch_norm', 'relu']],"
        " 'head': [{'batch_norm': {'scale': false}}, 'prelu', {'conv': {'channels': 2, 'kernel': "
        "3}},"
        " 'softmax'], 'output': {'as': 'argmax'}, 'weights': {'random': 1}}");
    struct ppm_model_info info;
    ppm_model_info(model, &info);
    cr_expect_str_eq(info.name, "m");
    cr_expect(strstr(info.config_json, "\"bins\":[1,2]") != NULL, "%s", info.config_json);
    cr_expect(info.inputs[0].channels == 3 && info.output_channels == 1 && info.layout == PPM_NHWC);
    cr_expect(info.output_dtype == PPM_INT32);
    const struct {
        const char *where, *what;
        uint64_t parameters, flops;
    } layers[] = {
        {"branch 1 (bin 2)", "conv 1x1 3 -> 5, no bias, batch_norm folded", 15 + 4 * 5,
         2 * 3 * 5 * 4},
        {"branch 1 (bin 2)", "relu", 0, 0},
        {"head", "batch_norm 11", 3 * 11, 0},
        {"head", "prelu", 11, 0},
        {"head", "conv 3x3 11 -> 2", 11 * 2 * 9 + 2, 2 * 11 * 2 * 9 * 35},
        {"head", "softmax", 0, 0},
    };
    const struct ppm_shape shape = {1, 3, 5, 7};
    uint64_t parameters = 0, flops = 0;
    cr_assert(info.layer_count == COUNT(layers), "found %zu layers", info.layer_count);
    struct ppm_layer_info found[COUNT(layers)], unsized[COUNT(layers)];
    struct ppm_error error = {0};
    cr_assert(ppm_model_layers(model, SIZES_OF(shape), found, &error) == PPM_OK, "%s", error.text);
    cr_assert(ppm_model_layers(model, NULL, unsized, &error) == PPM_OK, "%s", error.text);
    for (size_t i = 0; i < COUNT(layers); i++) {
        const struct ppm_layer_info layer = found[i];
        cr_expect_str_eq(layer.where, layers[i].where);
        cr_expect_str_eq(layer.what, layers[i].what);
        cr_expect(layer.parameters == layers[i].parameters, "%s: %llu parameters", layer.what,
                  (unsigned long long)layer.parameters);
        cr_expect(layer.flops == layers[i].flops, "%s: %llu FLOPs", layer.what,
                  (unsigned long long)layer.flops);
        parameters += layer.parameters;
        flops += layer.flops;
        cr_expect(unsized[i].flops == 0 && unsized[i].shape.h == 0);
    }
    cr_expect(info.parameters == parameters && costs_ok(model, shape).flops_literal == flops);
    cr_expect(info.parameters_bytes >= 4 * (15 + 11 + 198));

    cr_expect(ppm_model_layers(model, SIZES(1, 4, 5, 7), found, &error) == PPM_UNFIT);
    ppm_model_free(model);
}

/* How the last layer of a model is computed for these sizes, as its description says. */
static bool is_by_winograd(const char *text, const struct ppm_sizes *sizes)
{
    struct ppm_error error = {0};
    struct ppm_model_info info;
    struct ppm_layer_info layers[4];
    struct ppm_model *model = support_load_ok(text);
    ppm_model_info(model, &info);
    cr_assert(info.layer_count <= COUNT(layers));
    cr_assert(ppm_model_layers(model, sizes, layers, &error) == PPM_OK);
    ppm_model_free(model);
    return strstr(layers[info.layer_count - 1].what, ", Winograd F(4x4, 3x3)") != NULL;
}

Test(costs, the_form_of_a_3x3_conv_is_described)
{
#define MODEL(channels, options)                                                                   \
    "{'input': {'channels': 30}, 'bins': [1, 2], 'branch': [], 'head': [{'conv': {'channels': "    \
    "" channels ", 'kernel': 3}}], " options "'weights': {'random': 7}}"
    const struct ppm_sizes *large = SIZES(1, 30, 21, 26), *small = SIZES(1, 30, 4, 9);
    cr_expect(is_by_winograd(MODEL("64", ""), large));
    cr_expect(!is_by_winograd(MODEL("64", ""), NULL), "no shape, no plan");
    cr_expect(!is_by_winograd(MODEL("64", ""), small), "too few tiles");
    cr_expect(!is_by_winograd(MODEL("5", ""), large), "too few channels");
    cr_expect(!is_by_winograd(MODEL("64", "'exact': true, "), large));
}
