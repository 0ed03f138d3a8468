"""Files that claim to hold more than they do: each is refused in one sentence, within memory in proportion to
the file's size."""
import json
import pickle
import resource
import struct
import subprocess
import sys

import h5py
import heads
import numpy as np
import torch
from pickles import call, length, pickled, storage, text, zipped
from support import ROOT, ExportTest, random_network

MEMORY_MAX = 3 << 29  # of address space; Python with NumPy and h5py uses 0.5 GB
LARGE = 200 << 20  # bytes of zeros, which deflate to 0.2 MB
BASE = {"input": {"channels": 40000}, "bins": [1], "branch": [{"conv": {"channels": 40000, "bias": False}}]}


class Bounds(ExportTest):
    def run_bounded(self, checkpoint, *options):
        """Runs the program with limited memory and time -> its stderr"""
        def bound():
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
        done = subprocess.run([sys.executable, ROOT / "tools/export.py", checkpoint, "model.json", *options],
                              text=True, capture_output=True, cwd=self.folder, preexec_fn=bound, timeout=60,
                              env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
        self.assertNotIn("Traceback", done.stderr)
        self.assertNotIn("MemoryError", done.stderr)
        self.assertNotIn("out of memory", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), done.returncode, done.stderr)
        return done.stderr

    def assert_bounded(self, sentence, content, *options, name="c.pth"):
        if content is not None:
            (self.folder / name).write_bytes(content)
        self.assertIn(sentence, self.run_bounded(name, *options))
        self.assertFalse(self.model.exists())

    def base(self):
        (self.folder / "base.json").write_text(json.dumps(BASE))
        return "--base", "base.json", "--map", "branch.0.conv=a"

    def test_expanded_views(self):
        """A few bytes of stride 0, a small one as it is meant."""
        self.save({"a.weight": torch.zeros(1, 1, 1, 1).expand(40000, 40000, 1, 1)})
        self.assertLess((self.folder / "checkpoint.pth").stat().st_size, 2000)
        for options in ({}, {"_use_new_zipfile_serialization": False}):
            self.save({"a.weight": torch.zeros(1, 1, 1, 1).expand(40000, 40000, 1, 1)}, **options)
            self.assert_bounded("a.weight would take 6.4 GB, which a file of", None, *self.base(),
                                name="checkpoint.pth")
        self.save({"a.weight": torch.zeros(9).as_strided((4000, 4000, 1, 1), (0, 0, 0, 0))})
        base = {**BASE, "input": {"channels": 4000}, "branch": [{"conv": {"channels": 4000, "bias": False}}]}
        (self.folder / "base.json").write_text(json.dumps(base))
        self.assert_bounded("a.weight is a tensor of shape [4000, 4000, 1, 1], 16,000,000 values, that repeats "
                            "the 1 of its storage", None, "--base", "base.json", "--map", "branch.0.conv=a",
                            name="checkpoint.pth")
        network = random_network(heads.Semseg)
        weights = network.state_dict()
        weights["cls.1.weight"] = torch.ones(1).expand(6)
        network.load_state_dict(weights)
        self.export(self.save(weights))
        x = torch.ones(1, 8, 5, 5)
        self.assert_same(self.serve(x), network(x))

    def test_zip_bombs(self):
        path = self.save({"a.weight": torch.zeros(1, 1, 1, 1).expand(40000, 40000, 1, 1), "b": torch.zeros(3)})
        self.assert_bounded("data.pkl inflated would take 209.7 MB",
                            zipped(path, {"checkpoint/data.pkl": bytes(LARGE)}))
        whole = torch.zeros(7000, 7000, 1, 1)
        path = self.save({"a.weight": whole})
        base = {**BASE, "input": {"channels": 7000}, "branch": [{"conv": {"channels": 7000, "bias": False}}]}
        (self.folder / "base.json").write_text(json.dumps(base))
        self.assert_bounded("a.weight would take 196.0 MB", zipped(path, {}), "--base", "base.json",
                            "--map", "branch.0.conv=a")
        header = np.lib.format.magic(1, 0) + struct.pack("<H", 86) + (
            b"{'descr': '<f4', 'fortran_order': False, 'shape': (7000, 7000), }").ljust(86)
        for name, data in {"bomb": header + bytes(7000 * 7000 * 4), "lie": header + bytes(8)}.items():
            with self.subTest(name=name):
                self.assert_bounded("would take 196.0 MB", zipped(None, {"a/weight.npy": data}), "--base",
                                    "base.json", "--map", "branch.0.conv.weight=a/weight", name="c.npz")
        long = np.lib.format.magic(2, 0) + struct.pack("<I", LARGE) + bytes(LARGE)
        self.assert_bounded("a.weight has a type that NumPy cannot", zipped(None, {"a.weight.npy": long}), "--base",
                            "base.json", "--map", "branch.0.conv=a", name="c.npz")
        self.assert_bounded("cannot read it", np.lib.format.magic(2, 0) + b"\xff" * 4, name="c.npy")
        self.assert_bounded("model.weights.h5 inflated would take 209.7 MB",
                            zipped(None, {"model.weights.h5": bytes(LARGE)}), name="c.keras")

    def test_hdf5(self):
        def write(**options):
            with h5py.File(self.folder / "c.h5", "w") as file:
                file.create_dataset("a/weight", **options)
        base = self.base()
        write(shape=(40000, 40000), dtype="f4", fillvalue=1)
        self.assert_bounded("a/weight would take 6.4 GB", None, *base,
                            name="c.h5")
        write(shape=(40000, 40000), dtype="f4", chunks=(40000, 40000 // 50), compression="gzip")
        self.assert_bounded("a/weight would take 6.4 GB", None, *base, name="c.h5")
        write(shape=(40000, 40000), dtype="f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
        self.assert_bounded("a/weight is in another file", None, *base, name="c.h5")

    def test_safetensors(self):
        def written(header, data=bytes(16)):
            head = header if isinstance(header, bytes) else json.dumps(header).encode()
            return length(len(head)) + head + data

        def entry(shape=(2, 2), offsets=(0, 16), dtype="F32"):
            return {"a.weight": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}
        for content in (length(1 << 62) + b"{}", length(50 << 20) + b"{}", written(entry((40000, 40000))),
                        written(entry((40000, 40000), (0, 6400000000))), written(entry(offsets=(-16, 0))),
                        written(entry(offsets=(16, 0))), written(entry((-2, -2))), written(entry((2.0, 2))),
                        written(entry((True, 4))), written(entry(offsets=(0, 12))), written(b'{"a":' * 20000),
                        written(b'{"a": 3}'), written(b'{"a": {"dtype": "F32"}}'), written(b"{}", b"")[:9]):
            with self.subTest(content=content[:120]):
                self.assert_bounded("not a safetensors file: ", content, name="c.safetensors")

    def test_pickles(self):
        """Lengths and memo numbers without data, keys that take forever to hash, a few bytes copied many
        times."""
        deep = pickle.EMPTY_TUPLE + pickle.TUPLE1 * 300000
        doubled = pickle.EMPTY_TUPLE + (pickle.DUP + pickle.TUPLE2) * 80
        long = pickle.BINUNICODE + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + pickle.MEMOIZE
        copies = (pickle.BINGET + b"\0" + text("latin1") + pickle.TUPLE2 + pickle.REDUCE + pickle.POP)
        encode = pickle.GLOBAL + b"_codecs\nencode\n"
        array = call("numpy.core.multiarray", "_reconstruct", pickle.GLOBAL + b"numpy\nndarray\n"
                     + pickle.BININT + struct.pack("<i", 1 << 30) + pickle.TUPLE1 + text("b") + pickle.TUPLE3)
        cases = {
            "a bytes of 2^60": pickle.BINBYTES8 + length(1 << 60), "text": pickle.BINUNICODE8 + length(1 << 33),
            "a bytearray of 2^33": pickle.BYTEARRAY8 + length(1 << 33), "frame": pickle.FRAME + length(1 << 33),
            "memo": pickle.NONE + pickle.LONG_BINPUT + b"\xff\xff\xff\xff",
            "a deep key": pickle.EMPTY_DICT + deep + pickle.NONE + pickle.SETITEM,
            "a deep key of several": pickle.EMPTY_DICT + pickle.MARK + deep + pickle.NONE + pickle.SETITEMS,
            "a doubled key": pickle.EMPTY_DICT + doubled + pickle.NONE + pickle.SETITEM,
            "a doubled member": pickle.EMPTY_SET + pickle.MARK + doubled + pickle.ADDITEMS,
            "a frozen one": pickle.MARK + doubled + pickle.FROZENSET,
            "in a DICT": pickle.MARK + doubled + pickle.NONE + pickle.DICT,
            "in an OrderedDict": call("collections", "OrderedDict", pickle.EMPTY_LIST + doubled + pickle.NONE
                                      + pickle.TUPLE2 + pickle.APPEND + pickle.TUPLE1),
            "copies": long + b"".join(encode + copies for _ in range(3000)),
            "an array of nothing": array, "deep lists": pickle.EMPTY_LIST * 100000 + pickle.APPEND * 99999,
            "a state for a function": pickle.GLOBAL + b"_codecs\nencode\n" + pickle.EMPTY_DICT + pickle.BUILD,
        }
        for name, body in cases.items():
            with self.subTest(name=name):
                self.assert_bounded("c.pth: ", pickled(body))

    def test_shared_entries(self):
        """Dictionaries that contain each other twice, 40 levels deep, and endlessly."""
        body = pickle.EMPTY_DICT + pickle.MEMOIZE + b"".join(
            pickle.EMPTY_DICT + pickle.MEMOIZE + pickle.MARK
            + b"".join(text(key) + pickle.BINGET + bytes([i]) for key in "ab") + pickle.SETITEMS
            for i in range(40))
        self.assert_bounded("found no state_dict", pickled(body))
        self.assert_bounded("found no state_dict", pickled(
            pickle.EMPTY_DICT + pickle.MEMOIZE + text("a") + pickle.BINGET + b"\0" + pickle.SETITEM))

    def test_many_names(self):
        """Keys that might each be a module's, or a nameless layer's."""
        np.savez(self.folder / "c.npz", **{f"{i}.stages.0.1.weight": np.ones((1, 1)) for i in range(20000)})
        self.assert_bounded("pspnet-pytorch may start at any of 20,000 prefixes", None, name="c.npz")
        layer = {"weights": np.ones((1, 1), np.float32)}
        np.save(self.folder / "c.npy", np.array({f"conv2d_{i}": layer for i in range(50000)}, dtype=object))
        self.assert_bounded("recognized no pyramid pooling module among 50,000 tensors", None, name="c.npy")

    def test_damaged_tensors(self):
        """Invalid shapes and strides; --list continues."""
        for shape in (text("word") + pickle.TUPLE1, pickle.NONE, pickle.EMPTY_DICT,
                      pickle.LONG4 + struct.pack("<i", 5000) + b"\x7f" * 5000 + pickle.TUPLE1):
            with self.subTest(shape=shape[:20]):
                tensor = call("torch._utils", "_rebuild_tensor_v2", pickle.MARK + storage("FloatStorage") + pickle.BININT1
                              + b"\0" + shape + pickle.EMPTY_TUPLE + pickle.TUPLE)
                (self.folder / "c.pth").write_bytes(zipped(None, {
                    "c/data.pkl": pickled(pickle.EMPTY_DICT + text("a.weight") + tensor + pickle.SETITEM),
                    "c/data/0": bytes(16)}))
                self.assertEqual(self.run_bounded("c.pth", "--list"), "")
                self.assert_bounded("c.pth: ", None, *self.base())
