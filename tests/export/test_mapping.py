"""Modules of no known kind, by --base and --map; and safetensors as downloaded, with no export."""
import json

import networks
import safetensors_io
import tensorflow_files as tf
import torch
from support import ROOT, ExportTest, random_features, random_network
from torch import nn

X = random_features(1, 6, 9, 10)


class Unknown(nn.Module):
    """Branches of a norm-less conv with bias and a leaky relu, named like nobody else's."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.pyramid_1, self.pyramid_2 = nn.Conv2d(6, 2, 1), nn.Conv2d(6, 2, 1)
        self.fuse = nn.Conv2d(10, 4, 3, padding=1)

    def forward(self, x):
        pools = (nn.AdaptiveAvgPool2d(bins) for bins in (2, 5))
        maps = [networks.stretch(nn.functional.leaky_relu(conv(pool(x)), 0.1), x)
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
        """A layer of the base may name the checkpoint's tensors itself; it needs no line then."""
        network = random_network(Unknown)
        head = [{"conv": {"channels": 4, "kernel": 3, "weights": "fuse"}}]
        self.export(self.save(network.state_dict()), *self.base(head=head),
                    *self.map_file(LINES[:2]))
        self.assert_same(self.serve(X), network(X))

    def test_keras_to_either_layout(self):
        """Kernels of an .h5 go into a base of PyTorch's layout, and stay as they are for HWIO."""
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
                ([*LINES, "head.1.conv.bias = x"], "has no tensor head.1.conv.bias, its"),
                ([*LINES, "head.0.conv.weight = x"], "head.0.conv.weight is mapped to fuse.weight"),
                ([*LINES, "fuse.bias"], "names.map:6: found 'fuse.bias', expected TENSOR = KEY")):
            with self.subTest(sentence=sentence):
                self.assert_refuses(sentence, path, *self.base(), *self.map_file(lines))
        self.assert_refuses("not a model's JSON", path, *self.base(head=3))
        self.assert_refuses("none.json: cannot read it", path, "--base", "none.json")


class AsDownloaded(ExportTest):
    def test_hand_written_model_names_a_networks_safetensors(self):
        """docs/weights.md: the whole network's file as it is, the keys in the JSON."""
        network = random_network(networks.Semseg)
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
