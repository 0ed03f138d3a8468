"""Modules of unknown kinds, with --base and --map; and downloaded safetensors without an export."""
import json

import heads
import numpy as np
import safetensors_io
import tensorflow_files as tf
import torch
from support import ROOT, ExportTest, random_features, random_network
from torch import nn

X = random_features(1, 6, 9, 10)


class Unknown(nn.Module):
    """Branches of a conv with bias, without norm, and a leaky relu, with unusual names."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.pyramid_1, self.pyramid_2 = nn.Conv2d(6, 2, 1), nn.Conv2d(6, 2, 1)
        self.fuse = nn.Conv2d(10, 4, 3, padding=1)

    def forward(self, x):
        pools = (nn.AdaptiveAvgPool2d(bins) for bins in (2, 5))
        maps = [heads.stretch(nn.functional.leaky_relu(conv(pool(x)), 0.1), x)
                for pool, conv in zip(pools, (self.pyramid_1, self.pyramid_2))]
        return self.fuse(torch.cat([*maps, x], dim=1))


BASE = {"name": "mine", "input": {"channels": 6}, "bins": [2, 5],
        "branch": [{"conv": {"channels": 2}}, {"leaky_relu": {"slope": 0.1}}],
        "concat": "input_last", "head": [{"conv": {"channels": 4, "kernel": 3}}]}
LINES = ["branch.{i}.conv.weight = pyramid_{n}.weight", "branch.{i}.conv.bias=pyramid_{n}.bias",
         "head.0.conv.weight = fuse.weight"]


class Mapped(ExportTest):
    def base(self, **changes):
        path = self.folder / "base.json"
        path.write_text(json.dumps({**BASE, **changes}))
        return "--base", str(path)

    def map_file(self, lines):
        path = self.folder / "names.map"
        path.write_text("# names\n\n" + "\n".join(lines))
        return "--map-file", str(path)

    def test_file_and_options(self):
        network = random_network(Unknown)
        printed = self.export(self.save(network.state_dict()), *self.base(), *self.map_file(LINES),
                              "--map", "head.0.conv.bias=fuse.bias")
        self.assertIn("skipped 2 tensors of the rest of the network: stem (2)", printed)
        self.assert_same(self.serve(X), network(X))

    def test_names_as_they_are(self):
        """A layer of the base may name the checkpoint's tensors itself; then it needs no line."""
        network = random_network(Unknown)
        head = [{"conv": {"channels": 4, "kernel": 3, "weights": "fuse"}}]
        self.export(self.save(network.state_dict()), *self.base(head=head),
                    *self.map_file(LINES[:2]))
        self.assert_same(self.serve(X), network(X))

    def test_by_beginnings(self):
        """A line may name a layer, or the common beginning of several; the longest match wins."""
        network = random_network(Unknown)
        path = self.save({f"module.{key}": value for key, value in network.state_dict().items()})
        for lines in (["branch.{i}.conv = module.pyramid_{n}", "head.0.conv=module.fuse"],
                      ["branch.{i}.conv. = module.pyramid_{n}.", "head.0.conv = module.nothing",
                       "head.0.conv.weight = module.fuse.weight", "head.0.conv.bias = module.fuse.bias"]):
            self.export(path, *self.base(), *self.map_file(lines))
            self.assert_same(self.serve(X), network(X))
        self.export(self.save({f"head.0.conv.{leaf}": value for leaf, value in network.fuse.state_dict().items()}
                              | {f"a.{n}.b.{leaf}": value for n in (0, 1) for leaf, value in
                                 (network.pyramid_1, network.pyramid_2)[n].state_dict().items()}), *self.base(),
                    "--map", "branch.{i}.conv=a.{i}.b")
        self.assert_same(self.serve(X), network(X))

    def test_short_sentences(self):
        path = self.save(random_network(Unknown).state_dict())
        self.assert_refuses("has no tensor branch.0.cnv; layers with tensors are branch.0.conv, branch.1.conv, "
                            "head.0.conv", path, *self.base(), "--map", "branch.{i}.cnv=pyramid_{n}")
        self.assert_refuses("has no pyramid_0.weight for branch.0.conv.weight; --list shows what is there", path,
                            *self.base(), "--map", "branch.{i}.conv=pyramid_{i}")
        weights = {key: value for key, value in random_network(Unknown).state_dict().items() if key != "fuse.bias"}
        self.assert_refuses("if fuse has none, write \"bias\": false in its layer", self.save(weights), *self.base(),
                            "--map", "branch.{i}.conv=pyramid_{n}", "--map", "head.0.conv=fuse")

    def test_defaults(self):
        """The tool has the same defaults as the server."""
        class Defaults(nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b, self.act = nn.Conv2d(6, 6, 1), nn.Conv2d(18, 18, 1), nn.PReLU()

            def forward(self, x):
                maps = [heads.stretch(self.act(self.a(nn.functional.adaptive_avg_pool2d(x, n))), x) for n in (1, 3)]
                y = self.b(torch.cat([x, *maps], 1))
                return nn.functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)

        network = random_network(Defaults)
        base = {"input": {"channels": 6}, "bins": [1, 3], "branch": [{"conv": {"weights": "a"}},
                                                                    {"prelu": {"weights": "act"}}],
                "head": [{"conv": {"weights": "b"}}]}
        (self.folder / "base.json").write_text("\ufeff" + json.dumps(base), encoding="utf-8")
        self.export(self.save(network.state_dict()), "--base", str(self.folder / "base.json"), "--scale", "2")
        self.assertNotIn("upsample", self.config()["output"])
        self.assertNotIn("concat", self.config())
        self.assert_same(self.serve(X), network(X))
        self.model.unlink()
        for change, sentence in (({"input": {}}, "input.channels: found nothing"), ({"bins": None}, "bins: found nothing"),
                                 ({"head": [{"conv": {"kernel": 2}}]}, "head: conv.kernel: found 2, expected 1 or 3"),
                                 ({"branches": []}, "expected either branch"), ({"head": [{"conv": 3}]}, "found 3")):
            (self.folder / "base.json").write_text(json.dumps({**base, **change}))
            self.assert_refuses(sentence, self.save(network.state_dict()), "--base", str(self.folder / "base.json"))

    def test_output_of_the_base(self):
        """An option changes only what it names."""
        path, lines = self.save(random_network(Unknown).state_dict()), self.map_file([
            "branch.{i}.conv = pyramid_{n}", "head.0.conv = fuse"])
        output = {"scale": 8, "upsample": "half_pixel", "as": "argmax", "palette": [[0, 0, 0]] * 4}
        for options, want in (
                ((), output), (("--as", "argmax"), output),
                (("--as", "values"), {"scale": 8, "upsample": "half_pixel", "as": "values"}),
                (("--scale", "2"), {**output, "scale": 2}),
                (("--size", "9,8"), {key: value for key, value in output.items() if key != "scale"} | {"size": [9, 8]})):
            with self.subTest(options=options):
                printed = self.export(path, *self.base(output=dict(output)), *lines, *options)
                self.assertEqual("the base's palette is left out" in printed, "values" in options)
                self.assertEqual(self.config()["output"], want)
                self.serve(X)

    def test_one_channel(self):
        path = self.save(random_network(Unknown).state_dict())
        one = [{"conv": {"channels": 4, "kernel": 3, "weights": "fuse"}}, {"conv": {"channels": 1}}]
        for changes in ({"output": {"as": "argmax"}}, {"output": {"as": "softmax"}}, {"head": [*one, "softmax"]}):
            self.assert_refuses("a sigmoid", self.save({
                **random_network(Unknown).state_dict(), "head.1.conv.weight": torch.ones(1, 4, 1, 1),
                "head.1.conv.bias": torch.ones(1)}), *self.base(**{"head": one, **changes}), "--map",
                "branch.{i}.conv=pyramid_{n}")
        weights = {**random_network(Unknown).state_dict(), "fuse.weight": torch.ones(4, 8, 3, 3)}
        for i in range(2):
            weights.update({f"pyramid_{i + 1}.weight": torch.ones(1, 6, 1, 1), f"pyramid_{i + 1}.bias": torch.ones(1)})
        self.assert_refuses("branch 0 has 1 channel, whose softmax is always 1", self.save(weights), *self.base(
            branch=[{"conv": {"channels": 1}}, "softmax"]), *self.map_file([*LINES, "head.0.conv.bias = fuse.bias"]))
        self.assertTrue(path.exists())

    def test_keras_to_either_layout(self):
        """Kernels of an .h5 are permuted for a base with PyTorch's layout, and copied for HWIO."""
        pyramid = tf.Pyramid(6, 2, 3, [("a", "a_bn"), ("b", "b_bn")], ("c", "c_bn", "d"), {}, 1e-5)
        tf.write_h5(self.folder / "c.h5", pyramid.layers)
        head = [{"conv": {"channels": 6, "kernel": 3, "bias": False}}, "batch_norm", "relu",
                {"conv": {"channels": 3}}]
        branches = [[{"conv": {"channels": 2, "bias": False}}, "batch_norm", "relu"]] * 2
        maps = [f"{ours}={theirs}:0" for ours, theirs in (
            ("branch.0.conv.weight", "a/kernel"), ("branch.1.conv.weight", "b/kernel"),
            ("head.0.conv.weight", "c/kernel"), ("head.1.conv.weight", "d/kernel"),
            ("head.1.conv.bias", "d/bias"))]
        maps += [f"{ours}.{leaf}={theirs}/{name}:0" for ours, theirs in (
            ("branch.0.batch_norm", "a_bn"), ("branch.1.batch_norm", "b_bn"),
            ("head.0.batch_norm", "c_bn")) for leaf, name in (
                ("weight", "gamma"), ("bias", "beta"), ("running_mean", "moving_mean"),
                ("running_var", "moving_variance"))]
        pools = [nn.AdaptiveAvgPool2d(2), nn.AdaptiveAvgPool2d(5)]
        want = pyramid.compute(X, pools, tf.align_corners)
        for layout in ("OIHW", "HWIO"):
            base = {key: value for key, value in BASE.items() if key != "branch"} | {
                "branches": branches, "head": head, "concat": "input_first",
                "weights": {"kernel_layout": layout, "random": 1}}
            (self.folder / "base.json").write_text(json.dumps(base))
            self.export(self.folder / "c.h5", "--base", str(self.folder / "base.json"),
                        *self.map_file(maps))
            self.assert_same(self.serve(X), want)

    def test_refusals(self):
        path = self.save(random_network(Unknown).state_dict())
        for lines, sentence in (
                (LINES, "has no head.0.conv.bias for head.0.conv.bias; --list shows what is there"),
                ([*LINES, "head.0.conv.bias = fuse.b"], "has no fuse.b for head.0.conv.bias"),
                ([*LINES, "head.0.conv.bias = fuse.weight"],
                 "fuse.weight has shape [4, 10, 3, 3], expected [4]"),
                ([*LINES, "head.1.conv.bias = x"], "has no tensor head.1.conv.bias; layers"),
                ([*LINES, "head.0.conv.weight = x"], "head.0.conv.weight is mapped to fuse.weight"),
                ([*LINES, "fuse.bias"], "names.map:6: found 'fuse.bias', expected TENSOR = KEY")):
            with self.subTest(sentence=sentence):
                self.assert_refuses(sentence, path, *self.base(), *self.map_file(lines))
        self.assert_refuses("not a model's JSON", path, *self.base(head=3))
        self.assert_refuses("input: found 5, expected an object", path, *self.base(input=5))
        self.assert_refuses("branch 0: found 5, expected layers such as", path, *self.base(branch=[5]))
        for text, sentence in ((b"{", "base.json: not JSON: "), (b"\xff\xfe{", "base.json: found bytes that are")):
            (self.folder / "base.json").write_bytes(text)
            self.assert_refuses(sentence, path, "--base", str(self.folder / "base.json"))
        self.assert_refuses("none.json: cannot read it", path, "--base", "none.json")


