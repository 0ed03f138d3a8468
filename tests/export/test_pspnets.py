"""Whole PSPNets: what tools/export.py makes of their checkpoints, and ppm-server of that, is what PyTorch computes.

The expected values are float64's. PyTorch's own float32 has an error too, and ppm-server's may be a few times that."""
import copy
import re
from types import SimpleNamespace

import modules_pspnet as modules
import modules_smp
import numpy as np
import pytest
import torch
from support import ExportTest
from whole import difference, drawn, picture

ERROR_MAX = 4  # times PyTorch's
EQUAL_MIN = 0.9995  # of the labels
SIZES = ((65, 97), (71, 83))
EIGHTS = ((64, 96), (72, 104))  # where a network takes multiples of 8 alone

NETWORKS = {
    "semseg-50": (modules.Semseg, SIZES, ()),
    "semseg-101": (lambda: modules.Semseg(101, base=4), SIZES, ()),
    "semseg-bins": (lambda: modules.Semseg(50, base=4, bins=(1, 4)), SIZES, ("--bins", "1,4")),
    "lextal-resnet18": (lambda: modules.lextal_resnet(18), SIZES, ()),
    "lextal-resnet50": (lambda: modules.lextal_resnet(50), SIZES, ()),
    "lextal-squeezenet": (modules.lextal_squeezenet, SIZES, ()),
    "lextal-densenet": (modules.lextal_densenet, SIZES, ()),
    "bubbliiiing-mobilenet": (lambda: modules.bubbliiiing_mobilenet(16), SIZES, ()),
    "bubbliiiing-mobilenet-8": (lambda: modules.bubbliiiing_mobilenet(8), SIZES, ("--stride", "8")),
    "bubbliiiing-resnet50": (lambda: modules.bubbliiiing_resnet50(16), SIZES, ()),
    "bubbliiiing-resnet50-8": (lambda: modules.bubbliiiing_resnet50(8), SIZES, ("--stride", "8")),
    "smp-resnet34": (lambda: modules_smp.smp_resnet(34), EIGHTS, ()),
    "smp-resnet50": (lambda: modules_smp.smp_resnet(50, channels=4, has_norm=False), EIGHTS, ()),
    "smp-resnext50": (lambda: modules_smp.smp_resnet(50, groups=4), EIGHTS, ()),
    "smp-resnet18-depth5": (lambda: modules_smp.smp_resnet(18, 5, upsampling=32), EIGHTS, ("--scale", "32")),
    "smp-densenet": (modules_smp.smp_dense, EIGHTS, ()),
    "smp-densenet-depth5": (lambda: modules_smp.smp_dense(5), EIGHTS, ()),
    "smp-vgg": (lambda: modules_smp.smp_vgg(False), EIGHTS, ()),
    "smp-vgg-norms": (lambda: modules_smp.smp_vgg(True), EIGHTS, ()),
    "smp-vgg-depth4": (lambda: modules_smp.smp_vgg(False, 4), EIGHTS, ("--depth", "4")),
    "smp-vgg-depth5": (lambda: modules_smp.smp_vgg(True, 5), EIGHTS, ("--depth", "5")),
    "smp-mobilenet": (modules_smp.smp_mobilenet, EIGHTS, ()),
    "smp-mobilenet-depth5": (lambda: modules_smp.smp_mobilenet(5), EIGHTS, ()),
}


@pytest.fixture(name="test")
def prepared(request):
    test = ExportTest()
    request.addfinalizer(test.doCleanups)
    test.setUp()
    return test


