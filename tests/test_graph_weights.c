/* test_graph_weights.c - the weights of networks: groups, norms, folding. */
#include "core/model/bfloat16.h"
#include "core/model/model.h"
#include "core/model/panels.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TestSuite(graph_weights, .init = support_open_folder, .fini = support_close_folder);

/* A network over x [N, 12, H, W] with random weights. */
static struct ppm_model *load(const char *entries)
{
    char json[1000];
    struct ppm_error error = {0};
    snprintf(json, sizeof json,
             "{'input': {'channels': 12}, 'weights': {'random': 7}, 'network': [%s]}", entries);
    const char *path = support_write_json("net.json", json);
    struct ppm_model *model = model_create(path, &error);
    cr_assert(model != NULL);
    cr_assert(spec_read(path, &model->spec, &error) == PPM_OK, "%s", error.text);
    cr_assert(model_read_weights(model, path, NULL, &error) == PPM_OK, "%s", error.text);
    return model;
}

static const struct layer *layer_at(const struct ppm_model *model, size_t index)
{
    return &model->spec.graph.nodes[index].layer;
}

/* The tensor NAME.weight as the source has it. */
static float *read_tensor(const struct ppm_model *model, const struct layer *conv)
{
    const size_t in = conv->in_channels / conv->groups;
    const size_t shape[] = {conv->out_channels, in, conv->window.size[0], conv->window.size[1]};
    const double bound = sqrt(3 / (double)(in * conv_taps(conv)));
    struct ppm_error error = {0};
    float *ret = malloc(conv->out_channels * in * conv_taps(conv) * sizeof *ret);
    struct weights_source *source = weights_open(&model->spec.weights, NULL, &error);
    cr_assert(ret != NULL && source != NULL);
    cr_assert(weights_read(source, conv->weights_name, ".weight", shape, 4,
                           (struct weights_range){-bound, bound}, ret, &error) == PPM_OK);
    weights_close(source);
    return ret;
}

static void check_rows(const char *what, const struct layer *conv, const float *weights,
                       double tolerance)
{
    const size_t in = conv->in_channels / conv->groups, taps = conv_taps(conv);
    for (size_t o = 0; o < conv->out_channels; o++)
        for (size_t tap = 0; tap < taps; tap++) {
            size_t rows;
            const float *words = conv_row(conv, o, 0, tap, &rows);
            for (size_t i = 0; i < in; i++) {
                const float found = conv_weight(conv, words, rows, i);
                const float expected = weights[(o * in + i) * taps + tap];
                cr_assert(fabsf(found - expected) <= (float)tolerance * fabsf(expected),
                          "%s: found %g at [%zu][%zu] tap %zu, expected %g", what, (double)found, o,
                          i, tap, (double)expected);
            }
        }
}

/* 12 channels in groups of 12, 4 and 3; more outputs than a panel has rows. */
static const char *const grouped[] = {
    "{'conv': {'channels': 40, 'kernel': [3, 2]}}",
    "{'conv': {'channels': 80, 'kernel': 3, 'groups': 2}}",
    "{'conv': {'channels': 60, 'kernel': [1, 5], 'groups': 4}}",
    "{'conv': {'channels': 12, 'kernel': 3, 'groups': 12}}",
    "{'conv': {'channels': 36, 'kernel': [2, 3], 'groups': 12}}",
};

Test(graph_weights, each_output_channel_has_the_weights_of_its_group)
{
    for (size_t i = 0; i < COUNT(grouped); i++) {
        struct ppm_model *model = load(grouped[i]);
        const struct layer *conv = layer_at(model, 1);
        float *weights = read_tensor(model, conv);
        check_rows(grouped[i], conv, weights, 0);
        const size_t in = conv->in_channels / conv->groups;
        cr_expect(model->parameters == conv->out_channels * (in * conv_taps(conv) + 1));
        cr_expect(conv_bytes(conv) == conv->out_channels * in * conv_taps(conv) * sizeof(float));
        cr_expect(model_weights_bytes(model) == conv_bytes(conv) + 24 * conv->out_channels);
        free(weights);
        ppm_model_free(model);
    }
}

