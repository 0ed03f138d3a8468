/* test_spec_accepted.c - model configurations that are accepted, and files that are not text. */
#include "core/model/spec.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(spec_accepted, .init = support_open_folder, .fini = support_close_folder);

static struct spec read_ok(const char *name, const char *json)
{
    struct ppm_error error = {0};
    struct spec spec;
    cr_assert(spec_read(support_write_json(name, json), &spec, &error) == PPM_OK, "%s: %s", json,
              error.text);
    return spec;
}

Test(spec_accepted, what_is_left_out_has_a_default)
{
    struct spec spec = read_ok("a-model.json", "{'input': {'channels': 5}, 'bins': [3, 2],"
                                               " 'branch': [{'conv': {}}], 'head': ['conv',"
                                               " 'batch_norm', 'leaky_relu', {'conv': {}}]}");
    cr_expect_str_eq(spec.name, "a-model");
    cr_expect(spec.channels == 5 && spec.layout == PPM_NCHW && spec.pyramid->pool == POOL_ADAPTIVE);
    cr_expect(spec.pyramid->upsample == RESIZE_ALIGN_CORNERS &&
              spec.pyramid->upsample_to == TO_INPUT);
    cr_expect(spec.pyramid->part_count == 3 && spec.pyramid->parts[0].source == PART_MAP &&
              !spec.pyramid->is_cascade && !spec.is_exact && !spec.weights.is_given);
    cr_expect(spec.output.size == SIZE_AS_COMPUTED && spec.output.as == AS_VALUES);
    cr_expect(spec.pyramid->branch_count == 2 && spec.pyramid->branches[0].bin == 3 &&
              spec.pyramid->branches[1].bin == 2);
    cr_expect(spec.pyramid->concat_channels == 15 && spec.output.channels == 15);

    const struct layer *conv = &spec.pyramid->branches[1].stack.layers[0], *head[4];
    for (size_t i = 0; i < COUNT(head); i++)
        head[i] = &spec.graph.nodes[FIRST_OF_HEAD + i].layer;
    cr_expect(conv_taps(conv) == 1 && conv->has_bias && conv->out_channels == 5);
    cr_expect_str_eq(conv->weights_name, "branch.1.conv");
    cr_expect(head[0]->in_channels == 15 && head[0]->out_channels == 15);
    cr_expect_str_eq(head[0]->weights_name, "head.0.conv");
    cr_expect(head[1]->eps == 1e-5 && head[1]->has_scale && head[1]->has_center);
    cr_expect_str_eq(head[1]->weights_name, "head.0.batch_norm");
    cr_expect(head[2]->slope == 0.01F);
    cr_expect_str_eq(head[3]->weights_name, "head.1.conv");
    spec_release(&spec);
}

