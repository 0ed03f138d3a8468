/* test_graph.c - networks that are refused for what is around their layers. */
#include "core/model/spec.h"
#include "tests/refusals.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(graph, .init = support_open_folder, .fini = support_close_folder);

/* Networks over x [N, 4, H, W] as JSON with ' for "; a's result has 4 channels, b's 6. */
#define NET(entries) "{'input': {'channels': 4}, 'network': [" entries "]}"
#define AB(entries)                                                                                \
    NET("{'relu': {}, 'name': 'a'}, {'conv': {'channels': 6}, 'name': 'b'}, " entries)
#define PYRAMID(own) NET("{'pyramid': {" own "}}")

Test(graph, refuses_what_is_around_a_network)
{
    static const struct refusal refusals[] = {
        {"no list", "{'input': {'channels': 4}, 'network': {}}",
         "network: found {}, expected a list of 1 to 4096 layers"},
        {"empty", NET(""), "network: found [], expected a list of 1 to 4096 layers"},
        {"bins", "{'input': {'channels': 4}, 'network': ['relu'], 'bins': [1]}",
         "unknown key \"bins\"; known keys are name, input, inputs, network, output, classes, "
         "weights, "
         "exact, warm_up, compute"},
        {"inputs of a pyramid", "{'inputs': {'a': {'channels': 4}}, 'bins': [1], 'branch': []}",
         "unknown key \"inputs\"; known keys are name, input, bins, windows, pool, branch, "
         "branches, upsample, upsample_to, concat, head, output, weights, cascade, exact, warm_up, "
         "compute, network, classes"},
        {"no input", "{'network': ['relu']}",
         "input: found nothing, expected an object such as {\"channels\": 2048}"},
        {"input and inputs",
         "{'input': {'channels': 4}, 'inputs': {'a': {'channels': 4}}, 'network': ['relu']}",
         "inputs: found {\"a\":{\"channels\":4}}, expected either \"input\" or \"inputs\", not "
         "both"},
        {"inputs are a list", "{'inputs': [{'channels': 4}], 'network': ['relu']}",
         "inputs: found [{\"channels\":4}], expected an object of 1 to 8 inputs, such as {\"c2\": "
         "{\"channels\": 256}, \"c5\": {\"channels\": 2048}}"},
        {"no inputs", "{'inputs': {}, 'network': ['relu']}",
         "inputs: found {}, expected an object of 1 to 8 inputs, such as {\"c2\": {\"channels\": "
         "256}, \"c5\": {\"channels\": 2048}}"},
        {"nine inputs",
         "{'inputs': {'a': 1, 'b': 1, 'c': 1, 'd': 1, 'e': 1, 'f': 1, 'g': 1, 'h': 1, 'i': 1}, "
         "'network': ['relu']}",
         "inputs: found {\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1}, "
         "expected an object of 1 to 8 inputs, such as {\"c2\": {\"channels\": 256}, \"c5\": "
         "{\"channels\": 2048}}"},
        {"an input is a number", "{'inputs': {'a': 4}, 'network': ['relu']}",
         "inputs.a: found 4, expected an object such as {\"channels\": 2048}"},
        {"an input without channels", "{'inputs': {'a': {}}, 'network': ['relu']}",
         "inputs.a.channels: found nothing, expected the number of channels of the input"},
        {"an input's name", "{'inputs': {'a b': {'channels': 4}}, 'network': ['relu']}",
         "inputs.a b: found {\"channels\":4}, expected a name of at most 127 letters, digits, '.', "
         "'_' and '-'"},
        {"an empty name", "{'inputs': {'': {'channels': 4}}, 'network': ['relu']}",
         "inputs.: found {\"channels\":4}, expected a name of at most 127 letters, digits, '.', "
         "'_' and '-'"},
        {"two layouts",
         "{'inputs': {'a': {'channels': 4, 'layout': 'NHWC'}, 'b': {'channels': 4, 'layout': "
         "'NCHW'}}, 'network': [{'relu': {}, 'from': 'a'}]}",
         "inputs.b.layout: found \"NCHW\", expected \"NHWC\", the layout of the first input"},
        {"a warm-up of one input",
         "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': [{'add': ['a', "
         "'b']}], 'warm_up': [[1, 4, 2, 2]]}",
         "warm_up[0]: found [1,4,2,2], expected an object with a shape for each of the 2 inputs"},
        {"a warm-up without an input",
         "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': [{'add': ['a', "
         "'b']}], 'warm_up': [{'a': [1, 4, 2, 2]}]}",
         "warm_up[0].b: found nothing, expected a shape that the model takes (the shape has 0 "
         "dimensions, expected 4 (a batch) or 3 (one feature map))"},
        {"a warm-up of another input",
         "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': [{'add': ['a', "
         "'b']}], 'warm_up': [{'c': [1, 4, 2, 2]}]}",
         "warm_up[0]: unknown key \"c\"; known keys are a, b"},
        {"argmax of one channel",
         "{'input': {'channels': 4}, 'network': ['channel_sum'], 'output': {'as': 'argmax'}}",
         "output.as: found \"argmax\", expected \"sigmoid\", with a \"threshold\" for labels: "
         "softmax "
         "and argmax of 1 channel are the same everywhere"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(graph, refuses_names_and_what_entries_read)
{
    static const struct refusal refusals[] = {
        {"an empty name", NET("{'relu': {}, 'name': ''}"),
         "network[0].name: found \"\", expected a name of at most 127 letters, digits, '.', '_' "
         "and '-'"},
        {"a comma in a name", NET("{'relu': {}, 'name': 'a,b'}"),
         "network[0].name: found \"a,b\", expected a name of at most 127 letters, digits, '.', '_' "
         "and '-'"},
        {"a name is a number", NET("'relu', {'relu': {}, 'name': 5}"),
         "network[1].name: found 5, expected a name of at most 127 letters, digits, '.', '_' and "
         "'-'"},
        {"a name twice", AB("{'relu': {}, 'name': 'a'}"),
         "network[2].name: found \"a\", expected a name of its own: network[0] has this one"},
        {"an input's name", NET("'relu', {'relu': {}, 'name': 'x'}"),
         "network[1].name: found \"x\", expected a name of its own: an input has this one"},
        {"an unknown name", AB("{'relu': {}, 'from': 'c'}"),
         "network[2].from: found \"c\", expected the name of an input or of an entry above: "
         "nothing has this one"},
        {"a later name", NET("{'relu': {}, 'from': 'b'}, 'relu', {'relu': {}, 'name': 'b'}"),
         "network[0].from: found \"b\", expected the name of an input or of an entry above: "
         "network[2] has this one"},
        {"its own name", NET("{'relu': {}, 'from': 'b', 'name': 'b'}"),
         "network[0].from: found \"b\", expected the name of an input or of an entry above: "
         "network[0] has this one"},
        {"a name is null", AB("{'relu': {}, 'from': null}"),
         "network[2].from: found null, expected the name of an input or of an entry above"},
        {"two names", AB("{'relu': {}, 'from': ['a', 'b']}"),
         "network[2].from: found [\"a\",\"b\"], expected the name of the one map that it reads"},
        {"no name", AB("{'relu': {}, 'from': []}"),
         "network[2].from: found [], expected the name of the one map that it reads"},
        {"a list of an unknown name", AB("{'relu': {}, 'from': ['c']}"),
         "network[2].from[0]: found \"c\", expected the name of an input or of an entry above: "
         "nothing has this one"},
        {"one of two inputs",
         "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': ['relu']}",
         "network[0].from: found nothing, expected the name of one of the 2 inputs"},
        {"x of several inputs",
         "{'inputs': {'a': {'channels': 4}, 'b': {'channels': 4}}, 'network': [{'relu': {}, "
         "'from': 'x'}]}",
         "network[0].from: found \"x\", expected the name of an input or of an entry above: "
         "nothing has this one"},
        {"options are a list", NET("{'max_pool': [2]}"),
         "network[0].max_pool: found [2], expected an object of options"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(graph, refuses_joins)
{
    static const struct refusal refusals[] = {
        {"bare", NET("'add'"),
         "network[0].add: found nothing, expected a list of 2 to 64 names, as {\"add\": [\"a\", "
         "\"b\"]}"},
        {"an object", NET("{'mul': {}}"),
         "network[0].mul: found {}, expected a list of 2 to 64 names, as {\"mul\": [\"a\", "
         "\"b\"]}"},
        {"one", AB("{'concat': ['a']}"),
         "network[2].concat: found [\"a\"], expected a list of 2 to 64 names, as {\"concat\": "
         "[\"a\", \"b\"]}"},
        {"with from", AB("{'add': ['a', 'a'], 'from': 'a'}"),
         "network[2].from: found \"a\", expected nothing: the entry's own list has the names of "
         "what it reads"},
        {"an unknown name", AB("{'concat': ['a', 'c']}"),
         "network[2].concat[1]: found \"c\", expected the name of an input or of an entry above: "
         "nothing has this one"},
        {"a number", AB("{'concat': [0, 'a']}"),
         "network[2].concat[0]: found 0, expected the name of an input or of an entry above"},
        {"channels of a sum", AB("{'add': ['a', 'b', 'x']}"),
         "network[2]: found {\"add\":[\"a\",\"b\",\"x\"]}, expected maps of the same channels, or "
         "of 1: \"b\" has 6 and \"a\" 4"},
        {"channels of a product", AB("{'mul': ['x', 'b']}"),
         "network[2]: found {\"mul\":[\"x\",\"b\"]}, expected maps of the same channels, or of 1: "
         "\"b\" has 6 and \"x\" 4"},
        {"a wide concat",
         NET("{'conv': {'channels': 131072}, 'name': 'a'}, {'concat': ['a', 'x']}"),
         "network[1]: found {\"concat\":[\"a\",\"x\"]}, expected at most 131072 channels; these "
         "maps have 131076"},
    };
    check_refusals(refusals, COUNT(refusals));
}

/* "a, b or c" from "a, b, c, " */
static const char *listed(const char *names, char *ret)
{
    strcpy(ret, names);
    ret[strlen(ret) - 2] = '\0';
    char *last = strrchr(ret, ',');
    memmove(last + 4, last + 2, strlen(last + 2) + 1);
    memcpy(last, " or ", 4);
    return ret;
}

/* What has no layer, several, or one that may not be there. */
Test(graph, refuses_what_is_no_layer)
{
#define NAME(constant, name)                  #name ", "
#define ACTIVATION(constant, name, low, high) #name ", "
    static const struct {
        const char *json, *found, *names;
    } refusals[] = {
        {NET("{'relu': {}, 'conv': {}}"), "network[0]: found {\"relu\":{},\"conv\":{}}",
         LAYERS(NAME) SIMD_ACTIVATIONS(ACTIVATION)},
        {NET("'relu', {'name': 'a'}"), "network[1]: found {\"name\":\"a\"}",
         LAYERS(NAME) SIMD_ACTIVATIONS(ACTIVATION)},
        {NET("'swish'"), "network[0]: found \"swish\"", LAYERS(NAME) SIMD_ACTIVATIONS(ACTIVATION)},
        {PYRAMID("'bins': [1], 'branch': [{'add': ['x', 'x']}]"),
         "network[0].pyramid.branch[0]: found {\"add\":[\"x\",\"x\"]}",
         STACK_LAYERS(NAME) MAP_LAYERS(NAME) SIMD_ACTIVATIONS(ACTIVATION)},
        {"{'input': {'channels': 4}, 'bins': [1], 'branch': ['conv', 'slice']}",
         "branch[1]: found \"slice\"", STACK_LAYERS(NAME) SIMD_ACTIVATIONS(ACTIVATION)},
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        char names[400], text[600];
        snprintf(text, sizeof text, "%s, expected one layer: %s, as \"relu\" or {\"conv\": {...}}",
                 refusals[i].found, listed(refusals[i].names, names));
        check_refusals(&(struct refusal){refusals[i].found, refusals[i].json, text}, 1);
    }
}

/* NODES_MAX entries are accepted; entries or nodes of pyramids beyond it are not. */
static char *write_many(size_t entries, const char *entry)
{
    const size_t length = strlen(entry) + 2;
    char *json = malloc(100 + entries * length), *end = json;
    cr_assert(json != NULL);
    end += sprintf(end, "{'input': {'channels': 4}, 'network': ['relu'");
    for (size_t i = 1; i < entries; i++)
        end += sprintf(end, ", %s", entry);
    strcpy(end, "]}");
    return json;
}

static void check_many(size_t entries, const char *entry, const char *text)
{
    struct ppm_error error = {0};
    struct spec spec;
    char *json = write_many(entries, entry);
    spec_read(support_write_json("many.json", json), &spec, &error);
    cr_expect(text ? strstr(error.text, text) != NULL : error.status == PPM_OK,
              "%zu entries: found \"%s\", expected \"%s\"", entries, error.text, text ? text : "");
    if (!text)
        cr_expect(spec.graph.count == NODES_MAX);
    spec_release(&spec);
    free(json);
}

Test(graph, refuses_too_many_nodes)
{
    check_many(NODES_MAX - 1, "'relu'", NULL);
    check_many(NODES_MAX, "'relu'",
               "many.json: network: found more than 4096 nodes, counting those of inputs and "
               "pyramids, expected at most as many");
    check_many(NODES_MAX + 1, "'relu'", "expected a list of 1 to 4096 layers");
    check_many(1000, "{'pyramid': {'bins': [1, 2], 'branch': [], 'sum': true}}",
               "many.json: network: found more than 4096 nodes");
#define EIGHT(x) x ", " x ", " x ", " x ", " x ", " x ", " x ", " x
#define MOST_LAYERS                                                                                \
    "{'pyramid': {'bins': [" EIGHT(                                                                \
        EIGHT("1")) "], 'concat': 'branches', 'branch': [{'conv': "                                \
                    "{'channels': 1}}, " EIGHT(                                                    \
                        "'relu', 'relu', 'relu', 'relu', 'relu', 'relu', 'relu'") "]}}"
    check_many(4, MOST_LAYERS,
               "many.json: network: found more than 8192 layers in the branches of pyramids, "
               "expected at most as many");
}