Test(graph_weights, narrow_ones_too)
{
    for (size_t i = 0; i < COUNT(grouped); i++) {
        struct ppm_model *model = load(grouped[i]);
        struct ppm_error error = {0};
        float *weights = read_tensor(model, layer_at(model, 1));
        if (!simd_select_bfloat16(model->simd))
            cr_skip_test("no products of bfloat16");
        model->spec.compute = COMPUTE_BFLOAT16;
        cr_assert(bfloat16_narrow(model, NULL, &error) == PPM_OK, "%s", error.text);
        const struct layer *conv = layer_at(model, 1);
        cr_expect(!conv->bfloat16 == conv_is_depthwise(conv), "%s", grouped[i]);
        check_rows(grouped[i], conv, weights, 0x1p-8);
        free(weights);
        ppm_model_free(model);
    }
}

/* y_c = scale[c] * v_c + shift[c] */
Test(graph_weights, norms_and_affine_layers_have_a_scale_and_shift)
{
    struct ppm_model *model =
        load("{'group_norm': {'groups': 3}}, {'layer_norm': {'center': false}},"
             " {'affine': {'scale': -1, 'shift': 2}}, 'relu'");
    const struct layer *group_norm = layer_at(model, 1), *layer_norm = layer_at(model, 2);
    const struct layer *affine = layer_at(model, 3);
    for (size_t c = 0; c < 12; c++) {
        cr_expect(group_norm->scale[c] >= 0.5 && group_norm->scale[c] < 1.5);
        cr_expect(fabs(group_norm->shift[c]) <= 0.5);
        cr_expect(layer_norm->scale[c] >= 0.5 && layer_norm->shift[c] == 0);
        cr_expect(affine->scale[c] == -1 && affine->shift[c] == 2 && affine->shift32[c] == 2);
    }
    cr_expect(model->parameters == 36 && affine->parameters == 0);
    ppm_model_free(model);
}

/* Whatever alone a batch norm reads takes its scale and shift. */
Test(graph_weights, batch_norms_are_folded_into_what_only_they_read)
{
    static const char *const firsts[] = {
        "{'conv': {'channels': 12, 'weights': 'a'}}", "{'batch_norm': {'weights': 'a'}}",
        "{'group_norm': {'groups': 4, 'weights': 'a'}}", "{'layer_norm': {'weights': 'a'}}",
        "{'affine': {'scale': 3, 'shift': 1}}"};
    for (size_t i = 0; i < COUNT(firsts); i++) {
        char entries[400];
        snprintf(entries, sizeof entries, "%s, {'batch_norm': {'weights': 'b'}}", firsts[i]);
        struct ppm_model *folded = load(entries);
        snprintf(entries, sizeof entries, "{'batch_norm': {'weights': 'b'}}, 'relu', %s",
                 firsts[i]);
        struct ppm_model *apart = load(entries);
        const struct layer *into = layer_at(folded, 1), *norm = layer_at(apart, 1);
        const struct layer *first = layer_at(apart, 3);
        cr_expect(into->norms_folded == 1 && !layer_at(folded, 2)->scale, "%s", firsts[i]);
        cr_expect(graph_folded_into(&folded->spec.graph, 2) == 1, "%s", firsts[i]);
        cr_expect(into->parameters == first->parameters + 48, "%s", firsts[i]);
        for (size_t c = 0; c < 12; c++) {
            cr_expect(into->scale[c] == first->scale[c] * norm->scale[c], "%s", firsts[i]);
            cr_expect(into->shift[c] == first->shift[c] * norm->scale[c] + norm->shift[c], "%s",
                      firsts[i]);
        }
        ppm_model_free(folded);
        ppm_model_free(apart);
    }
}

Test(graph_weights, batch_norms_are_not_folded_into_what_others_read)
{
    struct ppm_model *model =
        load("{'conv': {'channels': 12}, 'name': 'a'}, {'batch_norm': {}, 'name': 'b'},"
             " {'add': ['a', 'b']}, 'relu', 'batch_norm', 'batch_norm'");
    const struct graph *graph = &model->spec.graph;
    cr_expect(graph_folded_into(graph, 2) == 2 && layer_at(model, 2)->scale != NULL);
    cr_expect(graph_folded_into(graph, 5) == 5 && graph_folded_into(graph, 6) == 5);
    cr_expect(layer_at(model, 1)->norms_folded == 0 && layer_at(model, 5)->norms_folded == 1);
    ppm_model_free(model);
}
