"""Whole networks of mmsegmentation, CSAIL, transformers, Tramac, DDRNet and PIDNet, by the names of their tensors."""
import unittest

import modules_csail
import modules_mmseg
import modules_streams
import modules_transformers
import safetensors_io
import torch
from support import ExportTest
from whole import WholeTest, centered, drawn, image, picture

SIZES = ((64, 96), (75, 61))  # one odd
LARGER = ((128, 192), (149, 101))  # for backbones of stride 64
MAPS = ((24, 32), (27, 19))  # of the finest


def network(make, *options, seed=1, **named):
    x = image((96, 128), "weights")["x"]
    return centered(drawn(make(*options, **named), x, seed=seed), x)


def maps(size, base=8):
    """As a backbone's stages are: each half as large as the one before it."""
    return {f"c{i + 2}": picture(f"{size}/{i}", 1, base << i, *(-(-n >> i) for n in size)) for i in range(4)}


class Mmseg(WholeTest):
    def save_mmseg(self, module):
        return self.save({"meta": {"CLASSES": ["road"]}, "state_dict": module.state_dict()})

    def assert_mmseg(self, module, kind, *options):
        printed = self.assert_whole(module, kind, self.save_mmseg(module), SIZES, *options)
        self.assertRegex(printed, "skipped [0-9]+ tensors that inference does not need: auxiliary_head ")
        return printed

    def test_pspnet(self):
        for depth, stem in ((50, "c"), (18, "d"), (101, "d"), (18, "c"), (50, "b")):
            with self.subTest(depth=depth, stem=stem):
                printed = self.assert_mmseg(network(modules_mmseg.pspnet, depth, stem=stem), "mmseg-psp")
                for assumed in ("bins 1, 2, 3, 6", "half_pixel", "a backbone of stride 8", "eps 1e-05"):
                    self.assertIn(assumed, printed)

    def test_pspnet_as_configured_otherwise(self):
        module = network(modules_mmseg.pspnet, 18, stem="c", pixels=32, norm=None, align_corners=True)
        self.assert_mmseg(module, "mmseg-psp", "--upsample", "align_corners", "--stride", "32")
        self.assert_mmseg(network(modules_mmseg.pspnet, 18, stem="d", pixels=16), "mmseg-psp", "--stride", "16")

    def test_pspnet_over_mobilenet(self):
        self.assert_mmseg(network(modules_mmseg.mobilenet_pspnet), "mmseg-psp")

    def test_upernet(self):
        for depth, stem in ((50, "c"), (18, "d")):
            with self.subTest(depth=depth):
                self.assert_mmseg(network(modules_mmseg.upernet, depth, stem=stem), "mmseg-uper")

    def test_upernet_over_convnext(self):
        self.assert_mmseg(network(modules_transformers.mmseg_upernet), "mmseg-uper-convnext")

    def test_fast_scnn(self):
        for is_new in (True, False):
            with self.subTest(is_new=is_new):
                printed = self.assert_mmseg(network(modules_mmseg.fast_scnn, is_new), "mmseg-fast-scnn")
                self.assertIn("padding 1" if is_new else "padding 0", printed)
                self.assertIn(f"a backbone with relu, {'no activation' if is_new else 'relu6'},", printed)

    def test_head_of_an_unknown_backbone(self):
        module = drawn(modules_transformers.SwinUperNet(norm="bn"), *maps(MAPS[0]).values())
        printed = self.assert_whole(module, "mmseg-uper-head", self.save_mmseg(module), MAPS, inputs=maps)
        self.assertIn("c2 [N, 8, H, W], c3 [N, 16, H, W], c4 [N, 32, H, W], c5 [N, 64, H, W], y [N, 5, 4 H, 4 W], ",
                      printed)
        self.assertNotIn("looks like", printed)


