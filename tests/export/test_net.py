"""tools/networks/net.py: what the writer of networks takes from a checkpoint's tensors, and what it refuses."""
from collections import namedtuple

import pytest
import support  # noqa: F401: the path of tools/
import torch
from networks import Unfit
from networks.literal import Literal
from networks.net import Given, Net

Shaped = namedtuple("Shaped", "shape layout", defaults=("OIHW",))


def norm(at, channels):
    return {f"{at}.{leaf}": Shaped((channels,)) for leaf in ("weight", "bias", "running_mean", "running_var")}


def test_options_come_from_shapes():
    net = Net({"m.a.weight": Shaped((8, 3, 3, 3)), "m.a.bias": Shaped((8,)), **norm("m.b", 8),
               "m.c.weight": Shaped((8, 1, 3, 3)), "m.d.weight": Shaped((1, 1, 8, 4), "HWIO"),
               "m.e.weight": Shaped((5, 4)), "m.b.num_batches_tracked": Shaped(())}, "m.")
    x = net.relu(net.conv_norm(net.input(3), "a", "b", bias=True, stride=2))
    y = net.conv(net.conv(net.conv(x, "c", dilation=2), "d"), "e")
    net.output(size="input", upsample="half_pixel")
    assert net.config() == {
        "input": {"channels": 3},
        "network": [{"conv": {"channels": 8, "kernel": 3, "stride": 2, "padding": 1, "weights": "a"}},
                    {"batch_norm": {"weights": "b"}}, "relu",
                    {"conv": {"channels": 8, "kernel": 3, "padding": 2, "dilation": 2, "groups": 8, "bias": False,
                              "weights": "c"}},
                    {"conv": {"channels": 4, "bias": False, "weights": "d"}},
                    {"conv": {"channels": 5, "bias": False, "weights": "e"}}],
        "output": {"size": "input", "upsample": "half_pixel"}}
    assert y.channels == 5 and net.unused() == ["m.b.num_batches_tracked"]
    assert net.sources["d.weight"] == ("m.d.weight", (4, 8, 1, 1), (3, 2, 0, 1))
    assert net.assumed == {"eps": [1e-5], "backbone": ["relu"], "upsample": ["half_pixel"]}


def test_branches_of_a_pyramid_become_one_where_only_their_numbers_differ():
    def written(names):
        net = Net({f"{name}.weight": Shaped((2, 4, 1, 1)) for name in names})
        net.pyramid(net.input(4), (1, 2), lambda x, i: net.relu(net.conv(x, names[i])), upsample="half_pixel")
        return net.config()["network"][0]["pyramid"], net.last.channels

    conv = {"channels": 2, "bias": False}
    assert written(["p.0.1", "p.1.1"])[0]["branch"] == [{"conv": {**conv, "weights": "p.{i}.1"}}, "relu"]
    assert written(["p1", "p2"])[0]["branch"] == [{"conv": {**conv, "weights": "p{n}"}}, "relu"]
    pyramid, channels = written(["level6", "level3"])
    assert pyramid["branches"] == [[{"conv": {**conv, "weights": f"level{n}"}}, "relu"] for n in (6, 3)]
    assert channels == 8


def test_names_are_given_where_an_entry_is_read_again():
    net = Net({f"{name}.weight": Shaped((3, 3, 1, 1)) for name in "ab"})
    x = net.conv(net.input(3), "a")
    net.concat(net.add(net.conv(x, "b"), x), net.slice(x, 1, 3))
    conv = {"channels": 3, "bias": False}
    assert net.config()["network"] == [
        {"conv": {**conv, "weights": "a"}, "name": "conv0"}, {"conv": {**conv, "weights": "b"}, "name": "conv1"},
        {"add": ["conv1", "conv0"], "name": "add2"},
        {"slice": {"channels": [1, 3]}, "from": "conv0", "name": "slice3"}, {"concat": ["add2", "slice3"]}]
    assert net.last.channels == 5


def test_several_inputs_are_read_by_their_names():
    net = Net({}, layout="NHWC")
    net.add(net.input(4, "c2"), net.input(4, "c3"))
    assert net.config() == {"inputs": {name: {"channels": 4, "layout": "NHWC"} for name in ("c2", "c3")},
                            "network": [{"add": ["c2", "c3"]}]}


