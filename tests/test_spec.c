/* test_spec.c - model configurations: errors, their places and messages. */
#include "core/shape/warm_up_shapes.h"
#include "tests/support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(spec, .init = support_open_folder, .fini = support_close_folder);

/* Configurations as JSON with ' for "; each base lacks the keys of its cases. */
#define C4          "'input': {'channels': 4}"
#define BINS        "'bins': [1, 2]"
#define BASE        C4 ", " BINS ", 'branch': ['conv']"
#define WITH(more)  "{" BASE ", " more "}"
#define BRANCH(own) "{" C4 ", " BINS ", 'branch': " own "}"
#define HEAD(own)   WITH("'head': " own)

struct refusal {
    const char *name, *json, *text;
};

/* The error contains text, begins with the file and is a BAD_CONFIG. */
static void check_refusals(const struct refusal *refusals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ppm_error error = {0};
        struct spec spec;
        const char *path = support_write_json("refused.json", refusals[i].json);
        enum ppm_status status = spec_read(path, &spec, &error);
        if (status == PPM_OK)
            status = warm_up_shapes_check(&spec, path, &error);
        cr_expect(status == PPM_BAD_CONFIG && error.status == status, "%s: found status %d",
                  refusals[i].name, (int)status);
        cr_expect(strstr(error.text, refusals[i].text) != NULL, "%s: found \"%s\", expected \"%s\"",
                  refusals[i].name, error.text, refusals[i].text);
        cr_expect(strncmp(error.text, path, strlen(path)) == 0, "%s: \"%s\" does not begin with %s",
                  refusals[i].name, error.text, path);
        spec_release(&spec);
    }
}

