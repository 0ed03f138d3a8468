/* test_graph_accepted.c - networks that are accepted: their nodes, options and defaults. */
#include "core/model/spec.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(graph_accepted, .init = support_open_folder, .fini = support_close_folder);

static struct spec read_ok(const char *json)
{
    struct ppm_error error = {0};
    struct spec spec;
    cr_assert(spec_read(support_write_json("net.json", json), &spec, &error) == PPM_OK, "%s: %s",
              json, error.text);
    return spec;
}

/* A network over x [N, 4, H, W]. */
#define NETWORK(entries) "{'input': {'channels': 4}, 'network': [" entries "]}"

Test(graph_accepted, what_is_left_out_has_a_default)
{
    struct spec spec =
        read_ok(NETWORK("'conv', 'batch_norm', 'relu', {'max_pool': {'window': [3, 2]}}"));
    const struct graph *graph = &spec.graph;
    cr_assert(graph->count == 5 && graph->input_count == 1 && graph->output == 4);
    cr_expect_str_eq(graph->nodes[0].name, "x");
    cr_expect(graph->nodes[0].layer.kind == LAYER_INPUT);
    for (size_t i = 1; i < 5; i++)
        cr_expect(graph->nodes[i].read_count == 1 && graph->nodes[i].reads[0] == i - 1 &&
                      graph->nodes[i].reader_count == 1 && graph->nodes[i].entry == i - 1,
                  "node %zu", i);
    const struct layer *conv = &graph->nodes[1].layer, *norm = &graph->nodes[2].layer;
    const struct layer *pool = &graph->nodes[4].layer;
    cr_expect(conv->out_channels == 4 && conv->has_bias && conv->groups == 1);
    cr_expect(conv_taps(conv) == 1 && conv->window.stride[1] == 1 && conv->window.before[0] == 0);
    cr_expect_str_eq(conv->weights_name, "network.0.conv");
    cr_expect_str_eq(norm->weights_name, "network.1.batch_norm");
    cr_expect(norm->eps == 1e-5 && norm->has_scale && norm->has_center);
    cr_expect(pool->window.size[0] == 3 && pool->window.stride[0] == 3 &&
              pool->window.size[1] == 2 && pool->window.stride[1] == 2 && !pool->window.is_ceil);
    cr_expect(graph_folded_into(graph, 2) == 1 && graph_folded_into(graph, 3) == 3);
    cr_expect(spec.output.channels == 4 && spec.layout == PPM_NCHW && *graph->unused == '\0');
    spec_release(&spec);
}

static const struct layer *layer_of(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->graph.count; i++)
        if (strcmp(spec->graph.nodes[i].name, name) == 0)
            return &spec->graph.nodes[i].layer;
    cr_assert(false, "no node is named %s", name);
    return NULL;
}

static bool is_pair(const size_t pair[WINDOW_AXES], size_t h, size_t w)
{
    return pair[0] == h && pair[1] == w;
}

Test(graph_accepted, convs_with_everything)
{
    struct spec spec = read_ok(
        NETWORK("{'conv': {'channels': 8, 'kernel': [11, 1], 'stride': [1, 64], 'padding': [4096,"
                " 0], 'dilation': [2, 256], 'groups': 4, 'bias': false, 'weights': 'w'},"
                " 'name': 'a'}, {'conv': {'kernel': 3, 'stride': 2, 'padding': [0, 1, 2, 3],"
                " 'dilation': 3, 'groups': 8}, 'name': 'b'}, {'conv': {'kernel': 5, 'padding':"
                " 'same'}, 'name': 'c'}, {'conv': {'kernel': 3, 'padding': 1}, 'name': 'd'}"));
    const struct layer *a = layer_of(&spec, "a"), *b = layer_of(&spec, "b");
    const struct layer *c = layer_of(&spec, "c"), *d = layer_of(&spec, "d");
    cr_expect(is_pair(a->window.size, 11, 1) && is_pair(a->window.stride, 1, 64));
    cr_expect(is_pair(a->window.before, 4096, 0) && is_pair(a->window.after, 4096, 0));
    cr_expect(is_pair(a->window.dilation, 2, 256) && a->groups == 4 && !a->has_bias);
    cr_expect(a->in_channels == 4 && a->out_channels == 8);
    cr_expect_str_eq(a->weights_name, "w");
    cr_expect(is_pair(b->window.size, 3, 3) && is_pair(b->window.stride, 2, 2));
    cr_expect(is_pair(b->window.before, 0, 1) && is_pair(b->window.after, 2, 3));
    cr_expect(b->groups == 8 && b->out_channels == 8);
    cr_expect_str_eq(b->weights_name, "b");
    cr_expect(c->window.is_same && is_pair(c->window.before, 0, 0) && !b->window.is_same);
    cr_expect(is_pair(d->window.before, 1, 1) && is_pair(d->window.after, 1, 1));
    spec_release(&spec);
}

