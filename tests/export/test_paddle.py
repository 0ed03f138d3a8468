"""PaddleSeg's and pytorchcv's networks: their files are read, and what is exported computes what they do."""
import pickle

import numpy as np
import resnet_d
import torch
from checkpoints import ExportError, files
from support import ExportTest, random_features, random_network


class Named:
    """A tensor among other things, as paddle.save pickles it: a tuple of its name and its array."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        return tuple, (("conv2d_0.w_0", self.array),)


class Bare(Named):
    """The same without a name."""

    def __reduce__(self):
        return eval, ("data", {"data": self.array})


class PaddleFiles(ExportTest):
    def pickled(self, value, protocol=4, name="model.pdparams"):
        (self.folder / name).write_bytes(pickle.dumps(value, protocol))
        return self.folder / name

    def test_ways_to_save(self):
        """A state_dict, and tensors among other entries, by every protocol."""
        network = random_network(resnet_d.PaddlePSPNet)
        state = resnet_d.paddle_state(network)
        x = random_features(1, 256, 9, 8)
        for protocol in (2, 3, 4):
            for make in (None, Named, Bare):
                value = state if make is None else {"epoch": 3, "model": {
                    key: make(array) for key, array in state.items() if isinstance(array, np.ndarray)}}
                with self.subTest(protocol=protocol, make=make):
                    printed = self.export(self.pickled(value, protocol), "--head")
                    self.assertNotIn("could run code", printed)
                    self.assertIn("paddleseg (PaddlePaddle/PaddleSeg: PSPNet)", printed)
                    self.assertIn("bins 6, 3, 2, 1, adaptive, half_pixel, input_first", printed)
        self.assert_same(self.serve(x), network.head(x))

    def test_align_corners(self):
        network = random_network(lambda: resnet_d.PaddlePSPNet(align_corners=True))
        x = random_features(1, 256, 9, 8)
        self.export(self.pickled(resnet_d.paddle_state(network)), "--head", "--upsample", "align_corners")
        self.assert_same(self.serve(x), network.head(x))

    def test_types(self):
        """bfloat16 is kept as uint16, a matrix is [I, O]; a call of anything else is not made."""
        values = np.array([[1, -2, 3], [0.5, 8, -1]], np.float32)
        state = {"fc.weight": (values.view("<u4") >> 16).astype(np.uint16), "bn._mean": values[0],
                 "bn._variance": values[1]}
        found = files.read(self.pickled(state)).tensors
        np.testing.assert_array_equal(found["fc.weight"].values(""), values)
        self.assertEqual(found["fc.weight"].layout, "HWIO")
        self.assertEqual(list(found), ["fc.weight", "bn.running_mean", "bn.running_var"])
        plain = files.read(self.pickled({"fc.weight": state["fc.weight"]})).tensors["fc.weight"]
        self.assertEqual((plain.layout, plain.values("").max()), ("OIHW", 0xC000))

    def test_other_calls(self):
        class Call(Named):
            def __reduce__(self):
                return eval, ("__import__('os').abort()", {"data": self.array})

        with self.assertRaisesRegex(ExportError, "refused, because reading it could run code: builtins.eval"):
            files.read(self.pickled({"a": Call(np.zeros(2))}))


class Pytorchcv(ExportTest):
    def test_head(self):
        network = random_network(resnet_d.CvPSPNet)
        x = random_features(1, 256, 9, 8)
        printed = self.export(self.save(network.state_dict()), "--head")
        self.assertIn("pytorchcv (osmr/pytorchcv: PSPNet)", printed)
        self.assert_same(self.serve(x), network.head(x))
        self.assertEqual(torch.Size((1, 5, 9, 8)), network.head(x).shape)
