/* test_graph_pyramids.c - pyramids as one node of a graph, or as several. */
#include "core/model/spec.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(graph_pyramids, .init = support_open_folder, .fini = support_close_folder);

/* A pyramid p over x [N, 4, H, W], and a relu that reads it. */
static struct spec read_ok(const char *pyramid)
{
    char json[1000];
    struct ppm_error error = {0};
    struct spec spec;
    snprintf(json, sizeof json,
             "{'input': {'channels': 4}, 'network': ["
             "{'pyramid': {%s}, 'name': 'p'}, {'relu': {}, 'from': 'p'}]}",
             pyramid);
    cr_assert(spec_read(support_write_json("net.json", json), &spec, &error) == PPM_OK, "%s: %s",
              json, error.text);
    return spec;
}

/* Expects nodes as "name(reads)", the input and the relu at the end left out; a name is followed by
 * its channels. */
static void expect_nodes(const char *pyramid, const char *expected)
{
    struct spec spec = read_ok(pyramid);
    const struct graph *graph = &spec.graph;
    char found[1000] = "";
    for (size_t i = 1; i + 1 < graph->count; i++) {
        const struct node *node = &graph->nodes[i];
        size_t at = strlen(found);
        at += (size_t)snprintf(found + at, sizeof found - at, "%s%s %zu (", i > 1 ? ", " : "",
                               layer_name(&node->layer), node->layer.out_channels);
        for (size_t k = 0; k < node->read_count; k++)
            at += (size_t)snprintf(found + at, sizeof found - at, "%s%zu", k ? " " : "",
                                   node->reads[k]);
        snprintf(found + at, sizeof found - at, ")");
        cr_expect(node->entry == 0 && (*node->name != 0) == (i + 2 == graph->count), "%s: node %zu",
                  pyramid, i);
    }
    cr_expect_str_eq(found, expected, "%s: found %s, expected %s", pyramid, found, expected);
    cr_expect_str_eq(graph->nodes[graph->count - 2].name, "p");
    cr_expect(graph->nodes[graph->count - 1].reads[0] == graph->count - 2);
    spec_release(&spec);
}

Test(graph_pyramids, of_pointwise_branches_are_one_node)
{
    expect_nodes("'bins': [1, 2], 'branch': []", "pyramid 12 (0)");
    expect_nodes("'bins': [2], 'pool': 'same', 'branch': ['conv', 'batch_norm', 'relu', 'softmax',"
                 " {'conv': {'channels': 3, 'weights': 'w'}}], 'concat': 'branches'",
                 "pyramid 3 (0)");
    expect_nodes("'windows': [3], 'pool': 'valid', 'upsample_to': 'stride_multiple', 'branch': []",
                 "pyramid 8 (0)");
}

Test(graph_pyramids, of_other_branches_are_several)
{
    expect_nodes("'bins': [1], 'branch': [{'conv': {'kernel': 3, 'padding': 1}}]",
                 "adaptive_avg_pool 4 (0), conv 4 (1), resize 4 (2), concat 8 (0 3)");
    expect_nodes("'bins': [1], 'branch': ['batch_norm', 'conv'], 'concat': 'input_last'",
                 "adaptive_avg_pool 4 (0), batch_norm 4 (1), conv 4 (2), resize 4 (3), "
                 "concat 8 (4 0)");
    expect_nodes("'bins': [1], 'branch': [{'conv': {'groups': 2}}], 'concat': 'branches'",
                 "adaptive_avg_pool 4 (0), conv 4 (1), resize 4 (2)");
    expect_nodes("'bins': [1, 2], 'branches': [[], [{'group_norm': {'groups': 2}}]]",
                 "adaptive_avg_pool 4 (0), resize 4 (1), adaptive_avg_pool 4 (0), group_norm 4 (3),"
                 " resize 4 (4), concat 12 (0 2 5)");
    expect_nodes("'bins': [1], 'branch': [{'conv': {'stride': 2}}]",
                 "adaptive_avg_pool 4 (0), conv 4 (1), resize 4 (2), concat 8 (0 3)");
}

Test(graph_pyramids, that_sum_are_several)
{
    expect_nodes("'bins': [1, 3], 'branch': [], 'sum': true, 'concat': 'branches'",
                 "adaptive_avg_pool 4 (0), resize 4 (1), adaptive_avg_pool 4 (0), resize 4 (3), "
                 "add 4 (2 4)");
    expect_nodes("'windows': [3], 'pool': 'same', 'branch': ['relu'], 'sum': true",
                 "avg_pool 4 (0), relu 4 (1), resize 4 (2), add 4 (0 3)");
    expect_nodes("'bins': [1], 'branch': [], 'sum': false", "pyramid 8 (0)");
}

