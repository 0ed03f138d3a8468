/* test_section.c - sections by the engine against the literal graph: networks of a few entries,
 * whose sections are each run on the maps that the literal graph has there. */
#include "core/base/memory.h"
#include "core/engine/section.h"
#include "core/model/bfloat16.h"
#include "core/model/model.h"
#include "core/plan/choice.h"
#include "core/reference/reference_graph.h"
#include "core/shape/shapes.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(section, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

enum { NODES = 64, THREADS_MAX = 3 };

/* A network, its shapes, and the literal graph's maps. */
struct network {
    struct ppm_model *model;
    struct ppm_shape shapes[NODES];
    struct map maps[NODES]; /* NCHW; of the values */
    float *owned[NODES];
    const float *inputs[NODES];
    size_t sections; /* checked */
};

static atomic_bool is_abandoned;
static const struct run run_3 = {.threads = THREADS_MAX, .is_abandoned = &is_abandoned};

/* The entries as JSON, after an input of some channels. */
static struct ppm_model *load(size_t channels, const char *entries, const char *more)
{
    struct ppm_error error = {0};
    char text[4096];
    snprintf(text, sizeof text,
             "{'inputs': {'x': {'channels': %zu}}, 'network': [%s], 'weights': {'random': 7}%s}",
             channels, entries, more);
    const char *path = support_write_json("network.json", text);
    struct ppm_model *model = model_create(path, &error);
    cr_assert(model != NULL);
    spec_read(path, &model->spec, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    model_read_weights(model, path, NULL, &error);
    cr_assert_eq(error.status, PPM_OK, "%s: %s", entries, error.text);
    if (model->spec.compute == COMPUTE_BFLOAT16)
        cr_assert_eq(bfloat16_narrow(model, NULL, &error), PPM_OK);
    return model;
}

/* The map of each value by the literal graph; some values of x are not finite, in its last map. */
static void compute_maps(struct network *network, struct ppm_shape shape, bool is_finite)
{
    struct graph graph = network->model->spec.graph;
    struct ppm_error error = {0};
    const struct ppm_sizes sizes = {.inputs = {shape}, .count = 1};
    struct ppm_tensor x = support_tensor(shape, PPM_NCHW, NULL);
    cr_assert(graph.count <= NODES);
    shapes_of(&graph, &sizes, network->shapes, &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    if (!is_finite) {
        float *last = (float *)x.data + (shape.n - 1) * shape.c * shape.h * shape.w;
        last[shape.h * shape.w / 2] = NAN;
        last[shape.c * shape.h * shape.w - 1] = INFINITY;
    }
    network->inputs[0] = network->owned[0] = x.data;
    for (size_t i = 0; i < graph.count; i++) {
        const float *values = x.data;
        struct ppm_stage_times times = {0};
        if (!network->model->program.is_stored[i])
            continue;
        graph.output = i;
        if (i > 0)
            reference_graph_run(&graph, network->shapes, network->inputs, &run_3, &values,
                                &network->owned[i], &times, &error);
        cr_assert_eq(error.status, PPM_OK, "%s", error.text);
        const struct ppm_shape s = network->shapes[i];
        network->maps[i] =
            (struct map){.data = (float *)values, .channels = s.c, .h = s.h, .w = s.w};
    }
}

static void release(struct network *network)
{
    for (size_t i = 0; i < NODES; i++)
        free(network->owned[i]);
    ppm_model_free(network->model);
}

/* A section's plan, in one block of memory. */
struct planned {
    struct section_plan plan;
    struct pyramid_plan pyramid;
    void *tables;
};

static void plan_section(const struct network *network, const struct step *step,
                         struct planned *ret)
{
    struct ppm_error error = {0};
    struct geometry geometry;
    struct map_size values[NODES];
    for (size_t i = 0; i < NODES; i++)
        values[i] = (struct map_size){network->shapes[i].h, network->shapes[i].w};
    const struct section *section = &step->section;
    if (section->pyramid)
        geometry_of_pyramid(section->pyramid, network->shapes[section->pyramid_value], &geometry,
                            &error);
    cr_assert_eq(error.status, PPM_OK, "%s", error.text);
    const struct section_sizes sizes = {.in = values[step->node],
                                        .out = values[step->value],
                                        .values = values,
                                        .pyramid = &geometry};
    struct room counted = {0}, room = {0};
    section_plan_begin(&ret->plan, &ret->pyramid, section, &sizes, network->model->simd,
                       network->model->spec.is_exact);
    section_plan_place(&ret->plan, &counted);
    room.base = ret->tables = core_allocate(counted.bytes, &error);
    section_plan_place(&ret->plan, &room);
    section_plan_fill(&ret->plan, &run_3);
}

static float *turn(const struct map *map, size_t n, enum ppm_layout from)
{
    const struct ppm_shape shape = {n, map->channels, map->h, map->w};
    struct ppm_tensor tensor = {.shape = shape, .layout = from, .is_batch = true};
    tensor.data = map->data;
    return support_other_layout(&tensor).data;
}

/* Runs it on values in a layout; the result as NCHW, which the caller frees. */
static float *run_section(const struct network *network, const struct step *step,
                          enum ppm_layout layout, int threads)
{
    struct planned planned;
    const size_t n = network->shapes[0].n;
    const struct ppm_shape out = network->shapes[step->value];
    const size_t count = n * out.c * out.h * out.w;
    struct ppm_error error = {0};
    atomic_bool is_finite[8];
    struct team_share shares[THREADS_MAX] = {0};
    struct map maps[NODES];
    memcpy(maps, network->maps, sizeof maps);
    cr_assert(n <= COUNT(is_finite));
    for (size_t i = 0; i < n; i++)
        atomic_init(&is_finite[i], true);
    float *ret = core_allocate(count * sizeof *ret, &error), *turned = NULL;
    memset(ret, 0x7f, count * sizeof *ret);
    plan_section(network, step, &planned);
    if (layout == PPM_NHWC) { /* as inputs and outputs of models may be */
        maps[0].data = turned = turn(&maps[0], n, PPM_NCHW);
        maps[0].layout = layout;
    }
    struct section_run of = {
        .plan = &planned.plan,
        .run = &run_3,
        .n = n,
        .threads = threads,
        .shares = shares,
        .values = maps,
        .ret = {.data = ret, .channels = out.c, .h = out.h, .w = out.w, .layout = layout},
        .is_finite = is_finite};
    void *scratch = core_allocate(section_scratch_bytes(&of), &error);
#pragma omp parallel num_threads(threads)
    {
        const unsigned before = network->model->simd->begin();
        section_run(&of, scratch);
        network->model->simd->end(before);
    }
    if (layout == PPM_NHWC) {
        float *back = turn(&of.ret, n, PPM_NHWC);
        free(ret);
        ret = back;
    }
    free(turned);
    free(scratch);
    free(planned.tables);
    return ret;
}

/* The largest difference, relative to the largest value; not finite: as it must be. */
static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0, largest = 1;
    for (size_t i = 0; i < count; i++) {
        if (isfinite(b[i]))
            largest = fmax(largest, fabs((double)b[i]));
        if (isfinite(a[i]) && isfinite(b[i]))
            worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        else if (isnan(a[i]) != isnan(b[i]) || (!isnan(a[i]) && a[i] != b[i]))
            return INFINITY;
    }
    return worst / largest;
}

static void check_section(struct network *network, const struct step *step, double tolerance,
                          const char *text)
{
    const struct ppm_shape out = network->shapes[step->value];
    const struct map *expected = &network->maps[step->value];
    const size_t count = out.n * out.c * out.h * out.w;
    float *alone = run_section(network, step, PPM_NCHW, 1);
    const double off = difference(alone, expected->data, count);
    cr_expect(off <= tolerance, "value %zu, off by %g on %zu x %zu x %zu x %zu: %s", step->value,
              off, out.n, out.c, out.h, out.w, text);
    for (int threads = 2; threads <= THREADS_MAX; threads++) {
        float *shared = run_section(network, step, PPM_NCHW, threads);
        cr_expect(memcmp(alone, shared, count * sizeof *alone) == 0,
                  "value %zu depends on the threads: %s", step->value, text);
        free(shared);
    }
    float *turned = run_section(network, step, PPM_NHWC, 2);
    const double off_turned = difference(turned, expected->data, count);
    cr_expect(off_turned <= tolerance, "value %zu, NHWC off by %g: %s", step->value, off_turned,
              text);
    free(turned);
    free(alone);
    network->sections++;
}

static void check(size_t channels, const char *entries, const char *more, double tolerance)
{
    static const struct ppm_shape sizes[] = {{1, 0, 17, 23}, {3, 0, 8, 8}, {2, 0, 41, 13}};
    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
        struct network network = {.model = load(channels, entries, more)};
        struct ppm_shape shape = sizes[i / 2];
        shape.c = channels;
        compute_maps(&network, shape, i % 2 == 0);
        for (size_t k = 0; k < network.model->program.count; k++)
            if (network.model->program.steps[k].is_section)
                check_section(&network, &network.model->program.steps[k], tolerance, entries);
        cr_expect(network.sections > 0, "no section: %s", entries);
        release(&network);
    }
}

