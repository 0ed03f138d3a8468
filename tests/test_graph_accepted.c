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
    cr_expect(spec.output_channels == 4 && spec.layout == PPM_NCHW && *graph->unused == '\0');
    spec_release(&spec);
}
