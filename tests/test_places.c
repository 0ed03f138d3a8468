/* test_places.c - where a plan puts the values of a network: in place of what nothing else reads,
 * and none over another that is still needed. */
#include "core/plan/plan.h"
#include "tests/random_networks.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(places, .init = support_open_folder, .fini = support_close_folder, .timeout = 300);

static struct ppm_plan *outline(const struct ppm_model *model, size_t h, size_t w)
{
    struct ppm_error error = {0};
    struct ppm_model_info info;
    struct geometry geometry;
    ppm_model_info(model, &info);
    struct ppm_sizes sizes = {.count = info.input_count};
    for (size_t i = 0; i < info.input_count; i++)
        sizes.inputs[i] = (struct ppm_shape){1, info.inputs[i].channels, h, w};
    if (geometry_of(&model->spec, &sizes, &geometry, &error) != PPM_OK)
        return NULL;
    struct ppm_plan *plan = plan_outline(model, &geometry, &error);
    cr_assert(plan != NULL, "%s", error.text);
    return plan;
}

static size_t bytes_of(const struct plan *plan, size_t value)
{
    const struct ppm_shape shape = plan->shapes[value];
    return shape.c * shape.h * shape.w * sizeof(float);
}

/* Whether a step has its result in place of what it reads first. */
static bool is_in_place(const struct plan *plan, const struct step *step)
{
    const size_t read = plan->spec->graph.nodes[step->node].reads[0];
    return !step->is_section && plan->places.offsets[step->value] < SIZE_MAX &&
           plan->places.offsets[step->value] == plan->places.offsets[read];
}

static bool overlap(const struct plan *plan, size_t a, size_t b)
{
    const size_t at = plan->places.offsets[a], other = plan->places.offsets[b];
    return at < SIZE_MAX && other < SIZE_MAX && at < other + bytes_of(plan, b) &&
           other < at + bytes_of(plan, a);
}

/* The last step that reads a value; the output stage is one more. */
static size_t last_read(const struct plan *plan, size_t value)
{
    size_t last = 0;
    for (size_t k = 0; k < plan->program->count; k++)
        for (size_t i = 0; i < plan->program->steps[k].read_count; i++)
            if (plan->program->steps[k].reads[i] == value)
                last = k;
    return value == plan->spec->graph.output ? plan->program->count : last;
}

/* A step's result may be neither where it reads, unless it is in place, nor where later steps do.
 */
static void check_places(const struct plan *plan, const char *text)
{
    const struct step *steps = plan->program->steps;
    for (size_t k = 0; k < plan->program->count; k++)
        for (size_t i = 0; i < k; i++) {
            const size_t made = steps[k].value, kept = steps[i].value, last = last_read(plan, kept);
            const bool takes_over = last == k && is_in_place(plan, &steps[k]) &&
                                    plan->spec->graph.nodes[steps[k].node].reads[0] == kept;
            cr_expect(last < k || takes_over || !overlap(plan, made, kept),
                      "value %zu is over value %zu, which step %zu reads: %s", made, kept, last,
                      text);
        }
}

Test(places, none_is_over_another)
{
    static char text[NETWORK_BYTES];
    size_t in_place = 0;
    for (uint64_t seed = 1000; seed < 1200; seed++) {
        random_network(seed, 3 + seed % 40, text);
        struct ppm_model *model = support_load_ok(text);
        struct ppm_plan *plan = outline(model, 32, 28);
        if (plan)
            check_places(&plan->plan, text);
        for (size_t k = 0; plan && k < model->program.count; k++)
            in_place += is_in_place(&plan->plan, &model->program.steps[k]);
        ppm_plan_free(plan);
        ppm_model_free(model);
    }
    cr_expect(in_place > 20, "%zu steps are in place", in_place);
}

/* The arena of a network over 6 channels, in maps of that size; without its answer. */
static double maps_of(const char *entries)
{
    char text[2000];
    snprintf(text, sizeof text,
             "{'inputs': {'x': {'channels': 6}}, 'weights': {'random': 1}, 'network': [%s]}",
             entries);
    struct ppm_model *model = support_load_ok(text);
    struct ppm_plan *plan = outline(model, 32, 16);
    cr_assert(plan != NULL);
    const double maps = (double)plan->plan.places.bytes / (6 * 32 * 16 * sizeof(float));
    ppm_plan_free(plan);
    ppm_model_free(model);
    return maps;
}

Test(places, as_few_maps_as_live_together)
{
    static const struct {
        const char *entries;
        double maps;
    } cases[] = {
        {"'relu'", 0},
        {"'relu', {'max_pool': {'window': 3, 'stride': 1, 'padding': 1}}", 1},
        {"'relu', 'sigmoid', 'tanh', 'elu', 'relu'", 1},
        {"{'relu': {}, 'name': 'a'}, {'sigmoid': {}, 'name': 'b'}, {'add': ['a', 'b']}, 'tanh',"
         " 'channel_sum'",
         2},
        {"{'relu': {}, 'name': 'a'}, {'sigmoid': {}, 'name': 'b'}, {'add': ['a', 'b', 'a']},"
         " 'channel_sum'",
         3},
        {"{'relu': {}, 'name': 'a'}, 'channel_sum', {'mul': ['a', 'x']}, 'elu'", 1},
        {"{'conv': {'channels': 6, 'weights': 'a'}}, {'relu': {}, 'name': 'a'}, {'conv':"
         " {'channels': 6, 'kernel': 3, 'padding': 1, 'weights': 'b'}, 'name': 'b'}, {'add': ['a',"
         " 'b']}, {'conv': {'channels': 6, 'kernel': 3, 'padding': 1, 'weights': 'c'}}",
         2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const double maps = maps_of(cases[i].entries);
        cr_expect_float_eq(maps, cases[i].maps, 1e-9, "found %g maps, expected %g: %s", maps,
                           cases[i].maps, cases[i].entries);
    }
}