/* The same by every kernel set, and with bfloat16 where there is any. */
static void check_everywhere(size_t channels, const char *entries)
{
    static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
    struct ppm_error error = {0};
    for (size_t i = 0; i < COUNT(names); i++, error = (struct ppm_error){0})
        if (ppm_isa_select(names[i], &error) == PPM_OK)
            check(channels, entries, "", 2e-5);
    cr_assert_eq(ppm_isa_select(NULL, &error), PPM_OK);
    if (bfloat16_require("", simd_select(NULL), &error) == PPM_OK)
        check(channels, entries, ", 'compute': 'bfloat16'", 2e-2);
}

Test(section, pointwise_convs_with_strides)
{
    check_everywhere(5, "{'conv': {'channels': 7, 'stride': 2}}, 'relu'");
    check_everywhere(40, "{'conv': {'channels': 29, 'stride': [1, 3]}}, {'batch_norm': {}}, "
                         "'sigmoid', {'conv': {'channels': 3}}");
    check_everywhere(3, "{'conv': {'channels': 4, 'padding': [0, 1, 2, 0]}}");
}

Test(section, windows)
{
    check_everywhere(3,
                     "{'conv': {'channels': 20, 'kernel': 7, 'stride': 2, 'padding': 3}}, 'relu'");
    check_everywhere(3,
                     "{'conv': {'channels': 20, 'kernel': 3, 'stride': 2, 'padding': 1}}, 'relu'");
    check_everywhere(4, "{'conv': {'channels': 5, 'kernel': [1, 5], 'padding': 'same'}}");
    check_everywhere(9, "{'conv': {'channels': 33, 'kernel': [5, 2], 'stride': [1, 2], "
                        "'dilation': [2, 3], 'padding': [4, 0, 1, 2]}}, 'hardswish'");
    check_everywhere(2, "{'conv': {'channels': 3, 'kernel': 11, 'padding': 'same', 'stride': 3}}");
    check_everywhere(1, "{'conv': {'channels': 2, 'kernel': 4, 'padding': 5}}");
}

