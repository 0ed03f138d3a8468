"""What the tests of tools/export.py share: random networks, exporting, computing with ppm-server."""
import contextlib
import io
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import export
import numpy as np
import torch
from checkpoints import ExportError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ.get("PPM_SERVER", str(ROOT / "build/ppm-server"))
TOLERANCE = 2e-5  # of the largest magnitude of PyTorch's result

torch.set_grad_enabled(False)


def random_network(make, seed=1):
    """Returns make()'s module in eval mode, with random values in every tensor, including norms."""
    torch.manual_seed(seed)
    network = make().eval()
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point() and tensor.dim() == 1:
            tensor.uniform_(-0.8, 1.2)
    return network


def random_features(*shape, seed=2):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class ExportTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.model = self.folder / "model.json"

    def save(self, value, name="checkpoint.pth", **options):
        torch.save(value, self.folder / name, **options)
        return self.folder / name

    def export(self, checkpoint, *options):
        """checkpoint: a path, or a tuple of them. -> what is printed"""
        paths = checkpoint if isinstance(checkpoint, tuple) else (checkpoint,)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            export.main([*map(str, paths), str(self.model), *options])
        return printed.getvalue()

    def config(self):
        return json.loads(self.model.read_text())

    def serve(self, x):
        """Returns what ppm-server computes from x with the exported model."""
        np.save(self.folder / "x.npy", np.ascontiguousarray(x))
        done = subprocess.run([SERVER, "run", "--model", self.model, "--input", self.folder / "x.npy",
                               "--output", self.folder / "y.npy"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return np.load(self.folder / "y.npy")

    def assert_same(self, got, want):
        want = np.asarray(want)
        self.assertEqual(got.shape, want.shape)
        off = np.abs(got.astype(np.float64) - want).max() / np.abs(want).max()
        self.assertLess(off, TOLERANCE)
        self.assertGreater(want.std(), 0)  # comparing equal values would prove nothing

    def assert_exports(self, network, x, *options, kind=None, wrap=lambda weights: weights):
        """The exported network computes what the network itself computes."""
        printed = self.export(self.save(wrap(network.state_dict())), *options)
        if kind:
            self.assertIn(f": {kind} (", printed)
        self.assert_same(self.serve(x), network(x))
        return printed

    def assert_refuses(self, sentence, checkpoint, *options):
        with self.assertRaises(ExportError) as caught:
            self.export(checkpoint, *options)
        self.assertIn(sentence, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertFalse(self.model.exists())