Test(graph_accepted, pools_with_everything)
{
    struct spec spec = read_ok(NETWORK(
        "{'max_pool': {'window': 3, 'stride': [2, 1], 'padding': [1, 2], 'ceil': true},"
        " 'name': 'a'}, {'avg_pool': {'window': [5, 7]}, 'name': 'b'}, {'avg_pool': {'window': 2,"
        " 'stride': 1, 'padding': 1, 'count_padding': false}, 'name': 'c'}, {'avg_pool': {"
        "'window': 3, 'padding': 'same'}, 'name': 'd'}, {'avg_pool': {'window': 3, 'padding':"
        " 'same', 'count_padding': true}, 'name': 'e'}, {'adaptive_avg_pool': {'bins': 1},"
        " 'name': 'f'}, {'adaptive_avg_pool': {'bins': [4096, 2]}, 'name': 'g'}"));
    const struct layer *a = layer_of(&spec, "a"), *b = layer_of(&spec, "b");
    cr_expect(is_pair(a->window.size, 3, 3) && is_pair(a->window.stride, 2, 1));
    cr_expect(is_pair(a->window.before, 1, 2) && is_pair(a->window.after, 1, 2));
    cr_expect(a->window.is_ceil && is_pair(a->window.dilation, 1, 1));
    cr_expect(is_pair(b->window.stride, 5, 7) && b->counts_padding && !b->window.is_ceil);
    cr_expect(!layer_of(&spec, "c")->counts_padding && !layer_of(&spec, "d")->counts_padding);
    cr_expect(layer_of(&spec, "d")->window.is_same && layer_of(&spec, "e")->counts_padding);
    cr_expect(is_pair(layer_of(&spec, "f")->grid, 1, 1));
    cr_expect(is_pair(layer_of(&spec, "g")->grid, 4096, 2));
    spec_release(&spec);
}

Test(graph_accepted, resizes)
{
    struct spec spec = read_ok(NETWORK(
        "{'resize': {'scale': 256}, 'name': 'a'}, {'resize': {'size': [65536, 1], 'mode':"
        " 'nearest'}, 'name': 'b'}, {'resize': {'like': 'x', 'mode': 'half_pixel'}, 'name': 'c'},"
        " {'resize': {'like': 'a', 'mode': 'asymmetric'}, 'name': 'd'}"));
    const struct layer *a = layer_of(&spec, "a"), *b = layer_of(&spec, "b");
    const struct layer *c = layer_of(&spec, "c"), *d = layer_of(&spec, "d");
    cr_expect(a->target == RESIZE_BY && a->times == 256 && a->mode == RESIZE_ALIGN_CORNERS);
    cr_expect(b->target == RESIZE_TO && is_pair(b->extent, 65536, 1));
    cr_expect(b->mode == RESIZE_NEAREST && c->mode == RESIZE_HALF_PIXEL);
    cr_expect(c->target == RESIZE_LIKE && c->like == 0 && d->like == 1);
    cr_expect(d->mode == RESIZE_ASYMMETRIC && spec.graph.nodes[1].reader_count == 1);
    spec_release(&spec);
}

Test(graph_accepted, norms_activations_and_channels)
{
    struct spec spec = read_ok(NETWORK(
        "{'group_norm': {'groups': 2, 'eps': 0.1, 'scale': false}, 'name': 'a'}, {'layer_norm':"
        " {'eps': 1e-6, 'center': false, 'weights': 'w'}, 'name': 'b'}, {'affine': {'scale': -1,"
        " 'shift': 1}, 'name': 'c'}, {'affine': {}, 'name': 'd'}, {'slice': {'channels': [1, 3]},"
        " 'name': 'e'}, {'leaky_relu': {'slope': 0.5}, 'name': 'f'}, {'softmax': {}},"
        " {'channel_mean': {}, 'name': 'g'}, 'channel_sum', {'prelu': {}, 'name': 'h'}"));
    const struct layer *a = layer_of(&spec, "a"), *b = layer_of(&spec, "b");
    const struct layer *c = layer_of(&spec, "c"), *d = layer_of(&spec, "d");
    cr_expect(a->groups == 2 && a->eps == 0.1 && !a->has_scale && a->has_center);
    cr_expect_str_eq(a->weights_name, "a");
    cr_expect(b->eps == 1e-6 && b->has_scale && !b->has_center);
    cr_expect_str_eq(b->weights_name, "w");
    cr_expect(c->factor == -1 && c->offset == 1 && d->factor == 1 && d->offset == 0);
    cr_expect(layer_of(&spec, "e")->first_channel == 1);
    cr_expect(layer_of(&spec, "e")->out_channels == 2 && layer_of(&spec, "f")->slope == 0.5F);
    cr_expect(layer_of(&spec, "g")->in_channels == 2 && layer_of(&spec, "g")->out_channels == 1);
    cr_expect_str_eq(layer_of(&spec, "h")->weights_name, "h");
    cr_expect(spec.output.channels == 1);
    spec_release(&spec);
}