Test(section, winograd_and_its_dilations)
{
    check_everywhere(29, "{'conv': {'channels': 40, 'kernel': 3, 'padding': 1}}, 'relu'");
    check_everywhere(24, "{'conv': {'channels': 31, 'kernel': 3, 'padding': 2, 'dilation': 2}}");
    check_everywhere(30, "{'conv': {'channels': 24, 'kernel': 3, 'padding': 'same', 'dilation': "
                         "[3, 1]}}, 'relu6', {'conv': {'channels': 4}}");
    check_everywhere(25, "{'conv': {'channels': 25, 'kernel': 3, 'padding': 12, 'dilation': 12}}");
}

/* An entry named a, then a conv or more that make as many channels, b, and their sum. */
static void check_residual(size_t channels, const char *a, const char *b, const char *after)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{'conv': {%s}, 'name': 'a'}, %s, 'name': 'b'}, {'add': ['a', 'b']}%s", a, b, after);
    check_everywhere(channels, text);
}

Test(section, residuals)
{
    static const char *const convs[] = {
        "{'conv': {'channels': 26}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 2, 'dilation': 2}",
        "{'conv': {'channels': 26, 'kernel': 5, 'padding': 2}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1, 'groups': 26}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1, 'groups': 2}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1}}, 'relu', {'conv': {'channels': 26}",
    };
    static const char *const afters[] = {"", ", 'relu'", ", 'sigmoid'"};
    for (size_t i = 0; i < COUNT(convs); i++)
        check_residual(30, "'channels': 26", convs[i], afters[i % COUNT(afters)]);
}