/* Each branch in turn replaces x; then the pyramid reads that. */
Test(graph_pyramids, that_are_cascades_have_rounds_of_nodes_before)
{
    expect_nodes("'bins': [1, 2], 'branch': ['conv'], 'cascade': true",
                 "adaptive_avg_pool 4 (0), conv 4 (1), resize 4 (2), adaptive_avg_pool 4 (3), "
                 "conv 4 (4), resize 4 (5), pyramid 12 (6)");
    expect_nodes("'bins': [1], 'branch': ['conv'], 'cascade': true, 'sum': true",
                 "adaptive_avg_pool 4 (0), conv 4 (1), resize 4 (2), adaptive_avg_pool 4 (3), "
                 "conv 4 (4), resize 4 (5), add 4 (3 6)");
}

Test(graph_pyramids, keep_their_options)
{
    struct spec spec =
        read_ok("'windows': [[3, 5]], 'pool': 'same', 'branch': [{'conv': {'kernel': 3, 'padding':"
                " 1, 'weights': 'b{i}'}}], 'upsample': 'half_pixel'");
    const struct node *nodes = spec.graph.nodes;
    const struct window *window = &nodes[1].layer.window;
    cr_expect(window->size[0] == 3 && window->size[1] == 5 && window->stride[1] == 5);
    cr_expect(window->is_same && !nodes[1].layer.counts_padding && window->dilation[0] == 1);
    cr_expect_str_eq(nodes[2].layer.weights_name, "b0");
    cr_expect(nodes[3].layer.target == RESIZE_LIKE && nodes[3].layer.like == 0);
    cr_expect(nodes[3].layer.mode == RESIZE_HALF_PIXEL);
    spec_release(&spec);

    spec = read_ok("'bins': [1, 7], 'branch': ['conv', 'relu'], 'upsample': 'asymmetric'");
    const struct pyramid *pyramid = spec.graph.nodes[1].layer.pyramid;
    cr_expect(pyramid->branch_count == 2 && pyramid->branches[1].bin == 7);
    cr_expect(pyramid->upsample == RESIZE_ASYMMETRIC && pyramid->concat_channels == 12);
    cr_expect_str_eq(pyramid->branches[1].stack.layers[0].weights_name, "p.branch.1.conv");
    spec_release(&spec);
}

/* The default names of two pyramids differ. */
Test(graph_pyramids, without_names_are_named_by_their_entries)
{
    struct ppm_error error = {0};
    struct spec spec;
    const char *path = support_write_json(
        "net.json",
        "{'input': {'channels': 4}, 'network': [{'pyramid': {'bins': [1], 'branch':"
        " ['conv']}}, {'pyramid': {'bins': [1], 'branch': [{'conv': {'kernel': 3}}]}}]}");
    cr_assert(spec_read(path, &spec, &error) == PPM_OK, "%s", error.text);
    const struct node *nodes = spec.graph.nodes;
    cr_expect_str_eq(nodes[1].layer.pyramid->branches[0].stack.layers[0].weights_name,
                     "network.0.branch.0.conv");
    cr_expect_str_eq(nodes[3].layer.weights_name, "network.1.branch.0.conv");
    spec_release(&spec);
}

/* Today's JSON is the same graph. */
Test(graph_pyramids, and_heads_of_todays_models_are_nodes)
{
    struct ppm_error error = {0};
    struct spec spec;
    const char *path = support_write_json(
        "net.json", "{'input': {'channels': 4}, 'bins': [1, 2], 'branch': ['conv'], 'head':"
                    " [{'conv': {'channels': 5, 'kernel': 3}}, 'batch_norm', 'relu']}");
    cr_assert(spec_read(path, &spec, &error) == PPM_OK, "%s", error.text);
    const struct graph *graph = &spec.graph;
    cr_assert(graph->count == 5 && graph->output == 4 && graph->input_count == 1);
    cr_expect(graph->nodes[1].layer.kind == LAYER_PYRAMID);
    cr_expect(graph->nodes[1].layer.pyramid->branches == spec.pyramid->branches);
    cr_expect(graph->nodes[2].layer.in_channels == 12 && graph->nodes[2].layer.out_channels == 5);
    cr_expect(graph->nodes[2].layer.window.before[0] == 1 && graph->nodes[2].layer.groups == 1);
    cr_expect(graph_folded_into(graph, 3) == 2 && graph->nodes[4].reads[0] == 3);
    spec_release(&spec);
}
