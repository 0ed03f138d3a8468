"""The ways in which checkpoints are wrapped, what is refused and with which messages, and speed."""
import argparse
import os
import signal
import subprocess
import sys

import heads
import numpy as np
import safetensors_io
import tensorflow_files as tf
import torch
from checkpoints import ExportError
from checkpoints.pickled import Storage, TorchTensor
from support import ROOT, ExportTest, random_features, random_network
from torch import nn

X = random_features(1, 8, 12, 13)


def semseg():
    return random_network(heads.Semseg).state_dict()


def without(weights, *names):
    return {key: value for key, value in weights.items() if key not in names}


class Wrapped(ExportTest):
    def test_entries(self):
        network = random_network(heads.Semseg)
        weights = network.state_dict()
        for wrapped in ({"model": weights}, {"model_state_dict": weights, "epoch": 3},
                        {"ema": {"decay": 0.9}, "generator": weights}):
            with self.subTest(entries=list(wrapped)):
                self.export(self.save(wrapped))
                self.assert_same(self.serve(X), network(X))

    def test_averaged_weights_beside_the_others(self):
        weights = semseg()
        averaged = {f"module.{key}": values * 2 for key, values in weights.items()}
        for saved, other in (({"model": weights, "model_ema": averaged}, "model_ema"),
                             ({"state_dict": weights, "ema_state_dict": averaged}, "ema_state_dict"),
                             ({"model": weights, "ema": {"decay": 0.9, "shadow": averaged}}, "ema.shadow")):
            with self.subTest(other=other):
                path = self.save(saved)
                self.assertIn(f"note: the entry {other!r} has the same tensors with other values: --entry {other}\n",
                              self.export(path))
                self.assertNotIn("other values", self.export(path, "--entry", other))
        self.assertNotIn("other values", self.export(self.save({"model": weights, "best": {"a": torch.ones(1)}})))

    def test_entry_by_name(self):
        first, second = (random_network(heads.Semseg, seed) for seed in (1, 2))
        path = self.save({"student": first.state_dict(), "teacher": second.state_dict()})
        self.assert_refuses("found weights in more than one entry: student, teacher; choose one "
                            "with --entry", path)
        self.assert_refuses("entry 'pupil': found no tensors there; the entries are student, "
                            "teacher", path, "--entry", "pupil")
        self.export(path, "--entry", "teacher")
        self.assert_same(self.serve(X), second(X))

    def test_two_in_one(self):
        first, second = (random_network(heads.Semseg, seed) for seed in (1, 2))
        path = self.save({f"{name}.{key}": value for name, network in (("a", first), ("b", second))
                          for key, value in network.state_dict().items()})
        self.assert_refuses("found more than one module: semseg (hszhao/semseg: PSPNet) at 'a.'; "
                            "semseg (hszhao/semseg: PSPNet) at 'b.'; choose one with --kind or --prefix",
                            path)
        self.export(path, "--prefix", "b.")
        self.assert_same(self.serve(X), second(X))

    def test_safetensors(self):
        network = random_network(heads.Semseg)
        tensors = {key: (tuple(value.shape), value.numpy().reshape(-1).astype(np.float32))
                   for key, value in network.state_dict().items()}
        for dtype in ("F32", "BF16"):
            safetensors_io.save(self.folder / "c.safetensors", tensors, dtype)
            self.export(self.folder / "c.safetensors")
            if dtype == "BF16":
                for value in network.state_dict().values():
                    value.copy_(value.bfloat16())
            self.assert_same(self.serve(X), network(X))

    def test_matrices_and_float64(self):
        """1x1 convolutions may be matrices; float64 is rounded."""
        network = random_network(heads.Semseg)
        weights = {key: value.double() for key, value in network.state_dict().items()}
        for i in range(4):
            name = f"ppm.features.{i}.1.weight"
            weights[name] = weights[name].reshape(2, 8)
        self.export(self.save(weights))
        self.assert_same(self.serve(X), network(X))