/* After the conv, before the sum: a clamp, which a conv includes, or another activation. */
Test(section, residuals_of_activations)
{
    static const char *const convs[] = {
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1}}, {'relu': {}",
        "{'conv': {'channels': 26, 'kernel': 5, 'padding': 2}}, {'tanh': {}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1, 'groups': 26}}, {'relu': {}",
        "{'conv': {'channels': 26, 'kernel': 3, 'padding': 1, 'groups': 2}}, {'tanh': {}",
    };
    static const char *const afters[] = {"", ", 'relu'", ", 'tanh'"};
    for (size_t i = 0; i < COUNT(convs); i++)
        check_residual(30, "'channels': 26", convs[i], afters[i % COUNT(afters)]);
}

Test(section, stretched_parts)
{
    check_everywhere(
        28, "{'avg_pool': {'window': 2, 'ceil': true}, 'name': 'half'}, {'resize': {'mode': "
            "'half_pixel', 'like': 'x'}, 'name': 'up'}, {'adaptive_avg_pool': {'bins': [3, 5]}, "
            "'from': 'half'}, {'resize': {'mode': 'align_corners', 'like': 'x'}, 'name': 'grid'}, "
            "{'concat': ['up', 'x', 'grid']}, {'conv': {'channels': 25, 'kernel': 3, 'padding': "
            "1}}, 'relu'");
    check_everywhere(3, "{'avg_pool': {'window': 2, 'ceil': true}, 'name': 'half'}, {'resize': "
                        "{'mode': 'nearest', 'like': 'x'}}, {'conv': {'channels': 5}}, 'relu'");
    check_everywhere(3, "{'resize': {'size': [5, 90], 'mode': 'half_pixel'}}, {'conv': "
                        "{'channels': 5, 'kernel': 5, 'padding': 2, 'stride': 2}}");
    check_everywhere(3, "{'resize': {'scale': 1.7, 'mode': 'half_pixel'}}, {'conv': {'channels': "
                        "4}}, 'relu', {'conv': {'channels': 30}}");
}

#define PYRAMID(more)                                                                              \
    "{'pyramid': {'bins': [1, 2, 3, 6], 'branch': [{'conv': {'channels': 24}}, 'relu']" more "}}"

Test(section, pyramids)
{
    check_everywhere(26, PYRAMID("") ", {'conv': {'channels': 33, 'kernel': 3, 'padding': 1}}, "
                                     "'relu', {'conv': {'channels': 3}}");
    check_everywhere(26, PYRAMID(", 'concat': 'branches'") ", {'conv': {'channels': 33}}, 'relu'");
    check_everywhere(5, PYRAMID(", 'upsample': 'half_pixel'") ", {'conv': {'channels': 9}}");
    check_everywhere(26, PYRAMID("") ", {'conv': {'channels': 9, 'stride': 2}}, 'relu'");
    check_everywhere(26, PYRAMID("") ", {'conv': {'channels': 25, 'kernel': 3, 'padding': 2, "
                                     "'dilation': 2}}");
    check_everywhere(26, PYRAMID(""));
    check_everywhere(30, "{'slice': {'channels': [3, 29]}}, {'conv': {'channels': 25, 'kernel': 3, "
                         "'padding': 1}}");
    check_everywhere(30, "{'slice': {'channels': [3, 29]}, 'name': 'a'}, {'concat': ['a', 'x']}, "
                         "{'conv': {'channels': 25}}");
}

Test(section, depthwise)
{
    check_everywhere(19, "{'conv': {'channels': 19, 'kernel': 3, 'padding': 1, 'groups': 19}}, "
                         "'relu6', {'conv': {'channels': 6}}");
    check_everywhere(6, "{'conv': {'channels': 12, 'kernel': [5, 3], 'stride': 2, 'padding': "
                        "'same', 'groups': 6}}, 'sigmoid'");
    check_everywhere(3, "{'conv': {'channels': 3, 'kernel': 3, 'dilation': 4, 'padding': [1, 4, 7, "
                        "0], 'groups': 3}}");
}

Test(section, grouped)
{
    check_everywhere(12, "{'conv': {'channels': 20, 'kernel': 3, 'padding': 1, 'groups': 4}}, "
                         "'relu'");
    check_everywhere(6, "{'conv': {'channels': 70, 'groups': 2, 'stride': 2}}, 'tanh'");
}