Test(spec_accepted, everything_can_be_said)
{
    struct spec spec = read_ok(
        "x.json",
        "{'name': 'A-z_0.9', 'input': {'channels': 6, 'layout': 'NHWC'}, 'pool': 'valid',"
        " 'windows': [7, [3, 5]], 'upsample': 'asymmetric', 'upsample_to': 'stride_multiple',"
        " 'concat': 'branches', 'cascade': false,"
        " 'branches': [[], [{'conv': {'channels': 2, 'bias': false, 'kernel': 1,"
        " 'weights': 'f.{i}.{n}{n}'}}, {'prelu': {'weights': 'p{i}'}}]],"
        " 'head': [{'conv': {'kernel': 3, 'channels': 9}}, {'batch_norm': {'eps': 0, 'scale':"
        " false, 'center': false}}, {'leaky_relu': {'slope': -2}}],"
        " 'output': {'size': [40, 30], 'upsample': 'half_pixel', 'as': 'softmax'},"
        " 'weights': {'file': 'w.safetensors', 'prefix': 'module.', 'kernel_layout': 'HWIO'}}");
    cr_expect_str_eq(spec.name, "A-z_0.9");
    cr_expect(spec.layout == PPM_NHWC && spec.pyramid->pool == POOL_VALID);
    cr_expect(spec.pyramid->upsample == RESIZE_ASYMMETRIC &&
              spec.pyramid->upsample_to == TO_STRIDE_MULTIPLE);
    cr_expect(spec.pyramid->branches[0].window_h == 7 && spec.pyramid->branches[0].window_w == 7);
    cr_expect(spec.pyramid->branches[1].window_h == 3 && spec.pyramid->branches[1].window_w == 5);
    cr_expect(spec.pyramid->branches[0].stack.count == 0 &&
              spec.pyramid->branches[0].stack.out_channels == 6);
    cr_expect_str_eq(spec.pyramid->branches[1].stack.layers[0].weights_name, "f.1.22");
    cr_expect_str_eq(spec.pyramid->branches[1].stack.layers[1].weights_name, "p1");
    cr_expect(!spec.pyramid->branches[1].stack.layers[0].has_bias);
    cr_expect(spec.pyramid->concat_channels == 8 && spec.output.channels == 9);
    cr_expect(spec.graph.nodes[FIRST_OF_HEAD + 0].layer.window.size[0] == 3 &&
              spec.graph.nodes[FIRST_OF_HEAD + 1].layer.eps == 0);
    cr_expect(!spec.graph.nodes[FIRST_OF_HEAD + 1].layer.has_scale &&
              !spec.graph.nodes[FIRST_OF_HEAD + 1].layer.has_center);
    cr_expect(spec.graph.nodes[FIRST_OF_HEAD + 2].layer.slope == -2);
    cr_expect(spec.output.size == SIZE_GIVEN && spec.output.height == 40 &&
              spec.output.width == 30);
    cr_expect(spec.output.resize == RESIZE_HALF_PIXEL && spec.output.as == AS_SOFTMAX);
    cr_expect_str_eq(spec.weights.prefix, "module.");
    cr_expect(spec.weights.kernels_are_hwio);
    cr_expect_str_eq(spec.weights.file, support_path("w.safetensors"));
    spec_release(&spec);
}

/* Its axes are in the order of the model's layout, as in a request. */
Test(spec_accepted, shapes_to_warm_up_for)
{
    struct spec spec = read_ok("x.json", "{'input': {'channels': 3, 'layout': 'NHWC'}, 'bins': [1],"
                                         " 'branch': [], 'warm_up': [[2, 5, 7, 3], [9, 8, 3]]}");
    cr_assert(spec.warm_up_count == 2);
    const struct ppm_shape first = spec.warm_up[0].inputs[0], second = spec.warm_up[1].inputs[0];
    cr_expect(first.n == 2 && first.c == 3 && first.h == 5 && first.w == 7);
    cr_expect(second.n == 1 && second.c == 3 && second.h == 9 && second.w == 8);
    spec_release(&spec);
    spec =
        read_ok("y.json", "{'input': {'channels': 3}, 'bins': [1], 'branch': [], 'warm_up': []}");
    cr_expect(spec.warm_up_count == 0);
    spec_release(&spec);
}

/* Each layer alone in a head, with and without options; names without a conv before them. */
Test(spec_accepted, every_layer_bare_and_with_options)
{
#define LAYER(constant, name)                 #name,
#define ACTIVATION(constant, name, low, high) #name,
    static const char *const names[] = {STACK_LAYERS(LAYER) SIMD_ACTIVATIONS(ACTIVATION)};
    for (size_t i = 0; i < COUNT(names); i++)
        for (int is_bare = 0; is_bare < 2; is_bare++) {
            char json[200];
            snprintf(json, sizeof json,
                     "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'head': [%s'%s'%s]}",
                     is_bare ? "" : "{", names[i], is_bare ? "" : ": {}}");
            struct spec spec = read_ok("layer.json", json);
            const struct layer *layer = &spec.graph.nodes[FIRST_OF_HEAD + 0].layer;
            cr_expect(spec.graph.count == FIRST_OF_HEAD + 1 && layer->out_channels == 8, "%s",
                      names[i]);
            cr_expect_str_eq(layer_name(layer), names[i]);
            spec_release(&spec);
        }
}

Test(spec_accepted, forms_that_look_odd)
{
    static const char *const forms[] = {
        "{'input': {'channels': 131072}, 'bins': [4096], 'branch': []}",
        "{'input': {'channels': 4}, 'bins': [1, 1], 'branch': [], 'head': []}",
        "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'output': {}}",
        "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'output': {'scale': 1}}",
        "{'input': {'channels': 4}, 'windows': [65536], 'pool': 'same', 'branch': []}",
        "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'cascade': true}",
        "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'weights': {'random': 0}}",
        ("{'input': {'channels': 4}, 'bins': [1], 'branch': [],"
         " 'weights': {'random': 9223372036854775807}}"),
        "{'input': {'channels': 4}, 'bins': [1], 'branch': ['conv', 'relu', 'batch_norm', 'relu']}",
        "\n\t{'input': {'channels': 4}, 'bins': [1], 'branch': []}\n\n",
    };
    for (size_t i = 0; i < COUNT(forms); i++) {
        struct spec spec = read_ok("form.json", forms[i]);
        spec_release(&spec);
    }
}