Test(spec, refuses_what_is_no_configuration)
{
    static const struct refusal refusals[] = {
        {"empty file", "", "the file is empty, expected a JSON object"},
        {"byte order mark", "\xef\xbb\xbf{}",
         "found a UTF-8 byte order mark, expected a JSON object, which begins with {"},
        {"UTF-16", "\xff\xfe{", "found a UTF-16 byte order mark, expected a JSON object"},
        {"gzip", "\x1f\x8b\x08", "found gzip data, expected a JSON object"},
        {"HTML", "\n<!DOCTYPE html><html>", "found an HTML page, expected a JSON object"},
        {"LFS", "version https://git-lfs.github.com/spec/v1",
         "found a Git LFS pointer (\"git lfs pull\" fetches the file), expected"},
        {"a tensor", "\x93NUMPY\x01", "found a NumPy .npy file, expected"},
        {"blank file", " \n ", "line 2"},
        {"not JSON", "{'name': }", "line 1, column 10"},
        {"cut short", "{'name': 'a'", "line 1"},
        {"trailing bytes", "{} x", "line 1"},
        {"comma at the end", WITH("'head': ['relu',]"), "line 1"},
        {"a list", "[1, 2]", "expected an object {...}"},
        {"a string", "'model'", "line 1"},
        {"duplicate key", WITH("'bins': [3]"), "duplicate object key"},
        {"duplicate key below", "{'input': {'channels': 4, 'channels': 5}}", "duplicate"},
        {"invalid UTF-8", "{'name': '\xff'}", "line 1"},
        {"a NUL in a string", "{'name': 'a\\u0000b'}", "line 1"},
        {"whole number too large", WITH("'bins2': 99999999999999999999"), "too big integer"},
        {"real too large", WITH("'head': [{'batch_norm': {'eps': 1e999}}]"),
         "real number overflow"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_unknown_keys_at_every_level)
{
    static const struct refusal refusals[] = {
        {"top", WITH("'upsampel': 'input'"),
         "unknown key \"upsampel\"; known keys are name, input, bins, windows, pool, branch, "
         "branches, upsample, upsample_to, concat, head, output, weights, cascade, exact, warm_up, "
         "compute"},
        {"case matters", WITH("'Head': []"), ": unknown key \"Head\"; known"},
        {"input", "{'input': {'channels': 4, 'width': 3}, " BINS ", 'branch': []}",
         "input: unknown key \"width\"; known keys are channels, layout, image"},
        {"output", WITH("'output': {'scael': 8}"), "output: unknown key \"scael\"; known"},
        {"weights", WITH("'weights': {'random': 1, 'seed': 1}"), "weights: unknown key \"seed\""},
        {"conv", BRANCH("[{'conv': {'channels': 2, 'stride': 2}}]"),
         "branch[0].conv: unknown key \"stride\"; known keys are channels, kernel, bias, weights"},
        {"batch_norm", HEAD("[{'batch_norm': {'epsilon': 1}}]"),
         "head[0].batch_norm: unknown key \"epsilon\""},
        {"relu", HEAD("[{'relu': {'slope': 1}}]"), "head[0].relu: unknown key \"slope\""},
        {"relu6", HEAD("[{'relu6': {'max': 6}}]"), "head[0].relu6: unknown key \"max\""},
        {"leaky_relu", HEAD("[{'leaky_relu': {'alpha': 1}}]"),
         "head[0].leaky_relu: unknown key \"alpha\""},
        {"prelu", HEAD("[{'prelu': {'slope': 1}}]"), "head[0].prelu: unknown key \"slope\""},
        {"elu", HEAD("[{'elu': {'alpha': 1}}]"), "head[0].elu: unknown key \"alpha\""},
        {"gelu", HEAD("[{'gelu': {'approximate': 'tanh'}}]"),
         "head[0].gelu: unknown key \"approximate\"; it has no options"},
        {"softmax", HEAD("[{'softmax': {'axis': 1}}]"), "head[0].softmax: unknown key \"axis\""},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_names_and_inputs)
{
    static const struct refusal refusals[] = {
        {"name is a number", WITH("'name': 5"), "name: found 5, expected a string"},
        {"name is empty", WITH("'name': ''"), "name: found \"\""},
        {"name with a slash", WITH("'name': 'a/b'"), "the name is part of a URL"},
        {"name with a space", WITH("'name': 'a b'"), "the name is part of a URL"},
        {"name with a query", WITH("'name': 'a?b'"), "the name is part of a URL"},
        {"name in Greek", WITH("'name': '\u03c8'"), "the name is part of a URL"},
        {"name is a way up", WITH("'name': '..'"), "the name is part of a URL"},
        {"no input", "{" BINS "}", "input: found nothing, expected an object such as"},
        {"input is a number", "{'input': 4}", "input: found 4, expected an object such as"},
        {"no channels", "{'input': {}}", "input.channels: found nothing"},
        {"channels is a string", "{'input': {'channels': '4'}}", "input.channels: found \"4\""},
        {"channels is null", "{'input': {'channels': null}}", "input.channels: found null"},
        {"channels is real", "{'input': {'channels': 4.5}}", "found 4.5, expected an integer"},
        {"no channel", "{'input': {'channels': 0}}", "found 0, expected an integer from 1 to"},
        {"negative", "{'input': {'channels': -4}}", "found -4, expected an integer from 1"},
        {"too many", "{'input': {'channels': 131073}}", "expected an integer from 1 to 131072"},
        {"far too many", "{'input': {'channels': 9223372036854775807}}", "from 1 to 131072"},
        {"layout", "{'input': {'channels': 4, 'layout': 'nchw'}}",
         "input.layout: found \"nchw\", expected \"NCHW\" or \"NHWC\""},
        {"layout is true", "{'input': {'channels': 4, 'layout': true}}", "layout: found true"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_pyramids)
{
    static const struct refusal refusals[] = {
        {"no bins", "{" C4 "}", "bins: found nothing, expected a list of 1 to 64"},
        {"bins is a number", "{" C4 ", 'bins': 3}", "bins: found 3, expected a list"},
        {"bins is empty", "{" C4 ", 'bins': []}", "bins: found [], expected a list"},
        {"bin 0", "{" C4 ", 'bins': [1, 0]}", "bins[1]: found 0, expected a bin"},
        {"bin is negative", "{" C4 ", 'bins': [-1]}", "bins[0]: found -1, expected a bin"},
        {"bin is real", "{" C4 ", 'bins': [1.0]}", "bins[0]: found 1.0, expected a bin"},
        {"bin is a list", "{" C4 ", 'bins': [[1, 2]]}", "bins[0]: found [1,2], expected a bin"},
        {"bin too large", "{" C4 ", 'bins': [4097]}", "an integer from 1 to 4096"},
        {"65 bins",
         "{" C4 ", 'bins': [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
         "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}",
         "expected a list of 1 to 64"},
        {"bins and windows", "{" C4 ", " BINS ", 'windows': [3], 'pool': 'same'}",
         "bins: found [1,2], expected either bins or windows, not both"},
        {"windows with adaptive", "{" C4 ", 'windows': [3], 'pool': 'adaptive'}",
         "windows: found [3], expected \"pool\": \"same\" or \"valid\" with windows"},
        {"windows with the default pool", "{" C4 ", 'windows': [3]}", "\"pool\": \"same\""},
        {"window 0", "{" C4 ", 'windows': [0], 'pool': 'same'}", "windows[0]: found 0"},
        {"window of one side 0", "{" C4 ", 'windows': [[3, 0]], 'pool': 'same'}",
         "windows[0]: found [3,0], expected a window in pixels, from 1 to 65536"},
        {"window of 3 sides", "{" C4 ", 'windows': [[3, 3, 3]], 'pool': 'valid'}", "[3,3,3]"},
        {"window of 1 side", "{" C4 ", 'windows': [[3]], 'pool': 'valid'}",
         "found [3], expected a"},
        {"window too large", "{" C4 ", 'windows': [65537], 'pool': 'valid'}", "found 65537"},
        {"window is a string", "{" C4 ", 'windows': ['3'], 'pool': 'valid'}", "found \"3\""},
        {"pool", WITH("'pool': 'max'"),
         "pool: found \"max\", expected \"adaptive\", \"same\" or \"valid\""},
        {"pool is a list", WITH("'pool': ['same']"), "pool: found [\"same\"]"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_branches)
{
    static const struct refusal refusals[] = {
        {"none", "{" C4 ", " BINS "}", "branch: found nothing, expected either \"branch\""},
        {"both", BRANCH("[], 'branches': [[], []]"), "found [[],[]], expected either \"branch\""},
        {"too few", "{" C4 ", " BINS ", 'branches': [[]]}",
         "branches: found [[]], expected a list of 2 stacks, one for each bin or window"},
        {"too many", "{" C4 ", " BINS ", 'branches': [[], [], []]}", "a list of 2 stacks"},
        {"branches is an object", "{" C4 ", " BINS ", 'branches': {}}", "a list of 2 stacks"},
        {"a branch of branches", "{" C4 ", " BINS ", 'branches': [[], 'relu']}",
         "branches[1]: found \"relu\", expected a list of at most 64 layers"},
        {"branch is an object", BRANCH("{'conv': {}}"), "branch: found {\"conv\":{}}"},
        {"kernel 3", BRANCH("[{'conv': {'kernel': 3}}]"),
         "branch[0].conv.kernel: found 3, expected 1: the convolutions of a branch are 1x1"},
        {"begins with a norm", BRANCH("['batch_norm', 'conv']"),
         "branch[0]: found \"batch_norm\", expected a branch that begins with a conv, or []"},
        {"begins with an activation", BRANCH("['relu']"), "branch[0]: found \"relu\""},
        {"second branch begins with a norm", "{" C4 ", " BINS ", 'branches': [[], ['relu']]}",
         "branches[1][0]: found \"relu\", expected a branch that begins with a conv"},
        {"two convs of one default name", BRANCH("['conv', 'relu', 'conv']"),
         "branch[2]: found \"conv\", expected a \"weights\" name here: layer 0 has the default "
         "name branch.0.conv already"},
        {"two norms of one default name", BRANCH("['conv', 'batch_norm', 'relu', 'batch_norm']"),
         "layer 1 has the default name branch.0.batch_norm already"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_layers)
{
    static const struct refusal refusals[] = {
        {"unknown layer", HEAD("['swish']"), "head[0]: found \"swish\", expected one layer: conv"},
        {"a number", HEAD("[5]"), "head[0]: found 5, expected one layer"},
        {"a list", HEAD("[['relu']]"), "head[0]: found [\"relu\"], expected one layer"},
        {"null", HEAD("[null]"), "head[0]: found null, expected one layer"},
        {"no layer", HEAD("[{}]"), "head[0]: found {}, expected one layer"},
        {"two layers in one", HEAD("[{'conv': {}, 'relu': {}}]"), "expected one layer"},
        {"options are a list", HEAD("[{'relu': []}]"),
         "head[0].relu: found [], expected an object"},
        {"options are null", HEAD("[{'conv': null}]"), "head[0].conv: found null"},
        {"options are a number", HEAD("[{'conv': 5}]"), "expected an object of options"},
        {"kernel 2", HEAD("[{'conv': {'kernel': 2}}]"),
         "head[0].conv.kernel: found 2, expected 1 or 3"},
        {"kernel 5", HEAD("[{'conv': {'kernel': 5}}]"),
         "head[0].conv.kernel: found 5, expected 1 or 3"},
        {"kernel 0", HEAD("[{'conv': {'kernel': 0}}]"), "kernel: found 0, expected 1 or 3"},
        {"kernel of a branch", BRANCH("[{'conv': {'kernel': 7}}]"),
         "branch[0].conv.kernel: found 7, expected 1: the convolutions of a branch are 1x1"},
        {"kernel [3, 3]", HEAD("[{'conv': {'kernel': [3, 3]}}]"), "found [3,3]"},
        {"conv channels 0", HEAD("[{'conv': {'channels': 0}}]"), "head[0].conv.channels: found 0"},
        {"conv channels 131073", HEAD("[{'conv': {'channels': 131073}}]"), "found 131073"},
        {"bias 1", HEAD("[{'conv': {'bias': 1}}]"), "bias: found 1, expected true or false"},
        {"eps negative", HEAD("[{'batch_norm': {'eps': -1}}]"), "eps: found -1, expected a number"},
        {"eps 2", HEAD("[{'batch_norm': {'eps': 2}}]"), "found 2, expected a number from 0 to 1"},
        {"eps is a string", HEAD("[{'batch_norm': {'eps': '1e-5'}}]"), "found \"1e-5\""},
        {"scale is null", HEAD("[{'batch_norm': {'scale': null}}]"), "scale: found null"},
        {"center is 0", HEAD("[{'batch_norm': {'center': 0}}]"), "center: found 0"},
        {"slope is a string", HEAD("[{'leaky_relu': {'slope': 'x'}}]"), "slope: found \"x\""},
        {"slope 1e30", HEAD("[{'leaky_relu': {'slope': 1e30}}]"), "expected a number from -100 to"},
        {"weights is a number", HEAD("[{'conv': {'weights': 1}}]"), "weights: found 1"},
        {"weights is empty", HEAD("[{'conv': {'weights': ''}}]"), "weights: found \"\""},
        {"{i} in the head", HEAD("[{'conv': {'weights': 'cls.{i}'}}]"),
         "head[0].conv.weights: found \"cls.{i}\", expected a name without {i} or {n}"},
        {"{n} in the head", HEAD("[{'prelu': {'weights': '{n}'}}]"), "without {i} or {n}"},
        {"two norms before a conv", HEAD("['batch_norm', {'conv': {}}, 'batch_norm']"),
         "layer 0 has the default name head.0.batch_norm already"},
        {"head is an object", HEAD("{}"), "head: found {}, expected a list of at most 64 layers"},
        {"65 layers",
         HEAD("['elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu',"
              "'elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu',"
              "'elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu',"
              "'elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu',"
              "'elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu','elu']"),
         "expected a list of at most 64 layers"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_resizing_and_outputs)
{
    static const struct refusal refusals[] = {
        {"upsample", WITH("'upsample': 'bilinear'"),
         "upsample: found \"bilinear\", expected \"align_corners\", \"half_pixel\" or "
         "\"asymmetric\""},
        {"upsample_to", WITH("'upsample_to': 'x'"), "expected \"input\" or \"stride_multiple\""},
        {"stride_multiple with adaptive", WITH("'upsample_to': 'stride_multiple'"),
         "upsample_to: found \"stride_multiple\", expected \"pool\": \"same\" or \"valid\""},
        {"stride_multiple in a cascade",
         WITH("'upsample_to': 'stride_multiple', 'pool': 'same', 'cascade': true"),
         "upsample_to: found \"stride_multiple\", expected \"input\" in a cascade"},
        {"concat", WITH("'concat': 'sum'"), "expected \"input_first\", \"input_last\" or"},
        {"exact is a word", WITH("'exact': 'yes'"), "exact: found \"yes\", expected true or false"},
        {"cascade is 1", WITH("'cascade': 1"), "cascade: found 1, expected true or false"},
        {"cascade of another width", BRANCH("[{'conv': {'channels': 3}}], 'cascade': true"),
         "cascade: found true, expected every branch to keep the input's 4 channels in a cascade; "
         "branch 0 has 3"},
        {"output is a string", WITH("'output': 'argmax'"), "output: found \"argmax\", expected an"},
        {"as", WITH("'output': {'as': 'labels'}"),
         "\"values\", \"softmax\", \"argmax\" or \"sigmoid\""},
        {"size and scale", WITH("'output': {'size': [1, 2], 'scale': 2}"),
         "output.size: found [1,2], expected either size or scale, not both"},
        {"argmax of one channel", HEAD("[{'conv': {'channels': 1}}], 'output': {'as': 'argmax'}"),
         "output.as: found \"argmax\", expected \"sigmoid\", with a \"threshold\" for labels"},
        {"softmax of one channel", HEAD("[{'conv': {'channels': 1}}], 'output': {'as': 'softmax'}"),
         "output.as: found \"softmax\", expected \"sigmoid\", with a"},
        {"a layer of it", HEAD("[{'conv': {'channels': 1}}, 'softmax']"),
         "head[1]: found \"softmax\", expected \"sigmoid\": softmax of 1 channel is 1 everywhere"},
        {"with options", BRANCH("[{'conv': {'channels': 1}}, {'softmax': {}}]"),
         "branch[1]: found {\"softmax\":{}}, expected \"sigmoid\""},
        {"scale 0", WITH("'output': {'scale': 0}"), "output.scale: found 0"},
        {"scale 257", WITH("'output': {'scale': 257}"), "an integer from 1 to 256"},
        {"scale 0.5", WITH("'output': {'scale': 0.5}"), "output.scale: found 0.5"},
        {"size is a number", WITH("'output': {'size': 9}"), "output.size: found 9, expected [h"},
        {"size of one side", WITH("'output': {'size': [9]}"), "output.size: found [9]"},
        {"size of 3 sides", WITH("'output': {'size': [1, 2, 3]}"), "output.size: found [1,2,3]"},
        {"size of side 0", WITH("'output': {'size': [1, 0]}"), "output.size: found [1,0]"},
        {"size too large", WITH("'output': {'size': [1, 65537]}"), "each from 1 to 65536"},
        {"size of something else", WITH("'output': {'size': 'image'}"),
         "output.size: found \"image\", expected [height, width] in pixels, each from 1 to 65536, "
         "or "
         "\"input\""},
        {"trim is 1", WITH("'output': {'scale': 8, 'trim': 1}"), "output.trim: found 1"},
        {"trim alone", WITH("'output': {'trim': true}"),
         "output.trim: found true, expected a scale with it"},
        {"trim of a size", WITH("'output': {'size': 'input', 'trim': true}"),
         "output.trim: found true, expected a scale with it"},
        {"threshold alone", WITH("'output': {'threshold': 0.5}"),
         "output.threshold: found 0.5, expected \"as\": \"sigmoid\" with a threshold"},
        {"threshold of an argmax", WITH("'output': {'as': 'argmax', 'threshold': 0.5}"),
         "output.threshold: found 0.5, expected \"as\": \"sigmoid\""},
        {"threshold above 1", WITH("'output': {'as': 'sigmoid', 'threshold': 1.5}"),
         "output.threshold: found 1.5, expected a number from 0 to 1"},
        {"threshold below 0", WITH("'output': {'as': 'sigmoid', 'threshold': -0.5}"),
         "output.threshold: found -0.5, expected a number from 0 to 1"},
        {"threshold is true", WITH("'output': {'as': 'sigmoid', 'threshold': true}"),
         "output.threshold: found true, expected a number"},
        {"output upsample", WITH("'output': {'upsample': 'nearest'}"), "output.upsample: found"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_warm_ups)
{
    static const struct refusal refusals[] = {
        {"no list", WITH("'warm_up': 30"), "warm_up: found 30, expected a list of at most 16"},
        {"a shape alone", WITH("'warm_up': [1, 4, 9, 9]"),
         "warm_up[0]: found 1, expected a shape that the model takes (the shape has 0 dimensions"},
        {"5 axes", WITH("'warm_up': [[1, 1, 4, 9, 9]]"), "warm_up[0]: found [1,1,4,9,9]"},
        {"2 axes", WITH("'warm_up': [[1, 4, 9, 9], [9, 9]]"), "warm_up[1]: found [9,9]"},
        {"another width", WITH("'warm_up': [[1, 3, 9, 9]]"),
         "(found 3 channels, expected the model's 4)"},
        {"a side of 0", WITH("'warm_up': [[1, 4, 0, 9]]"), "warm_up[0]: found [1,4,0,9]"},
        {"a side of 1.5", WITH("'warm_up': [[1, 4, 1.5, 9]]"), "warm_up[0]: found [1,4,1.5,9]"},
        {"a side below 0", WITH("'warm_up': [[1, 4, -1, 9]]"), "warm_up[0]: found [1,4,-1,9]"},
        {"too large", WITH("'warm_up': [[4294967295, 4, 4294967295, 4294967295]]"), "overflows"},
        {"17 of them",
         WITH("'warm_up': [[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],"
              "[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9],[4,9,9]]"),
         "expected a list of at most 16 shapes"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(spec, refuses_weights)
{
    static const struct refusal refusals[] = {
        {"a string", WITH("'weights': 'a.safetensors'"), "weights: found \"a.safetensors\""},
        {"null", WITH("'weights': null"), "weights: found null"},
        {"neither", WITH("'weights': {}"), "weights: found {}, expected {\"file\": "},
        {"prefix alone", WITH("'weights': {'prefix': 'm.'}"), "weights: found {\"prefix\":\"m.\"}"},
        {"both", WITH("'weights': {'file': 'a', 'random': 1}"), "expected {\"file\": "},
        {"file is a number", WITH("'weights': {'file': 1}"), "weights.file: found 1"},
        {"file is null", WITH("'weights': {'file': null}"), "weights.file: found null"},
        {"file is empty", WITH("'weights': {'file': ''}"), "weights.file: found \"\""},
        {"seed is negative", WITH("'weights': {'random': -1}"), "weights.random: found -1"},
        {"seed is real", WITH("'weights': {'random': 1.5}"), "weights.random: found 1.5"},
        {"seed is true", WITH("'weights': {'random': true}"), "weights.random: found true"},
        {"prefix is a list", WITH("'weights': {'file': 'a', 'prefix': []}"), "prefix: found []"},
        {"kernel_layout", WITH("'weights': {'file': 'a', 'kernel_layout': 'IOHW'}"),
         "weights.kernel_layout: found \"IOHW\", expected \"OIHW\" or \"HWIO\""},
    };
    check_refusals(refusals, COUNT(refusals));
}