def test_options_of_the_user_go_before_the_network_s():
    given = Given({"head": {"leaky_relu": {"slope": 0.1}}, "branch": "none"}, 1e-3, "align_corners")
    net = Net({**norm("n", 3), "c.weight": Shaped((3, 3, 1, 1))}, given=given)
    x = net.relu(net.norm(net.input(3), "n"))
    net.part = "head"
    x = net.pyramid(net.relu(x), (1,), lambda x, i: net.relu(net.conv(x, "c")), upsample="half_pixel")
    assert [entry if isinstance(entry, str) else list(entry) for entry in net.config()["network"]] == [
        ["batch_norm"], "relu", ["leaky_relu"], ["pyramid"]]
    assert len(net.config()["network"][-1]["pyramid"]["branch"]) == 1
    assert net.assumed == {"eps": [1e-3], "backbone": ["relu"], "head": [{"leaky_relu": {"slope": 0.1}}],
                           "branch": ["none"], "upsample": ["align_corners"], "bins": [(1,)], "pool": ["adaptive"],
                           "concat": ["input_first"]}


@pytest.mark.parametrize("shape, write, sentence", [
    ((8, 4, 1, 1), lambda net, x: net.conv(x, "a"), "has m.a.weight of shape [8, 4, 1, 1], which does not fit a map "
                                                    "of 6 channels"),
    ((8, 3, 1, 1), lambda net, x: net.conv(x, "a"), "which does not fit a map of 6 channels"),
    ((8,), lambda net, x: net.conv(x, "a"), "has m.a.weight of shape [8], expected a convolution's"),
    ((8, 0, 3, 3), lambda net, x: net.conv(x, "a", groups="any"), "of shape [8, 0, 3, 3], which holds nothing"),
    ((8, 6, 3, 3), lambda net, x: net.conv(x, "a", kernel=1), "with a kernel of 3 x 3, expected 1 x 1"),
    ((8, 6, 1, 2), lambda net, x: net.conv(x, "a"), "with a kernel of 1 x 2, expected odd sides up to 11"),
    ((8, 6, 13, 1), lambda net, x: net.conv(x, "a", padding=0), "of 13 x 1, expected odd sides up to 11"),
    ((8,), lambda net, x: net.dimension("a.weight", 1), "of shape [8], expected 2 dimensions or more"),
    ((8, 6, 1, 1), lambda net, x: net.conv(x, "b"), "lacks m.b.weight"),
    ((8, 6, 1, 1), lambda net, x: net.conv(x, "a", bias=True), "lacks m.a.bias"),
    ((3,), lambda net, x: net.prelu(x, "a"), "has m.a.weight of 3 slopes, expected 1 or 6"),
    ((3, 3, 6, 2), lambda net, x: net.depthwise(x, "a"), "expected [H, W, 6, 1]"),
    ((5,), lambda net, x: net.layer_norm(x, "a", center=False), "has m.a.weight of shape [5], expected [6]"),
])
def test_a_tensor_that_does_not_fit_is_named(shape, write, sentence):
    net = Net({"m.a.weight": Shaped(shape)}, "m.")
    with pytest.raises(Unfit) as refused:
        write(net, net.input(6))
    assert sentence in str(refused.value)


def test_the_image_has_the_channels_of_the_first_convolution():
    net = Net({"m.a.weight": Shaped((8, 4, 3, 3)), "m.b.weight": Shaped((8,))}, "m.")
    net.conv(net.image("a"), "a")
    assert net.config()["input"] == {"channels": 4}
    with pytest.raises(Unfit, match="has m.b.weight of shape .8., expected a convolution's"):
        net.image("b")


def test_a_network_of_any_length_is_stopped():
    net = Net({})
    x = net.input(3)
    with pytest.raises(Unfit) as refused:
        while True:
            x = net.relu(x)
    assert str(refused.value) == "has more than 4096 layers, which is all that a model may have"


def test_several_inputs_are_named():
    net = Net({})
    x = net.input(3)
    y = net.relu(x)  # before there is another one
    net.add(y, net.input(3, "y"))
    assert net.config() == {"inputs": {"x": {"channels": 3}, "y": {"channels": 3}},
                            "network": [{"relu": {}, "from": "x", "name": "relu0"}, {"add": ["relu0", "y"]}]}


def test_literal_wants_the_names_of_several_inputs():
    config = {"inputs": {"x": {"channels": 3}, "y": {"channels": 3}}, "network": ["relu", {"add": ["x", "y"]}]}
    with pytest.raises(AssertionError, match="has no from"):
        Literal(config, {})({name: torch.ones(1, 3, 2, 2) for name in ("x", "y")})
