"""TensorFlow's and Keras's files, exported and served, compute what the networks do."""
import json

import tensorflow_files as tf
from support import ExportTest, random_features


class TensorFlowKinds(ExportTest):
    def assert_computes(self, path, pyramid, x, pools, resize, *options):
        """x: [N, C, H, W] for PyTorch, [N, H, W, C] for the model."""
        printed = self.export(path, *options)
        want = pyramid.compute(x, pools, resize).permute(0, 2, 3, 1)
        self.assertEqual(self.config()["input"]["layout"], "NHWC")
        self.assert_same(self.serve(x.permute(0, 2, 3, 1)), want)
        return printed

    def assert_valid(self, path, pyramid, side, windows, resize, *options):
        return self.assert_computes(path, pyramid, random_features(1, 5, side, side),
                                    [tf.valid(window) for window in windows], resize, *options)

    def test_hellochick_npz(self):
        pyramid = tf.hellochick(5, classes=150)
        tf.write_npz(self.folder / "c.npz", pyramid.layers)
        printed = self.assert_valid(self.folder / "c.npz", pyramid, 60, (10, 20, 30, 60),
                                    tf.align_corners)
        self.assertIn("pspnet-tensorflow", printed)
        self.assertIn("conv1_1_3x3_s2 (1)", printed)
        self.assertEqual(self.config()["windows"], [10, 20, 30, 60])

    def test_hellochick_npy_of_cityscapes(self):
        pyramid = tf.hellochick(5, classes=19)
        for protocol in (2, 4):
            tf.write_npy(self.folder / "c.npy", pyramid.layers, protocol)
            self.assert_valid(self.folder / "c.npy", pyramid, 90, (15, 30, 45, 90),
                              tf.align_corners)

    def test_vladkryvoruchko_h5(self):
        pyramid = tf.hellochick(5, classes=21)
        tf.write_h5(self.folder / "c.h5", pyramid.layers)
        self.assert_valid(self.folder / "c.h5", pyramid, 60, (10, 20, 30, 60), tf.align_corners)

    def test_other_windows(self):
        pyramid = tf.hellochick(5, classes=3)
        tf.write_h5(self.folder / "c.h5", pyramid.layers)
        self.assert_valid(self.folder / "c.h5", pyramid, 12, (2, 4, 6, 12), tf.align_corners,
                          "--windows", "2,4,6,12")

    def test_pudae(self):
        pyramid = tf.pudae(5, classes=150)
        tf.write_npz(self.folder / "c.npz", pyramid.layers)
        printed = self.assert_valid(self.folder / "c.npz", pyramid, 60, (10, 20, 30, 60),
                                    tf.asymmetric)
        self.assertIn("tensorflow-pspnet (pudae/tensorflow-pspnet) at 'pspnet_v1_50/'", printed)

    def test_bubbliiiing_h5(self):
        """Written by TensorFlow 2, and by Keras in a session with other networks."""
        for first, is_whole_model in ((0, False), (9, False), (95, True)):
            with self.subTest(first=first):
                pyramid = tf.bubbliiiing(12, classes=21, first=first)
                tf.write_h5(self.folder / "c.h5", pyramid.layers, is_whole_model)
                printed = self.assert_computes(
                    self.folder / "c.h5", pyramid, random_features(1, 12, 29, 31),
                    [tf.same(size) for size in (1, 2, 3, 6)], tf.align_corners)
                self.assertIn("bubbliiiing-keras", printed)
                self.assertIn("Conv (1)", printed)
                self.assertEqual(self.config()["branch"][1], {"batch_norm": {"eps": 1e-3}})

    def test_segmentation_models(self):
        """Written by Keras 2, alone and as a whole model, and by Keras 3 with the layers' names, in config.json
        or beside the variables."""
        pyramid = tf.segmentation_models(12, classes=5)
        for name, write in (("c.h5", tf.write_h5), ("d.h5", lambda *of: tf.write_h5(*of, is_whole_model=True)),
                            ("e.h5", lambda *of: tf.write_h5(*of, scope="functional_1/psp")), ("c.keras", tf.write_keras),
                            ("c.weights.h5", lambda *of: tf.write_keras3(*of, has_names=True))):
            with self.subTest(name=name):
                write(self.folder / name, pyramid.layers)
                printed = self.assert_computes(
                    self.folder / name, pyramid, random_features(1, 12, 24, 18),
                    [tf.same(size) for size in (1, 2, 3, 6)], tf.half_pixel)
                self.assertIn("segmentation-models-keras", printed)
                self.assertIn("half_pixel, input_first, branches with relu, a head with relu, eps 0.001", printed)

    def test_keras3_by_map(self):
        """A .weights.h5 has no layer names, but its kernels are always [H, W, I, O]."""
        pyramid = tf.segmentation_models(12, classes=5)
        (self.folder / "base.json").write_text(json.dumps({
            "input": {"channels": 12, "layout": "NHWC"}, "bins": [1, 2, 3, 6], "pool": "same", "upsample": "half_pixel",
            "branch": [{"conv": {"channels": 3, "bias": False}}, {"batch_norm": {"eps": 1e-3}}, "relu"],
            "head": [{"conv": {"channels": 6, "bias": False}}, {"batch_norm": {"eps": 1e-3}}, "relu",
                     {"conv": {"channels": 5, "kernel": 3}}]}))
        layers = {"head.0.conv": "conv2d_5", "head.0.batch_norm": "batch_normalization_4", "head.1.conv": "conv2d_6",
                  "branch.0.batch_norm": "batch_normalization"}
        layers |= {f"branch.{i}.conv": f"conv2d_{i + 1}" for i in range(4)}
        layers |= {f"branch.{i}.batch_norm": f"batch_normalization_{i}" for i in range(1, 4)}
        for name, write in (("c.weights.h5", tf.write_keras3),
                            ("c.keras", lambda *of: tf.write_keras(*of, has_names=False))):
            write(self.folder / name, pyramid.layers)
            options = [f"{ours}=layers/{theirs}" for ours, theirs in layers.items()]
            options[2:3] = [f"head.1.conv.{leaf}=layers/conv2d_6/vars/{i}" for i, leaf in enumerate(("weight", "bias"))]
            with self.subTest(name=name):
                self.assert_computes(self.folder / name, pyramid, random_features(1, 12, 24, 18),
                                     [tf.same(size) for size in (1, 2, 3, 6)], tf.half_pixel, "--base",
                                     str(self.folder / "base.json"), *(part for line in options
                                                                       for part in ("--map", line)))
                listed = self.export(self.folder / name, "--list")
                self.assertIn("layers/conv2d_1/vars/0 [1, 1, 12, 3]\n", listed)

    def test_keras3_s_bfloat16(self):
        """Halves of float32 under a type that HDF5 does not have."""
        pyramid = tf.segmentation_models(12, classes=5)
        tf.write_keras3(self.folder / "c.weights.h5", pyramid.layers, has_names=True, is_bfloat16=True)
        for parameters in pyramid.layers.values():
            for value in parameters.values():
                value.view("<u4")[...] &= 0xFFFF0000
        self.assert_computes(self.folder / "c.weights.h5", pyramid, random_features(1, 12, 24, 18),
                             [tf.same(size) for size in (1, 2, 3, 6)], tf.half_pixel)

    def test_a_bias_of_a_layer_without_names(self):
        pyramid = tf.bubbliiiing(12, classes=21)
        pyramid.layers["conv2d_1"]["bias"] = pyramid.layers["conv2d_1"]["kernel"][0, 0, 0]
        tf.write_h5(self.folder / "c.h5", pyramid.layers)
        self.assert_refuses("also has conv2d#1.bias", self.folder / "c.h5", "--kind", "bubbliiiing-keras")
        self.assert_refuses("recognized no", self.folder / "c.h5")