class Evil:
    """Runs code if its pickle is loaded the usual way."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return exec, (f"open({self.path!r}, 'w')",)


class ReadSafely(ExportTest):
    def test_what_surrounds_the_weights(self):
        """A training checkpoint: floats, arguments, a custom class; in both formats."""
        network = random_network(heads.Semseg)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for is_zip in (True, False):
            path = self.save({"epoch": 3, "best": 0.25, "args": argparse.Namespace(lr=0.01),
                              "score": np.float64(0.5), "evil": Evil(self.folder / "ran"),
                              "state_dict": network.state_dict(),
                              "optimizer": optimizer.state_dict()},
                             _use_new_zipfile_serialization=is_zip)
            printed = self.export(path)
            self.assertIn("not read, because that could run code: argparse.Namespace, builtins.exec\n",
                          printed)
            self.assertFalse((self.folder / "ran").exists())
            self.assert_same(self.serve(X), network(X))

    def test_evil_itself(self):
        path = self.save(Evil(self.folder / "ran"))
        self.assert_refuses("could run code: builtins.exec", path)
        np.save(self.folder / "c.npy", np.array({"conv6": Evil(self.folder / "ran")}, dtype=object))
        self.assert_refuses("recognized no", self.folder / "c.npy")
        self.assertFalse((self.folder / "ran").exists())

    def test_views_and_types(self):
        """Tensors that share a storage, are transposed in it, are parameters or have other types."""
        network = random_network(heads.Semseg)
        weights = dict(network.state_dict())
        weights["ppm.features.0.1.weight"] = nn.Parameter(weights["ppm.features.0.1.weight"])
        flat = torch.cat([weights["cls.1.weight"], weights["cls.1.bias"]])
        weights["cls.1.weight"], weights["cls.1.bias"] = flat[:6], flat[6:]
        weights["cls.0.weight"] = weights["cls.0.weight"].permute(3, 1, 2, 0).contiguous().permute(
            3, 1, 2, 0)
        weights["cls.1.running_var"] = torch.ones(6, dtype=torch.int64)
        network.load_state_dict(weights)
        for is_zip in (True, False):
            self.export(self.save(weights, _use_new_zipfile_serialization=is_zip))
            self.assert_same(self.serve(X), network(X))

    def test_bfloat16(self):
        network = random_network(heads.Semseg)
        network.load_state_dict({key: value.bfloat16() for key, value in
                                 network.state_dict().items()})
        for is_zip in (True, False):
            self.export(self.save({key: value.bfloat16() for key, value in
                                   network.state_dict().items()},
                                  _use_new_zipfile_serialization=is_zip))
            self.assert_same(self.serve(X), network(X))


class Refused(ExportTest):
    def test_missing_keys(self):
        self.assert_refuses(
            "looks like semseg (hszhao/semseg: PSPNet), but lacks cls.1.weight, cls.1.running_var",
            self.save(without(semseg(), "cls.1.weight", "cls.1.running_var")))
        self.assert_refuses("but lacks cls.4.bias; --without-classifier ends the head before it",
                            self.save(without(semseg(), "cls.4.bias")))

    def test_missing_bias_of_a_conv_without_norm(self):
        """smp's and mmsegmentation's convolutions have either a norm or a bias."""
        name = "decoder.psp.blocks.0.pool.1.0.bias"
        self.assert_refuses(f"but lacks {name}", self.save(without(
            random_network(heads.Smp).state_dict(), name)))

    def test_missing_branch(self):
        self.assert_refuses("has 2 branches and 4 bins (1, 2, 3, 6): --bins sets where",
                            self.save(heads.Semseg(bins=(1, 2)).state_dict()))
        weights = {key: value for key, value in semseg().items() if ".features.2." not in key}
        self.assert_refuses("has 2 branches and 4 bins", self.save(weights))
        self.assert_refuses("also has ppm.features.3.1.weight, which that kind does not have",
                            self.save({**weights, "cls.0.weight": torch.zeros(6, 12, 3, 3)}),
                            "--bins", "1,2")

    def test_shapes(self):
        weights = semseg()
        self.assert_refuses("ppm.features.2.2.bias has shape [3], expected [2]",
                            self.save({**weights, "ppm.features.2.2.bias": torch.zeros(3)}))
        self.assert_refuses("cls.0.weight has shape [6, 16, 1, 1], expected [6, 16, 3, 3]",
                            self.save({**weights, "cls.0.weight": torch.zeros(6, 16, 1, 1)}))
        self.assert_refuses("cls.0.weight has shape [6, 15, 3, 3], expected [6, 16, 3, 3]",
                            self.save({**weights, "cls.0.weight": torch.zeros(6, 15, 3, 3)}))
        self.assert_refuses("cls.0.weight has shape [6], expected a convolution's",
                            self.save({**weights, "cls.0.weight": torch.zeros(6)}))

    def test_layers_that_the_kind_does_not_have(self):
        self.assert_refuses("also has cls.7.weight, which that kind does not have",
                            self.save({**semseg(), "cls.7.weight": torch.zeros(3, 5, 1, 1)}))

    def test_nothing_to_recognize(self):
        self.assert_refuses("recognized no pyramid pooling module among 2 tensors, the first of "
                            "which are weight, bias; --list shows all; with --base and --map you",
                            self.save(torch.nn.Linear(2, 3).state_dict()))
        tf.write_h5(self.folder / "c.h5", {"conv2d": tf.conv(4, 4), "conv2d_1": tf.conv(4, 4)})
        self.assert_refuses("recognized no pyramid pooling module among 2 tensors, the first of "
                            "which are conv2d/kernel:0, conv2d_1/kernel:0", self.folder / "c.h5")
        self.assert_refuses("recognized no smp among", self.save(semseg()), "--kind", "smp")

    def test_values(self):
        weights = semseg()
        weights["cls.0.weight"][0, 0, 0, 0] = float("nan")
        self.assert_refuses("cls.0.weight holds values that are not finite", self.save(weights))

    def test_whole_modules(self):
        """A pickled module's state_dict cannot be read without running its class."""
        module = heads.Semseg()
        refused = "refused, because reading it could run code: heads.Semseg, torch.nn"
        advice = "save only the weights: torch.save(model.state_dict(), FILE)"
        path = self.save(module)
        self.assert_refuses("holds an object, expected a state_dict; " + refused, path)
        path = self.save({"model": module})
        self.assert_refuses("found no state_dict among its entries, which are model; " + refused,
                            path)
        self.assert_refuses(advice, path)

    def test_torchscript(self):
        torch.jit.trace(nn.Conv2d(2, 3, 1), torch.zeros(1, 2, 3, 3)).save(self.folder / "c.pt")
        self.assert_refuses("a TorchScript archive, expected a state_dict", self.folder / "c.pt", "--list")

    def test_tensors_outside_their_storage(self):
        for change in ((9, (2, 2), (2, 1)), (0, (3, 3), (3, 1)), (-1, (2, 2), (2, 1)),
                       (0, (2, 2), (-2, 1)), (0, (2, 2), (1 << 62, 1)), (0, (2, 2), (1,))):
            tensor = TorchTensor(Storage("FloatStorage", "0", 8, 0), *change)
            with self.assertRaisesRegex(ExportError, "outside of its storage"):
                tensor.values(bytes(32))
        self.assertEqual(TorchTensor(Storage("FloatStorage", "0", 8, 0), 4, (2, 2), (2, 1))
                         .values(bytes(32)).shape, (2, 2))

    def test_other_pickles(self):
        self.assert_refuses("holds a list, expected a state_dict", self.save([torch.zeros(1)]))
        self.assert_refuses("found no state_dict among its entries, which are epoch",
                            self.save({"epoch": 3}))

    def test_unreadable_files(self):
        path = self.save(semseg())
        whole = path.read_bytes()
        tf.write_h5(self.folder / "w.h5", tf.bubbliiiing(8, 3).layers)
        tf.write_npz(self.folder / "w.npz", tf.hellochick(8, 3).layers)
        cases = {"cut.pth": (whole[:len(whole) // 2], "cannot read it: BadZipFile"),
                 "text.pth": (b"no checkpoint at all", "begins with b'no check', expected"),
                 "empty.h5": (b"", "an empty file, perhaps from a failed download"),
                 "cut.h5": ((self.folder / "w.h5").read_bytes()[:3000], "h5py cannot read it"),
                 "cut.npz": ((self.folder / "w.npz").read_bytes()[:3000], "cannot read it: BadZip"),
                 "old.pth": (b"\x80\x02}q\x00X", "cannot read it: UnpicklingError"),
                 "cut.npy": (b"\x93NUMPY\x01\x00", "cannot read it: ValueError"),
                 "x.safetensors": (b"\x08" + bytes(7) + b"{broken}", "not a safetensors file"),
                 "model.ckpt.index": (b"\0" * 99, "a TensorFlow checkpoint, which")}
        for name, (content, sentence) in cases.items():
            with self.subTest(name=name):
                (self.folder / name).write_bytes(content)
                self.assert_refuses(sentence, self.folder / name)
        np.save(self.folder / "one.npy", np.zeros(3))
        self.assert_refuses("holds one array of float64", self.folder / "one.npy")
        self.assert_refuses("No such file", self.folder / "none.pth")

    def test_place_to_write(self):
        path = self.save(semseg())
        self.model = self.folder / "none/model.json"
        self.assert_refuses("none/model.safetensors: cannot write it: No such file", path)


class CommandLine(ExportTest):
    def run_program(self, *arguments):
        return subprocess.run([sys.executable, ROOT / "tools/export.py", *arguments], text=True,
                              capture_output=True, cwd=self.folder)

    def test_exit_status(self):
        self.save(semseg())
        done = self.run_program("checkpoint.pth", "model.json")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.save(without(semseg(), "cls.1.bias"))
        failed = self.run_program("checkpoint.pth", "other.json")
        self.assertEqual((failed.returncode, failed.stdout), (1, ""))
        self.assertRegex(failed.stderr, r"\Aexport.py: checkpoint.pth: looks like semseg \(hszhao/semseg: PSPNet\), "
                         r"but lacks cls.1.bias[^\n]*\n\Z")
        self.assertFalse((self.folder / "other.json").exists())

    def test_usage(self):
        for arguments, sentence in (
                ([], "required: CHECKPOINT"), (["c.pth"], "expected MODEL.json"),
                (["c.pth", "model"], "ends in .json"), (["c.pth", "a b.json"], "'a b'"),
                (["c.pth", "m.json", "--map", "a=b"], "expected --base BASE.json"),
                (["c.pth", "m.json", "--bins", "1,x"], "--bins"),
                (["c.pth", "m.json", "--bins", "1,0"], "--bins"),
                (["c.pth", "m.json", "--kind", "unet"], "invalid choice: 'unet'"),
                (["c.pth", "m.json", "--base", "b.json", "--bins", "1"], "cannot be combined with --base"),
                (["c.pth", "m.json", "--base", "b.json", "--eps", "0"], "--eps: cannot be combined with --base"),
                (["c.pth", "m.json", "--branch-activation", "relu:3"], "--branch-activation"),
                (["c.pth", "m.json", "--head-activation", "prelu"], "--head-activation"),
                (["c.pth", "m.json", "--scale", "0"], "--scale: expected a number from 1 to 256"),
                (["c.pth", "m.json", "--scale", "257"], "--scale: expected a number from 1 to 256"),
                (["c.pth", "m.json", "--bins", "1,4097"], "--bins: expected up to 64 numbers from 1 to 4096"),
                (["c.pth", "m.json", "--bins", ",".join(65 * "1")], "--bins: expected up to 64 numbers"),
                (["c.pth", "m.json", "--windows", "65537"], "--windows: expected up to 64 numbers from 1 to 65536"),
                (["c.pth", "m.json", "--size", "8,65537"], "--size: expected numbers from 1 to 65536"),
                (["c.pth", "m.json", "--branch-activation", "leaky_relu:nan"], "--branch-activation"),
                (["c.pth", "m.json", "--eps", "nan"], "--eps: expected a number from 0 to 1"),
                (["c.pth", "m.json", "--size", "3"], "expected H,W")):
            with self.subTest(arguments=arguments):
                done = self.run_program(*arguments)
                self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
                self.assertIn(sentence, done.stderr)

    def start_program(self, *arguments, **options):
        return subprocess.Popen([sys.executable, ROOT / "tools/export.py", *arguments], text=True, cwd=self.folder,
                                stderr=subprocess.PIPE, **options)

    def test_output_that_nobody_reads(self):
        """A closed pipe is not an error; a full device is."""
        self.save({**semseg(), **{f"more.{i}": torch.zeros(1) for i in range(5000)}})
        for arguments in (["checkpoint.pth", "--list"], ["checkpoint.pth", "model.json", "--verbose"],
                          ["--help"]):
            program = self.start_program(*arguments, stdout=subprocess.PIPE)
            program.stdout.close()
            self.assertEqual((program.stderr.read(), program.wait()), ("", 0))
            program.stderr.close()
        self.assertTrue(self.model.exists())
        done = subprocess.run([sys.executable, ROOT / "tools/export.py", "checkpoint.pth", "model.json"], text=True,
                              stderr=subprocess.PIPE, cwd=self.folder, preexec_fn=lambda: os.close(1))
        self.assertEqual((done.stderr, done.returncode), ("", 0))
        with open("/dev/full", "w") as full:
            program = self.start_program("checkpoint.pth", "--list", stdout=full)
            self.assertEqual((program.stderr.read(), program.wait()),
                             ("export.py: standard output: No space left on device\n", 1))
            program.stderr.close()

    def test_interrupted(self):
        """Ctrl-C while it waits for a file that never arrives."""
        os.mkfifo(self.folder / "fifo.pth")
        program = self.start_program("fifo.pth", "model.json")
        with open(self.folder / "fifo.pth", "wb"):  # it has begun to read
            program.send_signal(signal.SIGINT)
            self.assertEqual((program.stderr.read(), program.wait()), ("export.py: interrupted\n", 130))
        program.stderr.close()

    def test_writes_both_or_nothing(self):
        weights = semseg()
        safetensors_io.save(self.folder / "model.safetensors", {
            key: (tuple(value.shape), value.numpy().reshape(-1).astype(np.float32)) for key, value in weights.items()})
        before = (self.folder / "model.safetensors").read_bytes()
        failed = self.run_program("model.safetensors", "model.json")
        self.assertEqual(failed.stderr, "export.py: model.safetensors: the checkpoint itself would be overwritten: "
                         "choose another name for MODEL.json\n")
        self.assertEqual((self.folder / "model.safetensors").read_bytes(), before)
        self.model.mkdir()
        self.save(weights)
        self.assertEqual(self.run_program("checkpoint.pth", "model.json").stderr,
                         "export.py: model.json: a folder, expected a file name\n")
        self.assertEqual((self.folder / "model.safetensors").read_bytes(), before)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()),
                         ["checkpoint.pth", "model.json", "model.safetensors"])

    def test_list(self):
        self.save(semseg())
        done = self.run_program("checkpoint.pth", "--list")
        self.assertEqual(done.returncode, 0)
        self.assertIn("\ncls.0.weight [6, 16, 3, 3]\n", done.stdout)


class FullSize(ExportTest):
    def test_a_head_of_2048_channels(self):
        """23 million values, which must not become Python objects."""
        network = random_network(lambda: heads.Semseg(channels=2048, classes=21))
        path = self.save(network.state_dict())
        self.export(path)
        x = random_features(1, 2048, 6, 7)
        self.assert_same(self.serve(x), network(x))