Test(graph_accepted, sums_products_and_concats)
{
    struct spec spec = read_ok(NETWORK(
        "{'conv': {'channels': 6}, 'name': 'a'}, {'channel_sum': {}, 'name': 'one'}, {'mul':"
        " ['one', 'a'], 'name': 'b'}, {'add': ['a', 'b', 'one', 'a'], 'name': 'c'}, {'concat':"
        " ['x', 'c', 'x'], 'name': 'd'}, {'softmax': {}, 'from': ['d']}"));
    const struct node *nodes = spec.graph.nodes;
    cr_expect(nodes[3].layer.in_channels == 1 && nodes[3].layer.out_channels == 6);
    cr_expect(nodes[4].read_count == 4 && nodes[4].reads[1] == 3 && nodes[4].reads[3] == 1);
    cr_expect(nodes[4].layer.out_channels == 6 && nodes[1].reader_count == 4);
    cr_expect(nodes[5].layer.out_channels == 14 && nodes[0].reader_count == 3);
    cr_expect(spec.output.channels == 14);
    spec_release(&spec);
}

Test(graph_accepted, several_inputs_in_their_order)
{
    struct spec spec = read_ok(
        "{'inputs': {'c5': {'channels': 8, 'layout': 'NHWC'}, 'c2': {'channels': 3, 'layout':"
        " 'NHWC'}}, 'network': [{'resize': {'like': 'c2'}, 'from': 'c5', 'name': 'top'},"
        " {'concat': ['c2', 'top']}], 'warm_up': [{'c2': [6, 7, 3], 'c5': [1, 2, 4, 8]}]}");
    const struct graph *graph = &spec.graph;
    cr_assert(graph->input_count == 2 && graph->count == 4);
    cr_expect_str_eq(graph->nodes[0].name, "c5");
    cr_expect_str_eq(graph->nodes[1].name, "c2");
    cr_expect(graph->nodes[1].layer.kind == LAYER_INPUT && graph->nodes[1].entry == 1);
    cr_expect(graph->nodes[2].reads[0] == 0 && graph->nodes[2].layer.like == 1);
    cr_expect(spec.output.channels == 11 && spec.channels == 8 && spec.layout == PPM_NHWC);
    const struct ppm_sizes *sizes = &spec.warm_up[0];
    cr_expect(spec.warm_up_count == 1 && sizes->count == 2 && sizes->output_h == 0);
    cr_expect(sizes->inputs[0].c == 8 && sizes->inputs[0].h == 2 && sizes->inputs[0].w == 4);
    cr_expect(sizes->inputs[1].c == 3 && sizes->inputs[1].h == 6 && sizes->inputs[1].w == 7);
    spec_release(&spec);
}

/* A single input with a name has its shape alone, or as several would. */
Test(graph_accepted, a_warm_up_of_one_input)
{
    struct spec spec = read_ok("{'inputs': {'a': {'channels': 4}}, 'network': ['relu'], 'warm_up': "
                               "[[2, 4, 5, 6], {'a': [2, 4, 5, 6]}]}");
    cr_expect(spec.warm_up_count == 2 && spec.warm_up[0].inputs[0].w == 6);
    cr_expect(memcmp(&spec.warm_up[0], &spec.warm_up[1], sizeof spec.warm_up[0]) == 0);
    spec_release(&spec);
}

/* What nothing reads is left out, and said. */
Test(graph_accepted, unused_entries)
{
    struct spec spec = read_ok(NETWORK(
        "{'relu': {}, 'name': 'a'}, 'conv', {'pyramid': {'bins': [1], 'branch': [], 'sum': true}},"
        " {'elu': {}, 'from': 'a', 'name': 'b'}, 'tanh', {'resize': {'like': 'b'}, 'from': 'a'}"));
    const struct graph *graph = &spec.graph;
    cr_expect_str_eq(graph->unused, "network[1], network[2], network[4]");
    cr_assert(graph->count == 4);
    cr_expect(graph->nodes[2].reader_count == 0, "only its size is needed");
    cr_expect(!graph->nodes[2].is_computed && graph->nodes[1].is_computed &&
              graph->nodes[3].is_computed);
    cr_expect(graph->nodes[3].layer.like == 2 && graph->nodes[3].reads[0] == 1);
    cr_expect(graph->output == 3 && graph->nodes[3].entry == 5);
    spec_release(&spec);

    char json[2000] = "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': ["
                      "{'relu': {}, 'from': 'a'}";
    for (size_t i = 0; i < 40; i++)
        strcat(json, ", 'relu'");
    strcat(json, ", {'relu': {}, 'from': 'b'}]}");
    spec = read_ok(json);
    cr_expect(spec.graph.count == 3 && spec.graph.input_count == 2);
    const char *text = spec.graph.unused;
    cr_expect(strncmp(text, "inputs.a, network[0], network[1], ", 34) == 0, "%s", text);
    size_t named = 1;
    for (const char *c = text; *c; c++)
        named += *c == ',';
    cr_expect_str_eq(strstr(text, " and ") + 5, named == 13 ? "29 more" : "?", "%s", text);
    spec_release(&spec);
}