def channels_of(module):
    return next(iter(module.parameters())).shape[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_network(test, name):
    make, sizes, options = NETWORKS[name]
    module = make()
    images = [picture(f"{name}/{size}", 1, channels_of(module), *size) for size in sizes]
    drawn(module, images[0])
    printed = test.export(test.save({"epoch": 3, "state_dict": {f"module.{key}": values for key, values in
                                                               module.state_dict().items()}}), *options)
    assert ", the whole network\n" in printed and " at 'module.'" in printed
    exact = copy.deepcopy(module).double()
    for x in images:
        want, y = exact(x.double()).numpy(), test.serve(x)
        error, pytorchs = difference(y, want), difference(module(x).numpy(), want)
        assert error <= ERROR_MAX * pytorchs, f"{error:.1e}, PyTorch's is {pytorchs:.1e}"
        labels = want.argmax(1)
        assert np.mean(y.argmax(1) == labels) >= EQUAL_MIN and len(np.unique(labels)) > 1


IMAGE = picture("image", 1, 3, 57, 73)


def small(**options):
    return drawn(modules.Semseg(base=2, **options), IMAGE)


def without(weights, *starts):
    return {key: values for key, values in weights.items() if not key.startswith(starts)}


class Reports(ExportTest):
    def test_what_is_assumed_and_skipped(self):
        printed = self.export(self.save(small().state_dict()))
        path = self.folder / "checkpoint.pth"
        self.assertEqual(printed.splitlines()[0], f"{path}: semseg (hszhao/semseg: PSPNet), the whole network")
        self.assertIn("\n  x [N, 3, H, W], y [N, 5, H, W], ", printed)
        self.assertIn(" from the network's code: bins 1, 2, 3, 6, adaptive, align_corners, input_first, a backbone "
                      "with relu, branches with relu, a head with relu, eps 1e-05\n", printed)
        self.assertIn("\n  skipped 7 tensors that inference does not need: aux (7)\n", printed)
        self.assertIn("\n  note: it was trained with RGB images from 0 to 255, less 123.675", printed)

    def test_what_was_found(self):
        """A backbone that lost a block is still a network: its depth is shown."""
        weights = {f"module.{key}": values for key, values in small().state_dict().items()}
        printed = self.export(self.save({**without(weights, "module.layer4.2."), "n_averaged": torch.tensor(3)}))
        self.assertIn("\n  its backbone: a ResNet with stages of 3, 4, 6, 2 blocks\n", printed)
        self.assertIn("does not need: module.aux (7), n_averaged (1)\n", printed)
        path = self.save(drawn(modules_smp.smp_resnet(18, channels=4), picture("image", 1, 4, 48, 64)).state_dict())
        self.assertNotIn("RGB", self.export(path))
        self.assertIn("\n  x [N, 4, H, W], y [N, 5, H, W], ", self.export(path))
        self.assertIn("\n  x [N, 4, H, W], y [N, 1, H/4, W/4], ", self.export(path, "--scale", "2", "--as", "argmax"))
        self.model.unlink()
        self.assert_refuses("holds one tensor, expected a state_dict", self.save(torch.ones(3)))

    def test_the_same_under_other_entries_and_prefixes(self):
        """Optimizers, counters and losses beside the weights; an old file; a checkpoint without an auxiliary head."""
        network = small()
        weights, want = network.state_dict(), network(IMAGE)
        moments = {"state": {i: {"exp_avg": values} for i, values in enumerate(weights.values())}}
        for saved, options in (
                ({"epoch": 7, "state_dict": weights, "optimizer": moments}, {}),
                ({"state_dict": {f"model.{key}": values for key, values in weights.items()}
                  | {"criterion.weight": torch.ones(5), "loss.weight": torch.ones(5), "mean": torch.zeros(3, 1, 1)},
                  "optimizer_states": [moments]}, {}),
                ({f"module.net.{key}": values for key, values in weights.items()},
                 {"_use_new_zipfile_serialization": False}),
                ({"n_averaged": torch.tensor(5), "initted": torch.tensor(True), "val_iou.confmat": torch.zeros(5, 5),
                  **{f"module._orig_mod.{key}": values for key, values in weights.items()}}, {}),
                (without(weights, "aux."), {}),
                ({key: values for key, values in weights.items() if not key.endswith("num_batches_tracked")}, {}),
                ({key: values.double() for key, values in weights.items()}, {})):
            with self.subTest(keys=list(saved)[:2]):
                self.assertIn("the whole network\n", self.export(self.save(saved, **options)))
                self.assert_same(self.serve(IMAGE), want)

    def test_beside_another_network(self):
        """What is elsewhere in the file may be a part of the computation, unless the user says which network it is."""
        network = small()
        weights = {f"student.{key}": values for key, values in network.state_dict().items()}
        path = self.save({**weights, "refine.weight": torch.ones(5, 5, 1, 1)})
        printed = self.export(path)
        self.assertIn("note: this is the head alone: the whole network looks like semseg (hszhao/semseg: PSPNet) at "
                      "'student.', but also has refine.weight, which that network does not have\n", printed)
        printed = self.export(path, "--prefix", "student.")
        self.assertIn("skipped 8 tensors that inference does not need, or elsewhere than at --prefix: student.aux (7), "
                      "refine (1)\n", printed)
        self.assert_same(self.serve(IMAGE), network(IMAGE))

    def test_the_network_without_a_prefix(self):
        """Averaged weights beside it, under a prefix or as buffers: --prefix "" leaves these out."""
        network = small()
        weights, averaged = network.state_dict(), small(classes=5).state_dict()
        for name in ("ema.{}", "ema_{}"):
            others = {name.format(key if "." in name else key.replace(".", "_")): 2 * values
                      for key, values in averaged.items()}
            path = self.save({**weights, **others})
            self.assertIn("the whole network\n", self.export(path, "--prefix", ""))
            self.assert_same(self.serve(IMAGE), network(IMAGE))
        self.assertIn("also has layer1.0.se.weight",
                      self.export(self.save({**weights, "layer1.0.se.weight": torch.ones(2, 2)}), "--prefix", ""))

    def test_numbers_beside_the_network(self):
        """A factor, or a norm, may be a part of the computation: only counters and measures are not."""
        weights = {f"model.{key}": values for key, values in small().state_dict().items()}
        for name, values in (("temperature", torch.tensor([1.5])), ("test_time_norm.weight", torch.ones(5)),
                             ("val_adapter.weight", torch.ones(5, 5)), ("metric_head.weight", torch.ones(5, 5)),
                             ("mean", torch.ones(40))):
            with self.subTest(name=name):
                self.assertIn(f"also has {name}, which that network does not have",
                              self.export(self.save({**weights, name: values})))
        printed = self.export(self.save({**weights, "mean": torch.tensor([123.5, 116, 103]).view(1, 3, 1, 1),
                                         "std": torch.tensor([58.25, 57, 57]), "step": torch.tensor(9)}))
        self.assertIn("the whole network\n", printed)
        self.assertIn("note: the module around it normalizes images with its own mean 123.5, 116, 103 and std 58.25, "
                      "57, 57, which the model leaves to you\n", printed)

    def test_dense_layers_as_an_old_pytorch_named_them(self):
        network = drawn(modules.lextal_densenet(), IMAGE)
        weights = {re.sub(r"(norm|conv)([12])\.", r"\1.\2.", key): values for key, values in
                   network.state_dict().items() if ".blocks." not in key}
        self.assertIn("feats.denseblock1.denselayer1.norm.1.weight", weights)
        printed = self.export(self.save(weights))
        self.assertIn("the whole network\n", printed)
        self.assertIn("its backbone: a DenseNet with stages of 3, 4, 5, 3 blocks\n", printed)
        self.assert_same(self.serve(IMAGE), network(IMAGE))

    def test_many_networks(self):
        weights = {f"{i}.ppm.features.0.1.weight": torch.ones(1, 1, 1, 1) for i in range(30)}
        for i in range(30):
            weights[f"{i}.layer0.0.weight"] = torch.ones(1, 3, 3, 3)
            weights[f"{i}.cls.4.weight"] = torch.ones(1, 1, 1, 1)
        self.assert_refuses("semseg may start at any of 30 prefixes; choose one with --prefix", self.save(weights))

    def test_two_networks(self):
        first, second = small().state_dict(), small(classes=4).state_dict()
        path = self.save({**{f"model.{key}": values for key, values in first.items()},
                          **{f"ema.{key}": values for key, values in second.items()}})
        self.assert_refuses("found more than one module", path)
        for prefix in ("ema.", "ema"):
            self.assertIn(" at 'ema.', the whole network\n", self.export(path, "--prefix", prefix))
        self.assertEqual(self.serve(IMAGE).shape[1], 4)

    def test_the_head_alone(self):
        network = small()
        printed = self.export(self.save(network.state_dict()), "--head")
        self.assertNotIn("whole network", printed)
        self.assertNotIn("network", self.config())
        self.assertEqual(self.config()["bins"], [1, 2, 3, 6])
        self.export(self.save(network.state_dict()), "--without-classifier")
        self.assertNotIn("network", self.config())

    def test_probabilities_and_labels(self):
        network = drawn(modules.lextal_resnet(18), IMAGE)
        path = self.save(network.state_dict())
        self.assertIn("--as softmax gives probabilities", self.export(path, "--as", "softmax"))
        self.assert_same(self.serve(IMAGE), network.final[1](network(IMAGE)).exp())
        printed = self.export(self.save(small().state_dict()), "--as", "argmax", "--size", "40,50")
        self.assertIn("\n  x [N, 3, H, W], y [N, 1, 40, 50], ", printed)
        self.assertEqual(self.config()["output"], {"upsample": "align_corners", "size": [40, 50], "as": "argmax"})
        self.assertEqual((self.serve(IMAGE).shape, self.serve(IMAGE).dtype), ((1, 1, 40, 50), np.int32))

    def test_one_class(self):
        """smp's default, which is a mask."""
        network = drawn(modules_smp.smp_resnet(18, classes=1), IMAGE[:, :, :48, :64])
        path = self.save(network.state_dict())
        self.assert_refuses("y has 1 channel, whose argmax is always 0: expected --as sigmoid", path, "--as", "argmax")
        x = IMAGE[:, :, :48, :64]
        probabilities = torch.sigmoid(network(x))
        threshold = float(probabilities.median())
        self.export(path, "--as", "sigmoid", "--threshold", str(threshold))
        self.assertGreaterEqual(np.mean(self.serve(x) == (probabilities > threshold).numpy()), EQUAL_MIN)


class Options(ExportTest):
    """What no checkpoint contains can be given."""

    def exported(self, network, *options):
        printed = self.export(self.save(network.state_dict()), *options)
        self.assertIn(f" from the network's code and {options[0]}: ", printed)
        return self.serve(IMAGE)

    def test_upsample(self):
        """As PyTorch before 0.4 stretched where Lextal's code does not say how."""
        network = drawn(modules.lextal_resnet(18), IMAGE)
        old, modules.stretch = modules.stretch, lambda x, size, _: old(x, size)
        self.addCleanup(setattr, modules, "stretch", old)
        want = network(IMAGE)
        self.assert_same(self.exported(network, "--upsample", "align_corners"), want)

    def test_activations(self):
        network, functional = small(), modules.F
        for layer in (2, 5, 8):
            network.layer0[layer] = torch.nn.ELU()
        self.addCleanup(setattr, modules, "F", functional)
        modules.F = SimpleNamespace(**{**vars(functional), "relu": functional.elu})  # of the blocks
        self.assert_same(self.exported(network, "--backbone-activation", "elu"), network(IMAGE))
        modules.F, network = functional, small()
        network.cls[2] = torch.nn.LeakyReLU(0.2)
        self.assert_same(self.exported(network, "--head-activation", "leaky_relu:0.2"), network(IMAGE))
        for branch in network.ppm.features:
            branch[3] = torch.nn.Identity()
        network.cls[2] = torch.nn.ReLU()
        self.assert_same(self.exported(network, "--branch-activation", "none"), network(IMAGE))

    def test_eps(self):
        network = small()
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.eps = 0.02
        self.assert_same(self.exported(network, "--eps", "0.02"), network(IMAGE))

    def test_without_effect(self):
        path = self.save(small().state_dict())
        self.assert_refuses("checkpoint.pth: looks like semseg (hszhao/semseg: PSPNet), but has one stride only, which "
                            "--stride cannot change", path, "--stride", "16")
        path = self.save(drawn(modules.bubbliiiing_mobilenet(16), IMAGE).state_dict())
        self.assert_refuses("has a backbone of stride 8 or 16, not of 32", path, "--stride", "32")


class Refused(ExportTest):
    """What stops the whole network is named; then the head is exported if it can be."""

    def note(self, weights):
        printed = self.export(self.save(weights))
        self.assertNotIn("network", self.config())
        return printed.rpartition("note: ")[2]

    def test_backbones_that_do_not_fit(self):
        weights = small().state_dict()
        looks = "this is the head alone: the whole network looks like semseg (hszhao/semseg: PSPNet), but "
        key = "layer3.1.conv2.weight"
        for changed, sentence in (
                (without(weights, "layer2.0.bn1.weight"), "lacks layer2.0.bn1.weight"),
                (without(weights, "layer2.0.downsample."), "adds maps of 16 and 8 channels after layer2.0.bn3"),
                ({**weights, "layer1.0.conv1.bias": torch.ones(2)}, "also has layer1.0.conv1.bias"),
                ({**weights, "layer1.0.se.weight": torch.ones(2, 2)}, "also has layer1.0.se.weight"),
                (without(weights, "layer3.2."), "also has layer3.3.conv1.weight"),
                ({**weights, key: weights[key][:, :3]}, f"has {key} of shape [8, 3, 3, 3]"),
                ({**weights, "layer4.0.bn3.running_var": torch.ones(5)},
                 "has layer4.0.bn3.running_var of shape [5], expected [64]")):
            with self.subTest(sentence=sentence):
                self.assertIn(looks + sentence, self.note(changed))

    def test_neither_head_nor_network(self):
        weights = without(small().state_dict(), "cls.1.bias")
        self.assert_refuses("looks like semseg (hszhao/semseg: PSPNet), but lacks cls.1.bias", self.save(weights))
        path = self.save(small(bins=(1, 4)).state_dict())
        self.assert_refuses("has 2 branches and 4 bins (1, 2, 3, 6): --bins", path)

    def test_what_no_server_loads(self):
        weights = small().state_dict()
        self.assert_refuses("but pools adaptively, where --windows needs --pool same or valid", self.save(weights),
                            "--windows", "1,2,3,6")
        none = {**weights, "cls.4.weight": torch.ones(0, 16, 1, 1), "cls.4.bias": torch.ones(0)}
        for options in ((), ("--head",)):
            self.assert_refuses("cls.4.weight has shape [0, 16, 1, 1], expected a convolution's", self.save(none),
                                *options)
        weights["layer1.0.bn1.running_var"][1] = -0.5
        self.assert_refuses("layer1.0.bn1.running_var holds -0.5, expected variances, which are not below 0",
                            self.save(weights))

    def test_encoder_of_another_depth(self):
        path = self.save(drawn(modules_smp.smp_vgg(True), IMAGE[:, :, :48, :64]).state_dict())
        self.assert_refuses("looks like smp (segmentation_models_pytorch: PSPNet), but has a pyramid of 32 channels, "
                            "where the maps of its encoder have 16; its head alone has no --depth", path, "--depth",
                            "2")
        network = drawn(modules_smp.smp_resnet(18), IMAGE[:, :, :48, :64])
        weights = {key: values for key, values in network.state_dict().items() if not key.startswith("encoder.layer")}
        self.assertIn("lacks encoder.layer2.0.conv2.weight", self.note(weights))
        weights = {**network.state_dict(), "encoder.layer2.0.conv2.weight": torch.ones(7, 16, 3, 3)}
        self.assertIn("has a pyramid of 16 channels, where the maps of its encoder have 7, 32, 64", self.note(weights))
