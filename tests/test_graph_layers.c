/* test_graph_layers.c - networks that are refused for the options of a layer. */
#include "tests/refusals.h"
#include "tests/support.h"

#include <criterion/criterion.h>

TestSuite(graph_layers, .init = support_open_folder, .fini = support_close_folder);

/* Networks over x [N, 4, H, W] as JSON with ' for ". */
#define LAYER(entries) "{'input': {'channels': 4}, 'network': [" entries "]}"
#define PYRAMID(own)   LAYER("{'pyramid': {" own "}}")

#define PADDINGS ": a number, [h, w] or [top, left, bottom, right]; or \"same\""

Test(graph_layers, refuses_convs)
{
    static const struct refusal refusals[] = {
        {"unknown key", LAYER("{'conv': {'pad': 1}}"),
         "network[0].conv: unknown key \"pad\"; known keys are channels, kernel, stride, padding, "
         "dilation, groups, bias, weights"},
        {"kernel 0", LAYER("{'conv': {'kernel': 0}}"),
         "network[0].conv.kernel: found 0, expected an integer from 1 to 11, or [h, w] of such"},
        {"kernel 12", LAYER("{'conv': {'kernel': [3, 12]}}"),
         "network[0].conv.kernel: found [3,12], expected an integer from 1 to 11, or [h, w] of "
         "such"},
        {"three kernels", LAYER("{'conv': {'kernel': [3, 3, 3]}}"),
         "network[0].conv.kernel: found [3,3,3], expected an integer from 1 to 11, or [h, w] of "
         "such"},
        {"kernel 3.0", LAYER("{'conv': {'kernel': 3.0}}"),
         "network[0].conv.kernel: found 3.0, expected an integer from 1 to 11, or [h, w] of such"},
        {"stride 0", LAYER("{'conv': {'stride': 0}}"),
         "network[0].conv.stride: found 0, expected an integer from 1 to 64, or [h, w] of such"},
        {"dilation 257", LAYER("{'conv': {'dilation': 257}}"),
         "network[0].conv.dilation: found 257, expected an integer from 1 to 256, or [h, w] of "
         "such"},
        {"padding -1", LAYER("{'conv': {'padding': -1}}"),
         "network[0].conv.padding: found -1, expected pixels from 0 to 4096" PADDINGS},
        {"padding 4097", LAYER("{'conv': {'padding': [0, 4097]}}"),
         "network[0].conv.padding: found [0,4097], expected pixels from 0 to 4096" PADDINGS},
        {"three paddings", LAYER("{'conv': {'padding': [1, 1, 1]}}"),
         "network[0].conv.padding: found [1,1,1], expected pixels from 0 to 4096" PADDINGS},
        {"padding valid", LAYER("{'conv': {'padding': 'valid'}}"),
         "network[0].conv.padding: found \"valid\", expected pixels from 0 to 4096" PADDINGS},
        {"groups 0", LAYER("{'conv': {'groups': 0}}"),
         "network[0].conv.groups: found 0, expected an integer from 1 to 131072"},
        {"groups of the input", LAYER("{'conv': {'groups': 3, 'channels': 6}}"),
         "network[0].conv.groups: found 3, expected a number that divides 4 channels in and 6 out"},
        {"groups of the output", LAYER("{'conv': {'groups': 4, 'channels': 6}}"),
         "network[0].conv.groups: found 4, expected a number that divides 4 channels in and 6 out"},
        {"{i} in a name", LAYER("{'conv': {'weights': 'a.{i}'}}"),
         "network[0].conv.weights: found \"a.{i}\", expected a name without {i} or {n}, which "
         "number branches"},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(graph_layers, refuses_pools_and_sizes)
{
    static const struct refusal refusals[] = {
        {"bare pool", LAYER("'max_pool'"),
         "network[0].max_pool.window: found nothing, expected the size of the window: pixels, or "
         "[h, w]"},
        {"no window", LAYER("{'avg_pool': {'stride': 2}}"),
         "network[0].avg_pool.window: found nothing, expected the size of the window: pixels, or "
         "[h, w]"},
        {"window 0", LAYER("{'avg_pool': {'window': [0, 2]}}"),
         "network[0].avg_pool.window: found [0,2], expected an integer from 1 to 65536, or [h, w] "
         "of such"},
        {"padding of the window", LAYER("{'max_pool': {'window': [3, 2], 'padding': 2}}"),
         "network[0].max_pool.padding: found 2, expected less than the window of 3 x 2"},
        {"counting of a max", LAYER("{'max_pool': {'window': 2, 'count_padding': false}}"),
         "network[0].max_pool: unknown key \"count_padding\"; known keys are window, stride, "
         "padding, ceil"},
        {"ceil 1", LAYER("{'max_pool': {'window': 2, 'ceil': 1}}"),
         "network[0].max_pool.ceil: found 1, expected true or false"},
        {"no bins", LAYER("{'adaptive_avg_pool': {}}"),
         "network[0].adaptive_avg_pool.bins: found nothing, expected the cells of the grid: a bin, "
         "or [h, w]"},
        {"bins 4097", LAYER("{'adaptive_avg_pool': {'bins': 4097}}"),
         "network[0].adaptive_avg_pool.bins: found 4097, expected an integer from 1 to 4096, or "
         "[h, w] of such"},
        {"bare resize", LAYER("'resize'"),
         "network[0].resize: found nothing, expected one of \"scale\", \"size\": [h, w] and "
         "\"like\": "
         "NAME"},
        {"scale and size", LAYER("{'resize': {'scale': 2, 'size': [1, 2]}}"),
         "network[0].resize: found {\"scale\":2,\"size\":[1,2]}, expected one of \"scale\", "
         "\"size\": [h, w] and \"like\": NAME"},
        {"scale 0", LAYER("{'resize': {'scale': 0}}"),
         "network[0].resize.scale: found 0, expected a number from 0.00390625 to 256"},
        {"size of a side", LAYER("{'resize': {'size': 4}}"),
         "network[0].resize.size: found 4, expected [h, w] in pixels"},
        {"one side", LAYER("{'resize': {'size': [4]}}"),
         "network[0].resize.size: found [4], expected [h, w] in pixels"},
        {"like what is not there", LAYER("{'resize': {'like': 'a'}}"),
         "network[0].resize.like: found \"a\", expected the name of an input or of an entry above: "
         "nothing has this one"},
        {"mode", LAYER("{'resize': {'scale': 2, 'mode': 'bilinear'}}"),
         "network[0].resize.mode: found \"bilinear\", expected \"align_corners\", \"half_pixel\", "
         "\"asymmetric\" or \"nearest\""},
    };
    check_refusals(refusals, COUNT(refusals));
}

Test(graph_layers, refuses_norms_and_channels)
{
    static const struct refusal refusals[] = {
        {"bare group norm", LAYER("'group_norm'"),
         "network[0].group_norm.groups: found nothing, expected a number that divides 4 channels"},
        {"groups of a norm", LAYER("{'group_norm': {'groups': 3}}"),
         "network[0].group_norm.groups: found 3, expected a number that divides 4 channels"},
        {"groups of a layer norm", LAYER("{'layer_norm': {'groups': 2}}"),
         "network[0].layer_norm: unknown key \"groups\"; known keys are eps, scale, center, "
         "weights"},
        {"scale of an affine", LAYER("{'affine': {'scale': 1e7}}"),
         "network[0].affine.scale: found 10000000.0, expected a number from -1e+06 to 1e+06"},
        {"shift of an affine", LAYER("{'affine': {'shift': '1'}}"),
         "network[0].affine.shift: found \"1\", expected a number from -1e+06 to 1e+06"},
        {"bare slice", LAYER("'slice'"),
         "network[0].slice.channels: found nothing, expected [from, to] with from < to <= 4, the "
         "channels of the map"},
        {"empty slice", LAYER("{'slice': {'channels': [2, 2]}}"),
         "network[0].slice.channels: found [2,2], expected [from, to] with from < to <= 4, the "
         "channels of the map"},
        {"slice beyond", LAYER("{'slice': {'channels': [0, 5]}}"),
         "network[0].slice.channels: found [0,5], expected [from, to] with from < to <= 4, the "
         "channels of the map"},
        {"softmax of a sum", LAYER("'channel_mean', 'softmax'"),
         "network[1]: found \"softmax\", expected \"sigmoid\": softmax of 1 channel is 1 "
         "everywhere"},
        {"options of a sum", LAYER("{'channel_sum': {'keepdim': true}}"),
         "network[0].channel_sum: unknown key \"keepdim\"; it has no options"},
    };
    check_refusals(refusals, COUNT(refusals));
}

#define IN_NODES                                                                                   \
    "in a pyramid that is a sum or a cascade, or whose branches are more than a 1x1 conv and "     \
    "layers of single pixels"

Test(graph_layers, refuses_pyramids)
{
    static const struct refusal refusals[] = {
        {"bare", LAYER("'pyramid'"),
         "network[0].pyramid.bins: found nothing, expected a list of 1 to 64, such as [1, 2, 3, "
         "6]"},
        {"unknown key", PYRAMID("'bins': [1], 'branch': [], 'head': []"),
         "network[0].pyramid: unknown key \"head\"; known keys are bins, windows, pool, branch, "
         "branches, upsample, upsample_to, concat, cascade, sum"},
        {"a name in a branch", PYRAMID("'bins': [1], 'branch': [{'resize': {'like': 'x'}}]"),
         "network[0].pyramid.branch[0].resize.like: found \"x\", expected \"scale\" or \"size\": a "
         "branch does not know the names of a network"},
        {"one default name", PYRAMID("'bins': [1], 'branch': ['conv', 'conv']"),
         "network[0].pyramid.branch[1]: found \"conv\", expected a \"weights\" name here: layer 0 "
         "has the default name network.0.branch.0.conv already"},
        {"channels of a sum",
         PYRAMID("'bins': [1], 'branch': [{'conv': {'channels': 3}}], 'sum': "
                 "true"),
         "network[0].pyramid.sum: found true, expected parts of the same channels: the first has 4 "
         "and part 1 has 3"},
        {"windows of bins in nodes",
         PYRAMID("'bins': [2], 'pool': 'same', 'branch': [], 'sum': true"),
         "network[0].pyramid.pool: found \"same\", expected \"adaptive\", or \"windows\" instead "
         "of bins, " IN_NODES},
        {"sizes of strides in nodes",
         PYRAMID("'windows': [2], 'pool': 'valid', 'upsample_to': 'stride_multiple', 'branch': "
                 "[{'conv': {'kernel': 3, 'padding': 1}}]"),
         "network[0].pyramid.upsample_to: found \"stride_multiple\", expected \"input\" " IN_NODES},
        {"nearest", PYRAMID("'bins': [2], 'branch': [], 'upsample': 'nearest'"),
         "network[0].pyramid.upsample: found \"nearest\", expected \"align_corners\", "
         "\"half_pixel\" or \"asymmetric\""},
        {"too wide",
         LAYER("{'pyramid': {'bins': [1, 2], 'branch': [{'conv': {'channels': 65535}}]}}"),
         "network[0]: found "
         "{\"pyramid\":{\"bins\":[1,2],\"branch\":[{\"conv\":{\"channels\":65535..., "
         "expected at most 131072 channels; its parts have 131074"},
    };
    check_refusals(refusals, COUNT(refusals));
}