class Csail(WholeTest):
    def save_part(self, module, name):
        """With the sums that its norms keep, which are synchronized between GPUs."""
        weights = module.state_dict()
        for key in [key for key in weights if key.endswith(".running_mean")]:
            at = key[:-len("running_mean")]
            weights |= {f"{at}_tmp_running_mean": weights[key] * 3, f"{at}_tmp_running_var": weights[key] * 2,
                        f"{at}_running_iter": torch.ones(1)}
        return self.save(weights, f"{name}_epoch_20.pth")

    def assert_csail(self, module, kind, *options):
        """The encoder and the decoder are in two files."""
        files = self.save_part(module.encoder, "encoder"), self.save_part(module.decoder, "decoder")
        printed = self.assert_whole(module, kind, files, SIZES, *options)
        self.assertNotIn("layer1 (", printed)
        return printed

    def test_ppm(self):
        for depth, is_supervised in ((50, True), (18, False), (101, True)):
            with self.subTest(depth=depth):
                printed = self.assert_csail(network(modules_csail.ppm, depth, is_supervised), "csail-ppm")
                self.assertEqual("conv_last_deepsup (2)" in printed, is_supervised)

    def test_ppm_of_another_stride(self):
        self.assert_csail(network(modules_csail.ppm, 18, pixels=16), "csail-ppm", "--stride", "16")

    def test_mobilenet(self):
        self.assert_csail(network(modules_csail.mobilenet_ppm), "csail-ppm")

    def test_upernet(self):
        printed = self.assert_csail(network(modules_csail.upernet, 50), "csail-uper")
        self.assertIn("a backbone of stride 32", printed)

    def test_c1(self):
        for make in (modules_csail.hrnet_c1, lambda: modules_csail.c1(18)):
            with self.subTest(make=make):
                self.assert_csail(network(make), "csail-c1")

    def test_entries_of_one_file(self):
        module = network(modules_csail.ppm, 18)
        path = self.save({"encoder": module.encoder.state_dict(), "decoder": module.decoder.state_dict()})
        self.assert_whole(module, "csail-ppm", path, SIZES[1:])
        self.assert_whole(module, "csail-ppm", self.save(module.state_dict()), SIZES[1:])

    def test_files_that_are_not_two_parts(self):
        module = network(modules_csail.ppm, 18)
        encoder = self.save_part(module.encoder, "encoder")
        self.assert_refuses("encoder_epoch_20.pth: has conv1.weight like a file before it, expected another part",
                            (encoder, encoder))
        decoder = self.save_part(module.decoder, "decoder")
        self.assertIn("but lacks the encoder, which is saved in a file of its own: name both files before MODEL.json\n",
                      self.export(decoder))


class Transformers(WholeTest):
    def test_convnext(self):
        for depths in ((3, 3, 9, 3), (3, 3, 27, 3)):
            with self.subTest(depths=depths):
                module = network(modules_transformers.upernet, depths)
                printed = self.assert_whole(module, "huggingface-uper-convnext", self.save(module.state_dict()), SIZES)
                self.assertIn("eps 1e-06, 1e-05", printed)
                self.assertIn(f"a ConvNeXt with stages of {', '.join(map(str, depths))} blocks\n", printed)

    def test_what_stops_the_whole_network(self):
        for name in ("pwconv1.bias", "layernorm.weight"):
            weights = modules_transformers.upernet((1, 1, 1, 1)).state_dict()
            weights.pop(f"backbone.encoder.stages.0.layers.0.{name}")
            printed = self.export(self.save(weights))
            self.assertIn(": huggingface-uper-head (", printed)
            self.assertIn("note: the whole network looks like huggingface-uper-convnext (transformers: UperNet over "
                          f"ConvNeXt), but lacks backbone.encoder.stages.0.layers.0.{name}\n", printed)

    def test_safetensors(self):
        module, path = network(modules_transformers.upernet, (1, 1, 2, 1)), self.folder / "weights.safetensors"
        safetensors_io.save(path, {name: (tuple(values.shape), values.float().numpy().ravel())
                                   for name, values in module.state_dict().items()}, "F32")
        self.assert_whole(module, "huggingface-uper-convnext", path, SIZES[1:])

    def test_swin(self):
        module = drawn(modules_transformers.SwinUperNet(), *maps(MAPS[0]).values())
        printed = self.assert_whole(module, "huggingface-uper-head", self.save(module.state_dict()), MAPS, inputs=maps)
        self.assertRegex(printed, "skipped [0-9]+ tensors of the rest of the network: .*backbone ")