class OwnNetwork(nn.Module):
    """What a head cannot be: depthwise, a GroupNorm, a shortcut, two kinds of PReLU, a pyramid in the middle."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(6, 8, (3, 1), padding=(1, 0)), nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.gn, self.ln = nn.GroupNorm(2, 8), nn.LayerNorm(8)
        self.one, self.each = nn.PReLU(), nn.PReLU(8)
        self.level_1, self.level_2 = nn.Conv2d(8, 3, 1), nn.Conv2d(8, 3, 1)
        self.last = nn.Conv2d(14, 4, 1)

    def forward(self, x):
        x = self.one(self.a(x))
        x = x + self.each(self.gn(self.b(x)))
        x = self.ln(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        pools = ((self.level_1, 1), (self.level_2, 3))
        maps = [heads.stretch(conv(nn.functional.adaptive_avg_pool2d(x, bins)), x) for conv, bins in pools]
        return self.last(torch.cat([x, *maps], 1))


NETWORK = {"input": {"channels": 6}, "network": [
    {"conv": {"channels": 8, "kernel": [3, 1], "padding": [1, 0], "weights": "a"}},
    {"prelu": {"weights": "one"}, "name": "s"},
    {"conv": {"kernel": 3, "padding": 1, "groups": 8, "bias": False}}, {"group_norm": {"groups": 2}, "name": "n"},
    {"prelu": {}, "name": "e"}, {"add": ["s", "e"]}, {"layer_norm": {}, "name": "ln"},
    {"pyramid": {"bins": [1, 3], "branch": [{"conv": {"channels": 3}}]}},
    {"conv": {"channels": 4, "weights": "last"}}]}


class MappedNetworks(ExportTest):
    def base(self, config):
        path = self.folder / "base.json"
        path.write_text(json.dumps(config))
        return "--base", str(path)

    def test_network(self):
        """--base takes what the server takes."""
        network = random_network(OwnNetwork)
        lines = ("network.2.conv=b", "n=gn", "e=each", "network.7.branch.{i}.conv=level_{n}")
        maps = [part for line in lines for part in ("--map", line)]
        printed = self.export(self.save(network.state_dict()), *self.base(NETWORK), *maps)
        self.assertIn("x [N, 6, H, W], y [N, 4, H, W], ", printed)
        self.assert_same(self.serve(X), network(X))
        self.export(self.save(network.state_dict()), *self.base(NETWORK), *maps, "--as", "argmax", "--scale", "2")
        self.assertEqual(self.config()["output"], {"scale": 2, "as": "argmax"})

    def test_depthwise_kernels_of_keras(self):
        """[H, W, C, 1], where other kernels are [H, W, I, O]."""
        layers = {"first": tf.conv(6, 8, bias=True), "each": {"depthwise_kernel": tf.conv(8, 1, 3)["kernel"]},
                  "last": tf.conv(8, 4)}
        tf.write_h5(self.folder / "c.h5", layers)
        entries = [{"conv": {"channels": 8, "weights": "first"}},
                   {"conv": {"kernel": 3, "padding": "same", "groups": 8, "bias": False, "weights": "each"}},
                   {"conv": {"channels": 4, "bias": False, "weights": "last"}}]
        weights = [torch.from_numpy(layer[leaf]) for layer in layers.values() for leaf in layer if "kernel" in leaf]
        x = nn.functional.conv2d(X, weights[0].permute(3, 2, 0, 1), torch.from_numpy(layers["first"]["bias"]))
        x = nn.functional.conv2d(x, weights[1].permute(2, 3, 0, 1), padding=1, groups=8)
        want = nn.functional.conv2d(x, weights[2].permute(3, 2, 0, 1))
        slim = {"kernel": "weights", "depthwise_kernel": "depthwise_weights", "bias": "biases"}
        np.savez(self.folder / "c.npz", **{f"{name}/{slim[leaf]}": value for name, layer in layers.items()
                                           for leaf, value in layer.items()})
        for name in ("c.h5", "c.npz"):
            for layout in ({}, {"weights": {"kernel_layout": "HWIO"}}):
                self.export(self.folder / name, *self.base({"input": {"channels": 6}, "network": entries, **layout}))
                self.assert_same(self.serve(X), want)

    def test_sentences(self):
        path = self.save(random_network(OwnNetwork).state_dict())
        for change, sentence in (
                ({"network": []}, "network: expected a list of entries"),
                ({"network": [{"relu": {}, "from": "z"}]}, "network entry 0: found 'z', expected the name of an entry"),
                ({"network": ["relu", {"conv": {}, "relu": {}}]}, "network entry 1: expected a layer such as"),
                ({"network": [{"add": {}}]}, "network entry 0: add: expected a list of names"),
                ({"input": {}}, "x.channels: expected how many channels"),
                ({"inputs": {}}, "expected either input, or inputs"),
                ({"network": NETWORK["network"][:4]}, "has no network.2.conv.weight for network.2.conv.weight")):
            with self.subTest(sentence=sentence):
                self.assert_refuses(sentence, path, *self.base({**NETWORK, **change}))
        inputs = {"a": {"channels": 8}, "b": {"channels": 8}}
        self.assert_refuses("network entry 0: expected \"from\", since there are several inputs", path,
                            *self.base({"inputs": inputs, "network": ["relu"]}))
        self.export(path, *self.base({"inputs": inputs, "network": [{"add": ["a", "b"]}, {"group_norm": {
            "groups": 4, "weights": "gn"}}]}))


class AsDownloaded(ExportTest):
    def test_hand_written_model_names_a_networks_safetensors(self):
        """docs/weights.md: the whole network's file as it is, the keys in the JSON."""
        network = random_network(heads.Semseg)
        tensors = {f"module.{key}": (tuple(value.shape), value.numpy().reshape(-1))
                   for key, value in network.state_dict().items()}
        safetensors_io.save(self.folder / "whole.safetensors", tensors)
        config = json.loads((ROOT / "configs/models/semseg-pspnet50.json").read_text())
        config["input"]["channels"], config["weights"] = 8, {
            "file": "whole.safetensors", "prefix": "module."}
        config["branch"][0]["conv"]["channels"] = 2
        for layer, channels in ((0, 6), (3, 5)):
            config["head"][layer]["conv"]["channels"] = channels
        del config["warm_up"], config["output"]
        self.model.write_text(json.dumps(config))
        x = random_features(1, 8, 9, 11)
        self.assert_same(self.serve(x), network(x))
