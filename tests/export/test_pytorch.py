"""Each PyTorch kind, exported from the state_dict of a whole network, computes what the network does; the export
lists the file's other tensors."""
import collections

import heads
import torch
from support import ExportTest, random_features, random_network

X = random_features(2, 8, 13, 11)


class PyTorchKinds(ExportTest):
    def test_semseg(self):
        printed = self.assert_exports(random_network(heads.Semseg), X, kind="semseg")
        self.assertIn("skipped 17 tensors of the rest of the network: aux (7), layer0 (5), "
                      "layer1 (5)\n", printed)
        self.assertEqual(self.config()["bins"], [1, 2, 3, 6])

    def test_semseg_as_it_is_distributed(self):
        """A checkpoint of a DataParallel model, in PyTorch's old format."""
        network = random_network(heads.Semseg)
        weights = collections.OrderedDict(
            (f"module.{key}", value) for key, value in network.state_dict().items())
        path = self.save({"epoch": 50, "state_dict": weights, "optimizer": {"state": {}}},
                         _use_new_zipfile_serialization=False)
        printed = self.export(path, "--verbose")
        self.assertIn("entry 'state_dict': semseg (hszhao/semseg: PSPNet) at 'module.'", printed)
        self.assertIn("module.aux (7)", printed)
        self.assertIn("\n    module.layer0.0.weight\n", printed)
        self.assertIn("\n    branch.3.conv.weight = module.ppm.features.3.1.weight\n", printed)
        self.assert_same(self.serve(X), network(X))

    def test_semseg_with_other_bins(self):
        network = random_network(lambda: heads.Semseg(bins=(1, 4)))
        self.assert_exports(network, X, "--bins", "1,4", kind="semseg")

    def test_semseg_without_its_classifier(self):
        network = random_network(heads.Semseg)
        self.export(self.save(network.state_dict()), "--without-classifier")
        self.assert_same(self.serve(X), network.cls[:3](network.ppm(X)))

    def test_semseg_stretched_to_labels(self):
        network = random_network(heads.Semseg)
        self.export(self.save(network.state_dict()), "--size", "97,81", "--as", "argmax")
        logits = torch.nn.functional.interpolate(network(X), size=(97, 81), mode="bilinear",
                                                 align_corners=True)
        want = logits.argmax(dim=1, keepdim=True).numpy()
        got = self.serve(X)
        self.assertEqual(got.shape, want.shape)
        self.assertGreater((got == want).mean(), 0.9999)  # ties except for rounding

    def test_ppm_alone(self):
        network = random_network(lambda: heads.SemsegPPM(8, 2))
        self.assert_exports(network, X, kind="ppm")

    def test_lextal(self):
        printed = self.assert_exports(random_network(heads.Lextal), random_features(1, 5, 9, 14),
                                      kind="pspnet-pytorch")
        for rest in ("feats (5)", "up_1 (7)", "final (2)", "classifier (4)"):
            self.assertIn(rest, printed)

    def test_lextal_trained_by_an_old_pytorch(self):
        module = random_network(heads.LextalModule)
        x = random_features(1, 5, 9, 14)
        self.export(self.save(module.state_dict()), "--upsample", "align_corners")
        priors = [heads.stretch(stage(x), x) for stage in module.stages] + [x]
        self.assert_same(self.serve(x), module.relu(module.bottleneck(torch.cat(priors, 1))))

    def test_bubbliiiing(self):
        printed = self.assert_exports(random_network(heads.Bubbliiiing),
                                      random_features(1, 12, 10, 10), kind="bubbliiiing-pytorch")
        self.assertIn("auxiliary_branch (7)", printed)

    def test_smp(self):
        printed = self.assert_exports(random_network(heads.Smp), X, "--scale", "8", kind="smp")
        self.assertIn("skipped 6 tensors", printed)
        first, second = self.config()["branches"][:2]
        self.assertEqual(first, [{"conv": {"channels": 2}}, "relu"])
        self.assertEqual(second, [{"conv": {"channels": 2, "bias": False}}, "batch_norm", "relu"])

    def test_smp_without_norms(self):
        network = random_network(lambda: heads.Smp(use_batchnorm=False, upsampling=1))
        self.assert_exports(network, X, kind="smp")

    def test_smp_decoder_alone(self):
        network = random_network(heads.Smp)
        weights = {key: value for key, value in network.state_dict().items()
                   if not key.startswith("segmentation_head.")}
        self.export(self.save(weights), "--without-classifier")
        self.assert_same(self.serve(X), network.decoder(X))

    def test_mmseg(self):
        self.assert_exports(random_network(heads.Mmseg), random_features(1, 6, 13, 11),
                            kind="mmseg-psp",
                            wrap=lambda w: {"meta": {"CLASSES": ["road"]}, "state_dict": w})

    def test_mmseg_as_configured_otherwise(self):
        network = random_network(lambda: heads.Mmseg(has_norm=False, align_corners=True))
        self.assert_exports(network, random_features(1, 6, 13, 11), "--upsample", "align_corners",
                            kind="mmseg-psp")

    def test_mmseg_uper(self):
        printed = self.assert_exports(random_network(heads.MmsegUper),
                                      random_features(1, 6, 13, 11), "--head", kind="mmseg-uper")
        self.assertIn("decode_head (17)", printed)

    def test_fast_scnn(self):
        self.assert_exports(random_network(heads.FastScnn), X, kind="fast-scnn")

    def test_csail(self):
        self.assert_exports(random_network(heads.Csail), X, kind="csail")

    def test_halves(self):
        """A float16 file is exported without loss, a float32 one is rounded on request."""
        network = random_network(heads.Semseg).half().float()
        self.assert_exports(network, X, wrap=lambda weights: {
            key: value.half() for key, value in weights.items()})
        self.export(self.save(network.state_dict()), "--dtype", "F16")
        self.assert_same(self.serve(X), network(X))
        size = (self.folder / "model.safetensors").stat().st_size
        self.export(self.save(network.state_dict()))
        self.assertLess(size, 0.8 * (self.folder / "model.safetensors").stat().st_size)