Test(spec_accepted, argmax_answers_one_channel)
{
    struct spec spec = read_ok("m.json", "{'input': {'channels': 4}, 'bins': [1], 'branch': [],"
                                         " 'output': {'scale': 3, 'as': 'argmax'}}");
    cr_expect(spec.output.channels == 1 && spec.pyramid->concat_channels == 8);
    cr_expect(spec.output.scale == 3 && spec.output.size == SIZE_SCALED);
    cr_expect(spec.output.resize == RESIZE_ALIGN_CORNERS);
    cr_expect(strchr(spec.json, '\n') == NULL);
    cr_expect(strstr(spec.json, "\"scale\":3") != NULL, "%s", spec.json);
    spec_release(&spec);
}

static void expect_refusal(const char *what, const char *path, const char *text)
{
    struct ppm_error error = {0};
    struct spec spec;
    cr_expect(spec_read(path, &spec, &error) == PPM_BAD_CONFIG, "%s", what);
    cr_expect(strstr(error.text, text) != NULL, "%s: found \"%s\", expected \"%s\"", what,
              error.text, text);
    spec_release(&spec);
}

Test(spec_accepted, files_that_are_none)
{
    expect_refusal("missing", support_path("missing.json"), "No such file or directory");
    cr_assert(mkdir(support_path("folder.json"), 0700) == 0);
    expect_refusal("folder", support_path("folder.json"),
                   "found a directory, expected a regular file");

    enum { LARGE = (1 << 20) + 1 };
    char *text = malloc(LARGE);
    cr_assert(text != NULL);
    memset(text, ' ', LARGE);
    expect_refusal("too large", support_write("large.json", text, LARGE),
                   "found 1048577 bytes, expected at most 1048576");
    memset(text, '[', LARGE);
    expect_refusal("deep nesting", support_write("deep.json", text, LARGE - 1), "depth");
    free(text);
}

/* Long messages and control bytes still make one short line. */
Test(spec_accepted, long_names_and_odd_bytes)
{
    char json[3000] = "{'input': {'channels': 4}, 'bins': [1], 'branch': [], '";
    const size_t start = strlen(json);
    memset(json + start, 'k', 1000);
    strcpy(json + start + 1000, "': '\\n\\u0001");
    memset(json + strlen(json), 'v', 1000);
    strcat(json, "'}");
    expect_refusal("long key", support_write_json("key.json", json), "unknown key \"kkkk");

    const char *line_break = "{'input': {'channels': 4}, 'a\\nb': 1}";
    struct ppm_error error = {0};
    struct spec spec;
    cr_expect(spec_read(support_write_json("line.json", line_break), &spec, &error) != PPM_OK);
    cr_expect(strchr(error.text, '\n') == NULL, "found \"%s\", expected one line", error.text);
    spec_release(&spec);

    char long_name[300] = "{'input': {'channels': 4}, 'bins': [1], 'branch': [], 'name': '";
    char *end = long_name + strlen(long_name);
    memset(end, 'n', NAME_BYTES - 1);
    strcpy(end + NAME_BYTES - 1, "'}");
    struct spec named = read_ok("named.json", long_name);
    cr_expect(strlen(named.name) == NAME_BYTES - 1);
    spec_release(&named);
    strcpy(end + NAME_BYTES - 1, "n'}");
    expect_refusal("long name", support_write_json("named.json", long_name),
                   "nnn..., expected a string of at most 127 bytes");

    char name[300] = "{'input': {'channels': 4}, 'bins': [1], 'branch': [{'conv': {'weights': '";
    memset(name + strlen(name), 'w', NAME_BYTES - 4);
    strcat(name, "{i}'}}]}");
    struct spec fits = read_ok("fits.json", name);
    cr_expect(strlen(fits.pyramid->branches[0].stack.layers[0].weights_name) == NAME_BYTES - 3);
    spec_release(&fits);
}
