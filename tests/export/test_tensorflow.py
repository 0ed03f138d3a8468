"""TensorFlow's and Keras's files: exported and served, they give what the networks compute."""

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
        self.assertIn("conv1_1_3x3_s2 (2)", printed)
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
        """Written by TensorFlow 2, and by Keras where other networks were made before."""
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
