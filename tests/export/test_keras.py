"""Whole PSPNets of Keras, PaddleSeg and pytorchcv: written to the files that the frameworks write, exported, and served
as the networks compute in float64, within what float32 costs."""
import functools
import pickle

import keras_graph
import keras_networks
import resnet_d
import tensorflow_files as tf
import torch
from support import ExportTest
from whole import drawn, picture

SIZES = (97, 121), (64, 96)
MULTIPLES = (96, 48), (48, 144)  # of 6 times the stride of 8, for segmentation_models
TIMES_FLOAT32 = 4


def image(size):
    return torch.as_tensor(picture(f"{size}", 1, 3, *size), dtype=torch.float32)


class WholeTest(ExportTest):
    def assert_computes(self, function, sizes, is_nhwc=False):
        """function: the network, of images of either type"""
        for size in sizes:
            x = image(size)
            want, single = function(x.double()), function(x).double()
            got = self.serve(x.permute(0, 2, 3, 1) if is_nhwc else x)
            got = torch.from_numpy(got.transpose(0, 3, 1, 2) if is_nhwc else got).double()
            self.assertEqual(got.shape, want.shape)
            self.assertLessEqual((got - want).abs().max(), TIMES_FLOAT32 * (single - want).abs().max())
            self.assertGreaterEqual((got.argmax(1) == want.argmax(1)).double().mean(), 0.9995)
            self.assertGreater(want.std((2, 3)).min(), 0)  # equal values would prove nothing