class Refused(ExportTest):
    """A network that is nearly of a kind is not of it: the tensor that stops it is named."""

    def assert_each(self, make, kind, *cases):
        """cases: (what changes the state_dict, the sentence); no head of these networks is known"""
        for change, sentence in cases:
            with self.subTest(sentence=sentence):
                weights = make().state_dict()
                change(weights)
                self.assert_refuses(sentence, self.save(weights))
                self.assert_refuses(f"checkpoint.pth: looks like {kind} (", self.save(weights))

    def test_ddrnet(self):
        self.assert_each(
            modules_streams.ddrnet23, "ddrnet",
            (lambda w: w.pop("down4.3.weight"), "but adds maps of 64 and 32 channels after down4.1"),
            (lambda w: w.pop("spp.scale2.1.running_var"), "but lacks spp.scale2.1.running_var"),
            (lambda w: w.update({"layer3.0.conv1.bias": torch.zeros(32)}),
             "but also has layer3.0.conv1.bias, which that network does not have"),
            (lambda w: w.update({"layer4.0.conv2.weight": torch.zeros(64, 60, 3, 3)}),
             "has layer4.0.conv2.weight of shape [64, 60, 3, 3], which does not fit a map of 64 channels"),
            (lambda w: w.update({"conv1.0.weight": torch.zeros(8)}),
             "has conv1.0.weight of shape [8], expected a convolution's"),
            (lambda w: w.update({"layer2.0.conv1.weight": torch.zeros(20, 8, 3, 3)}),
             "has layer2.0.bn1.running_mean of shape [16], expected [20]"))

    def test_pidnet(self):
        self.assert_each(
            modules_streams.pidnet_s, "pidnet",
            (lambda w: w.pop("layer3_d.downsample.0.weight"), "adds maps of 8 and 16 channels"),
            (lambda w: w.update({"attention.weight": torch.zeros(3, 3)}), "but also has attention.weight, which"),
            (lambda w: w.update({"pag3.f_y.0.weight": torch.zeros(4, 16, 1, 1)}),
             "has pag3.f_y.1.running_mean of shape [8], expected [4]"))

    def test_options_that_change_nothing(self):
        path = self.save(modules_streams.ddrnet23().state_dict())
        for options in (("--bins", "1,2"), ("--concat", "input_last")):
            self.assert_refuses(f"has nothing that {options[0]} could change", path, *options)
        self.assert_refuses("has one stride only, which --stride cannot change", path, "--stride", "16")

    def test_backbones_that_stop_a_network(self):
        """Its head is exported, with a note."""
        first, fused = "learning_to_downsample.conv.conv.0.bias", "feature_fusion.conv_lower_res.0.bias"
        for make, change, sentence in (
                (modules_mmseg.pspnet, lambda w: w.pop("backbone.layer2.0.bn2.bias"),
                 "lacks backbone.layer2.0.bn2.bias"),
                (modules_mmseg.pspnet, lambda w: w.update({"backbone.layer1.0.se.weight": torch.zeros(3, 3)}),
                 "also has backbone.layer1.0.se.weight"),
                (modules_streams.tramac, lambda w: w.update({first: torch.zeros(8)}), f"also has {first}"),
                (modules_streams.tramac, lambda w: w.pop(fused), f"lacks {fused}")):
            with self.subTest(sentence=sentence):
                weights = make().state_dict()
                change(weights)
                self.assertRegex(self.export(self.save(weights)),
                                 f"note: this is the head alone: the whole network looks like .*, but {sentence}")


class Streams(WholeTest):
    def test_fast_scnn(self):
        module = network(modules_streams.tramac)
        printed = self.assert_whole(module, "fast-scnn", self.save(module.state_dict()), LARGER)
        self.assertIn("auxlayer (7)", printed)
        self.assertIn("a first convolution with padding 0", printed)

    def test_ddrnet(self):
        for make in (modules_streams.ddrnet23, modules_streams.DDRNet39):
            with self.subTest(make=make):
                module = network(make, seed=2)
                self.assert_whole(module, "ddrnet", self.save(module.state_dict()), LARGER)

    def test_pidnet_as_it_is_trained(self):
        """With its loss beside it."""
        module = network(modules_streams.pidnet_s)
        weights = {f"model.{name}": values for name, values in module.state_dict().items()}
        path = self.save({**weights, "sem_loss.criterion.weight": torch.ones(19)})
        printed = self.assert_whole(module, "pidnet", path, LARGER)
        self.assertIn("at 'model.'", printed)

    def test_pidnet_l(self):
        module = network(modules_streams.pidnet_l)
        self.assert_whole(module, "pidnet", self.save(module.state_dict()), LARGER)


if __name__ == "__main__":
    unittest.main()