class Keras(WholeTest):
    def graph(self, network, size):
        """-> (the layers of a network with weights, in Keras's order; the network as a function of images)"""
        graph = keras_graph.Graph()
        last = network(graph, graph.input(image(size)))
        names = [layer.name for layer in keras_graph.ordered(last)]
        weights = {name: graph.weights[name] for name in [*names, *graph.weights] if name in graph.weights}
        return weights, lambda x: network(graph, graph.input(x)).value

    def assert_served(self, network, sizes, kind, *options, write=tf.write_h5, name="c.h5"):
        layers, function = self.graph(network, sizes[0])
        write(self.folder / name, layers)
        printed = self.export(self.folder / name, *options)
        self.assertIn(kind, printed)
        self.assertIn("network", self.config())
        described = self.config()["input"]
        self.assertEqual({key: described[key] for key in ("channels", "layout")}, {"channels": 3, "layout": "NHWC"})
        self.assert_computes(function, sizes, is_nhwc=True)
        return printed

    def test_bubbliiiing(self):
        """An auxiliary head without names, with names, and none."""
        for backbone, auxiliary in ((keras_networks.bubbliiiing_mobilenet, False),
                                    (keras_networks.bubbliiiing_resnet, True)):
            network = functools.partial(keras_networks.bubbliiiing, backbone=backbone, auxiliary=auxiliary)
            self.assertIn("a backbone of stride 16", self.assert_served(network, SIZES, "bubbliiiing-keras"))

    def test_bubbliiiing_of_stride_8(self):
        for backbone in (keras_networks.bubbliiiing_mobilenet, keras_networks.bubbliiiing_resnet):
            network = functools.partial(keras_networks.bubbliiiing, backbone=backbone, stride=8)
            self.assert_served(network, SIZES, "bubbliiiing-keras", "--stride", "8")

    def test_caffe_s_names(self):
        """Files of Keras, of TensorFlow with an optimizer's variables, and of caffe-tensorflow; pooled over
        pixels."""
        for name, write in (("c.h5", tf.write_h5), ("c.npz", tf.write_npz), ("c.npy", tf.write_npy)):
            with self.subTest(name=name):
                printed = self.assert_served(keras_networks.caffe, SIZES, "pspnet-tensorflow", "--windows", "2,3,4,8",
                                             write=write, name=name)
                self.assertIn("windows 2, 3, 4, 8, valid, align_corners, input_first", printed)
                self.assertIn("its backbone: a ResNet with stages of 2, 2, 2, 2 blocks\n", printed)
        self.export(self.folder / "c.h5")
        self.assertEqual(next(entry["pyramid"]["windows"] for entry in self.config()["network"] if "pyramid" in entry),
                         [10, 20, 30, 60])

    def test_segmentation_models(self):
        for options in ({"backbone": keras_networks.resnet}, {"backbone": keras_networks.resnet, "is_bottleneck": True},
                        {"backbone": keras_networks.vgg}, {"backbone": keras_networks.mobilenet_v2},
                        {"backbone": keras_networks.mobilenet}, {"backbone": keras_networks.densenet},
                        {"backbone": keras_networks.efficientnet},
                        {"backbone": keras_networks.resnet, "has_norm": False}):
            with self.subTest(**options):
                network = functools.partial(keras_networks.segmentation_models, **options)
                self.assert_served(network, MULTIPLES, "segmentation-models-keras")

    def test_other_depths(self):
        """What the decoder reads is in the file's names."""
        for factor, backbone in ((4, keras_networks.resnet), (16, keras_networks.vgg),
                                 (16, keras_networks.mobilenet_v2), (16, keras_networks.efficientnet),
                                 (16, keras_networks.mobilenet), (4, keras_networks.densenet)):
            network = functools.partial(keras_networks.segmentation_models, backbone=backbone, factor=factor)
            self.assert_served(network, [(6 * factor, 12 * factor)], "segmentation-models-keras")

    def test_keras3(self):
        """With the layers' names in config.json or beside the variables, and without any, where Keras's order tells."""
        named = functools.partial(tf.write_keras3, has_names=True)
        for write, name in ((tf.write_keras, "c.keras"), (named, "c.weights.h5"), (tf.write_keras3, "d.weights.h5")):
            for backbone in (keras_networks.resnet, keras_networks.mobilenet_v2):
                with self.subTest(name=name, backbone=backbone):
                    network = functools.partial(keras_networks.segmentation_models, backbone=backbone)
                    printed = self.assert_served(network, MULTIPLES[:1], "segmentation-models-keras", write=write,
                                                 name=name)
                    self.assertEqual("its layers have no names" in printed, name == "d.weights.h5")

    def test_order_of_other_backbones(self):
        deep = functools.partial(keras_networks.resnet, counts=(3, 4, 6, 3), is_bottleneck=True)
        for factor, backbone, has_norm in ((16, deep, True), (8, keras_networks.vgg, False)):
            network = functools.partial(keras_networks.segmentation_models, backbone=backbone, factor=factor, base=4,
                                        has_norm=has_norm)
            self.assert_served(network, [(12 * factor, 6 * factor)], "segmentation-models-keras", write=tf.write_keras3,
                               name="c.weights.h5")


class OtherFrameworks(WholeTest):
    def assert_served(self, module, path, kind, *options):
        printed = self.export(path, *options)
        self.assertIn(kind, printed)
        self.assertIn("network", self.config())
        self.assert_computes(lambda x: module.to(x.dtype)(x), SIZES)
        return printed

    def paddle(self, **options):
        module = drawn(resnet_d.PaddlePSPNet(**options), image(SIZES[0]))
        (self.folder / "model.pdparams").write_bytes(pickle.dumps(resnet_d.paddle_state(module), 4))
        return module, self.folder / "model.pdparams"

    def test_paddleseg(self):
        self.assert_served(*self.paddle(), "paddleseg")
        self.assert_served(*self.paddle(is_bottleneck=False), "paddleseg")
        self.assert_served(*self.paddle(stride=16, align_corners=True), "paddleseg", "--stride", "16", "--upsample",
                           "align_corners")

    def test_pytorchcv(self):
        module = drawn(resnet_d.CvPSPNet(), image(SIZES[0]))
        self.assert_served(module, self.save(module.state_dict()), "pytorchcv")
