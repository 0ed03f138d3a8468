"""Real-world checkpoints that are not what they look like: each is exported and computes what its network
does, or is refused with a sentence that says what it contains."""
import collections
import json
import pickle
import zipfile

import heads
import numpy as np
import torch
from checkpoints import ExportError, files
from pickles import call, pickled, storage, text, zipped
from support import ExportTest, random_features, random_network
from torch import nn
from torch.nn import functional as F

X = random_features(1, 8, 12, 13)
SEMSEG = "semseg (hszhao/semseg: PSPNet)"


class SparseInst(nn.Module):
    """hustvl/SparseInst's encoder.ppm: Lextal's names, but with biases, and a relu after each branch."""

    def __init__(self, channels=8, width=2, sizes=(1, 2, 3, 6)):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d((size, size)), nn.Conv2d(channels, width, 1)) for size in sizes)
        self.bottleneck = nn.Conv2d(channels + len(sizes) * width, channels, 1)

    def forward(self, x):
        priors = [heads.stretch(F.relu(stage(x)), x, align_corners=False) for stage in self.stages] + [x]
        return F.relu(self.bottleneck(torch.cat(priors, 1)))


class WithNorms(heads.SemsegPPM):
    """A known module with another activation, eps and upsampling, which no tensor shows."""

    def __init__(self):
        super().__init__(8, 2)
        for branch in self.features:
            branch[2].eps, branch[3] = 1e-2, nn.LeakyReLU(0.2)

    def forward(self, x):
        return torch.cat([heads.stretch(branch(x), x, align_corners=False) for branch in self.features] + [x], 1)


class Labelled(torch.Tensor):
    """A custom class, as frameworks have."""


def semseg(seed=1):
    return random_network(heads.Semseg, seed)


class Graphs(ExportTest):
    def test_branches_with_biases(self):
        module = random_network(SparseInst)
        weights = {f"encoder.ppm.{key}": value for key, value in module.state_dict().items()}
        printed = self.export(self.save({**weights, "encoder.fpn.weight": torch.zeros(3)}))
        self.assertIn("sparseinst (hustvl/SparseInst: PyramidPoolingModule) at 'encoder.ppm.'", printed)
        self.assertIn("  assumed, since a checkpoint does not contain it, from the network's code: bins 1, 2, 3, 6, adaptive, half_pixel, "
                      "input_last, branches with relu, a head with relu\n", printed)
        self.assert_same(self.serve(X), module(X))

    def test_activations_are_given(self):
        module = random_network(WithNorms)
        printed = self.export(self.save(module.state_dict()), "--branch-activation", "leaky_relu:0.2", "--eps",
                              "0.01", "--upsample", "half_pixel", "--concat", "input_last")
        self.assertIn("from the network's code and --upsample, --concat, --branch-activation, --eps: bins 1, 2, 3, 6, "
                      "adaptive, half_pixel, input_last, branches with leaky_relu 0.2, eps 0.01\n", printed)
        self.assert_same(self.serve(X), module(X))
        module = random_network(SparseInst)
        printed = self.export(self.save(module.state_dict()), "--branch-activation", "none", "--head-activation",
                              "none")
        self.assertIn("branches with no activation, a head with no activation\n", printed)
        priors = [heads.stretch(stage(X), X, align_corners=False) for stage in module.stages] + [X]
        self.assert_same(self.serve(X), module.bottleneck(torch.cat(priors, 1)))

    def test_options_that_nothing_follows(self):
        path = self.save(random_network(SparseInst).state_dict())
        self.assert_refuses("has no batch norm for --eps", path, "--eps", "0")
        self.assert_refuses("but pools adaptively, where --windows needs --pool same or valid", path, "--windows",
                            "1,2,3,6")
        path = self.save(random_network(WithNorms).state_dict())
        self.assert_refuses("has no head for", path, "--head-activation", "relu")
        np.savez(self.folder / "c.npz", a=np.zeros(3))
        self.assert_refuses("has no entries", self.folder / "c.npz", "--entry", "a")

    def test_what_a_kind_does_not_have(self):
        """No tensor at a kind's prefix may be ignored."""
        lextal = random_network(heads.LextalModule).state_dict()
        narrow = {**lextal, **{f"stages.{i}.1.weight": torch.zeros(3, 5, 1, 1) for i in range(4)},
                  "bottleneck.weight": torch.zeros(7, 17, 1, 1)}
        for weights, extra, sentence in (
                (semseg(), {"ppm.features.1.1.bias": torch.zeros(2)}, "also has ppm.features.1.1.bias"),
                (semseg(), {"cls.0.bias": torch.zeros(6)}, "also has cls.0.bias"),
                (random_network(heads.Smp), {"decoder.conv.0.bias": torch.zeros(6)}, "decoder.conv.0.bias"),
                (lextal, {"stages.0.total_ops": torch.zeros(1), "gamma": torch.zeros(1)}, "also has gamma"),
                (lextal, {f"stages.{i}.1.bias": torch.zeros(5) for i in range(3)}, "lacks stages.3.1.bias"),
                (lextal, {"stages.0.2.weight": torch.ones(5)}, "also has stages.0.2.weight"),
                (narrow, {}, "has branches of 3 channels, where that kind's have the 5 of the input"),
                (random_network(heads.Csail), {"ppm.0.1.bias": torch.zeros(4)}, "also has ppm.0.1.bias"),
                (random_network(lambda: heads.SemsegPPM(8, 2)), {"extra": torch.zeros(1)}, "also has extra")):
            with self.subTest(sentence=sentence):
                weights = weights if isinstance(weights, dict) else weights.state_dict()
                self.assert_refuses(sentence, self.save({**weights, **extra}))
        weights = {key: value for key, value in semseg().state_dict().items() if ".features.3.2." not in key}
        self.assert_refuses("lacks ppm.features.3.2.weight", self.save(weights))
        weights = {f"head.{key}": value for key, value in
                   random_network(lambda: heads.BubbliiiingModule(8, heads.BINS)).state_dict().items()}
        self.assert_refuses("lacks bottleneck.weight, bottleneck.bias, and has stages.0.2.weight",
                            self.save(weights))

    def test_norms(self):
        """A norm with another name, and something else with a norm's name."""
        network = random_network(heads.MmsegUper)
        weights = {key.replace(".bn.", ".batch_norm."): value for key, value in network.state_dict().items()}
        printed = self.export(self.save({key: value for key, value in weights.items() if "conv_seg" not in key}))
        self.assertIn("huggingface-uper", printed)
        x = random_features(1, 6, 13, 11)
        self.assert_same(self.serve(x), network(x))
        self.model.unlink()
        group = {key.replace(".bn.", ".gn."): value for key, value in
                 random_network(heads.Mmseg).state_dict().items() if "running" not in key and "num_" not in key}
        self.assert_refuses("has decode_head.psp_modules.0.1.gn.weight and no decode_head.psp_modules.0.1.gn."
                            "running_mean: a GroupNorm", self.save(group))
        other = {key.replace(".bn.", ".norm."): value for key, value in
                 random_network(heads.Mmseg).state_dict().items()}
        self.assert_refuses("calls its norm decode_head.psp_modules.0.1.norm, where", self.save(other))
        same = {key: value for key, value in semseg().state_dict().items() if "running" not in key}
        self.assert_refuses("ppm.features.0.2.weight and no ppm.features.0.2.running_mean", self.save(same))


class Found(ExportTest):
    def test_nested(self):
        network = semseg()
        weights = network.state_dict()
        for value, entry in (
                ({"model": {"state_dict": weights}, "epoch": 1}, "model.state_dict"),
                ({"a.b": {"c": {"weights": weights}}}, "a.b.c.weights"), ([weights, {"lr": 0.1}], "0"),
                ({"state_dict": collections.defaultdict(list, weights)}, "state_dict"),
                (collections.defaultdict(list, {"net": collections.OrderedDict(weights)}), "net"),
                ({"checkpoint": weights, "optimizer": {"state": {0: {"m": torch.zeros(2)}}}}, "checkpoint")):
            for options in ((), ("--entry", entry)):
                with self.subTest(entry=entry, options=options):
                    printed = self.export(self.save(value), *options)
                    self.assertIn(f"entry {entry!r}: semseg", printed)
                    self.assertNotIn("could run code", printed)
        self.assert_same(self.serve(X), network(X))
        self.model.unlink()
        self.assert_refuses("entry 'a.b.d': found no tensors there; the entries are a.b",
                            self.save({"a.b": {"c": weights}}), "--entry", "a.b.d")

    def test_saved_apart(self):
        """The encoder in one entry, the decoder in another: with the network's names, or their own."""
        network = semseg()
        weights = network.state_dict()
        parts = {"encoder": {k: v for k, v in weights.items() if "ppm" in k},
                 "decoder": {k: v for k, v in weights.items() if "cls" in k}}
        for options in ((), ("--entry", "encoder,decoder")):
            printed = self.export(self.save(parts), *options)
            self.assertIn("entry 'encoder,decoder': " + SEMSEG, printed)
            self.assert_same(self.serve(X), network(X))
        smp = random_network(lambda: heads.Smp(upsampling=1))
        own = {"decoder": smp.decoder.state_dict(), "segmentation_head": smp.segmentation_head.state_dict()}
        self.export(self.save({"network": own}))
        self.assert_same(self.serve(X), smp(X))
        self.model.unlink()
        clash = {name: {**part, "step": torch.zeros(1)} for name, part in own.items()}
        self.assert_refuses("--entry decoder,segmentation_head", self.save(clash))

    def test_tensors_of_other_kinds(self):
        """They are ignored if the model does not need them, and named if it does."""
        network = semseg()
        weights = network.state_dict()
        others = {"complex": torch.polar(torch.ones(4), torch.ones(4)), "sparse": torch.eye(4).to_sparse(),
                  "double complex": torch.ones(2, dtype=torch.complex128),
                  "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
                  "text": "1.0", "nothing": None, ("a", 1): torch.zeros(2), 3: torch.zeros(1)}
        for options in ({}, {"_use_new_zipfile_serialization": False}):
            printed = self.export(self.save({**others, **weights}, **options))
            self.assertNotIn("could run code", printed)
            self.assert_same(self.serve(X), network(X))
        self.model.unlink()
        for kind, sentence in (("complex", "has the type complexfloat"), ("sparse", "is a sparse tensor"),
                               ("quantized", "is a quantized tensor")):
            self.assert_refuses(f"checkpoint.pth: cls.1.bias {sentence}, expected", self.save(
                {**weights, "cls.1.bias": {"complex": torch.ones(6, dtype=torch.complex64),
                                           "sparse": torch.ones(6).to_sparse(), "quantized": torch.quantize_per_tensor(
                                               torch.ones(6), 0.1, 0, torch.qint8)}[kind]}))

    def test_a_number_beside_the_weights(self):
        """A best accuracy is a tensor too, and an array of names; the weights are in the entry."""
        network = semseg()
        for weights in ({"state_dict": network.state_dict()}, {"net": {"model": network.state_dict()}}):
            for best in (torch.tensor(0.7), np.array([0.7])):
                printed = self.export(self.save({"best": best, "epoch": 3, **weights, "optimizer": {"state": {
                    0: {"exp_avg": torch.zeros(3)}}}}))
                self.assertIn("semseg", printed)
        self.assert_same(self.serve(X), network(X))
        self.assertEqual(list(files.read(self.save({"weight": torch.zeros(1), "optimizer": {"state": {
            0: {"exp_avg": torch.zeros(3)}}}})).tensors), ["weight"])

    def test_types_that_are_not_read(self):
        """They are ignored if the model does not need them, whatever the file's format is."""
        import h5py
        weights, h5 = {"a.weight": np.ones((2, 2), np.float32)}, self.folder / "c.h5"
        odd = {"r": np.rec.array([(1, 2.0)]), "s": np.zeros(1, [("a", "f4")]), "o": np.array([1, None], object),
               "t": np.array(["a"]), "d": np.array(["2020-01-01"], "M8[D]"), "z": {1}, "c": 1j, "l": slice(1)}
        (self.folder / "c.pkl").write_bytes(pickle.dumps({**weights, **odd}, protocol=4))
        np.savez(self.folder / "c.npz", **weights, **{key: odd[key] for key in "rsotd"})
        with zipfile.ZipFile(self.folder / "c.npz", "a") as archive:
            archive.writestr("bad.npy", b"something else")
        with h5py.File(h5, "w") as file:
            file["a.weight"] = weights["a.weight"]
            h5py.h5d.create(file.id, b"time", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((2,)))
        for name, key, sentence in (("c.pkl", "r", "is a record tensor"), ("c.pkl", "s", "is a record tensor"),
                                    ("c.npz", "s", "has the type"),
                                    ("c.npz", "bad", "has a type that NumPy cannot read"),
                                    ("c.h5", "time", "has a type that NumPy does not have")):
            with self.subTest(name=name, key=key):
                found = files.read(self.folder / name)
                np.testing.assert_array_equal(found.tensors["a.weight"].values(""), 1)
                self.assertFalse([name for name in found.refused if "builtins" in name])
                with self.assertRaisesRegex(ExportError, f"{key} {sentence}.*, expected"):
                    found.tensors[key].values("")

    def test_subclasses(self):
        network = semseg()
        self.export(self.save({key: value.as_subclass(Labelled) for key, value in network.state_dict().items()}))
        self.assert_same(self.serve(X), network(X))

    def test_types_of_later_versions(self):
        """float8 is refused by name if the model needs it; uint16 is a number like any other."""
        def tensor(dtype):
            sizes = pickle.BININT1 + b"\2" + pickle.TUPLE1
            return call("torch._utils", "_rebuild_tensor_v3", pickle.MARK + storage("UntypedStorage", "torch.storage")
                        + pickle.BININT1 + b"\0" + sizes + pickle.BININT1 + b"\1" + pickle.TUPLE1 + pickle.NEWFALSE
                        + pickle.NONE + pickle.GLOBAL + f"torch\n{dtype}\n".encode() + pickle.TUPLE)

        (self.folder / "c.pth").write_bytes(zipped(None, {"c/data/0": bytes([1, 0, 2, 0]) * 4, "c/data.pkl": pickled(
            pickle.EMPTY_DICT + pickle.MARK + text("a.weight") + tensor("uint16") + text("b") + tensor("float8_e4m3fn")
            + pickle.SETITEMS)}))
        found = files.read(self.folder / "c.pth")
        self.assertEqual(list(found.tensors["a.weight"].values("")), [1, 2])
        self.assertEqual((found.tensors["b"].shape, found.refused), ((2,), []))
        with self.assertRaisesRegex(ExportError, "b is a float8_e4m3fn tensor"):
            found.tensors["b"].values("c.pth")

    def test_values_beyond_the_type(self):
        weights = semseg().state_dict()
        weights["ppm.features.0.2.running_var"][1] = 123456
        for dtype, largest in (("F16", "65504"),):
            self.assert_refuses("ppm.features.0.2.running_var holds 123456, but the largest number in "
                                f"{dtype} is {largest}; --dtype F32 holds it", self.save(weights), "--dtype", dtype)
        for value, dtype, said in ((-1e39, "F32", "-1e+39"), (3.4e38, "BF16", "3.4"), (65520.0, "F16", "65520")):
            changed = {key: value_.double() for key, value_ in weights.items()}
            changed["ppm.features.0.2.running_var"][1] = 1
            changed["cls.4.bias"][0] = value
            self.assert_refuses(f"cls.4.bias holds {said}", self.save(changed), "--dtype", dtype)
        tiny = {**weights, "cls.4.bias": torch.full_like(weights["cls.4.bias"], 1e-9)}
        tiny["ppm.features.0.2.running_var"] = torch.ones_like(weights["ppm.features.0.2.running_var"])
        self.assert_refuses("cls.4.bias holds 9.9999997e-10 at most, which F16 rounds to 0; --dtype F32 holds it",
                            self.save(tiny), "--dtype", "F16")
        changed["cls.4.bias"][0] = 65519.0
        self.export(self.save(changed), "--dtype", "F16")
        self.serve(X)


class Sentences(ExportTest):
    def test_files_that_are_something_else(self):
        whole = self.save(semseg().state_dict()).read_bytes()
        for name, content, sentence in (
                ("c.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n", "a Git LFS pointer"),
                ("c.pth", b"\xef\xbb\xbf\n <!DOCTYPE html><html></html>", "a web page"),
                ("c.pth", b'{"error": "Not Found"}', "a JSON text"), ("c.pth", b"<html>", "a web page"),
                ("c.pth.gz", b"\x1f\x8b\x08" + bytes(20), "gunzip it first"),
                ("c.json", b'{"metadata":{"total_size":1},"weight_map":{"a":"b"}}', "an index of several safetensors"),
                ("c.pth", b"", "an empty file"), ("c.pth", b"404: Not Found", "an error message"),
                ("c.xml", b'<?xml version="1.0"?><net name="psp">', "an OpenVINO model"),
                ("c.xml", b"<?xml version='1.0'?><Error>", "an XML text, perhaps from a failed"),
                ("c.onnx", b"\x08\x07\x12\x07pytorch", "an ONNX model, expected the checkpoint it was made of"),
                ("c.caffemodel", b"\n\x09pspnet101", "Caffe's weights"), ("c.pb", b"\n\x2a\n", "a TensorFlow graph"),
                ("c.params", b"\x12\x01" + bytes(14), "MXNet's parameters"),
                ("c.bin", b"\x01\x02", "begins with b'\\x01\\x02', expected a PyTorch checkpoint"),
                ("c.zip", zipped(None, {"a/": b"", "a/b.pth": whole}), "a zip archive with a/b.pth: unpack it first"),
                ("c.pth", whole[:len(whole) // 2], "it may be truncated")):
            with self.subTest(sentence=sentence):
                (self.folder / name).write_bytes(content)
                self.assert_refuses(sentence, self.folder / name)
        self.assert_refuses("a folder, expected a checkpoint", self.folder)

    def test_bases_that_are_something_else(self):
        path, base = self.save(semseg().state_dict()), self.folder / "base.json"
        for content, sentence in ((b"version https://git-lfs.github.com/spec/v1\n", "base.json: a Git LFS pointer"),
                                  (b"<!DOCTYPE html>", "base.json: a web page"),
                                  (b"\xff", "base.json: found bytes that are not UTF-8")):
            base.write_bytes(content)
            self.assert_refuses(sentence, path, "--base", str(base))
            good = self.folder / "good.json"
            good.write_text('{"input": {"channels": 8}, "bins": [1], "branch": [{"conv": {}}]}')
            self.assert_refuses(sentence, path, "--base", str(good), "--map-file", str(base))

    def test_counts(self):
        path = self.save({"weight": torch.zeros(1)})
        self.assert_refuses("among 1 tensor, the first", path)
        self.assert_refuses("with --base and --map you can", path)
        self.assert_refuses("has 1 branch and 4 bins", self.save(heads.Semseg(bins=(1,)).state_dict()))
        self.assert_refuses("has 4 branches and 1 bin (", self.save(semseg().state_dict()), "--bins", "1")

    def test_one_channel(self):
        path = self.save(random_network(lambda: heads.Smp(classes=1)).state_dict())
        for form in ("argmax", "softmax"):
            self.assert_refuses(f"y has 1 channel, whose {form} is always", path, "--as", form)
            self.assert_refuses("sigmoid", path, "--as", form, "--scale", "8")
        self.export(path, "--as", "values")


class Kernels(ExportTest):
    """Kernels that fit both layouts: C x C, and 3 x 3 over three channels."""

    def export_square(self, key, name, *options):
        matrix = np.arange(9, dtype=np.float32).reshape(3, 3) - 4
        if name.endswith(".npz"):
            np.savez(self.folder / name, **{key: matrix})
        elif name.endswith(".pkl"):
            (self.folder / name).write_bytes(pickle.dumps({key: matrix}, protocol=4))
        else:
            import h5py
            with h5py.File(self.folder / name, "w") as file:
                file[key] = matrix
        (self.folder / "base.json").write_text(json.dumps({
            "input": {"channels": 3}, "bins": [1], "concat": "branches", "branch": [{"conv": {"bias": False}}]}))
        self.export(self.folder / name, "--base", str(self.folder / "base.json"), "--map",
                    f"branch.0.conv.weight={key}", *options)
        x = random_features(1, 3, 4, 4)
        y, mean = self.serve(x)[0, :, 0, 0], x.mean((2, 3))[0].numpy()
        self.assertFalse(np.allclose(matrix @ mean, matrix.T @ mean, atol=1e-3))
        return "OIHW" if np.allclose(y, matrix @ mean, atol=1e-5) else "HWIO" if np.allclose(
            y, matrix.T @ mean, atol=1e-5) else None

    def test_square(self):
        for name in ("c.npz", "c.h5", "c.pkl"):
            with self.subTest(name=name):
                self.assertEqual(self.export_square("a.weight" if name != "c.h5" else "a/weight", name), "OIHW")
                self.assertEqual(self.export_square("a/kernel", name), "HWIO")
                self.assertEqual(self.export_square("a.weight" if name != "c.h5" else "a/weight", name, "--kernels",
                                                    "HWIO"), "HWIO")
                self.assertEqual(self.export_square("W", name, "--kernels", "OIHW"), "OIHW")
                self.assertEqual(self.export_square("W", name, "--kernels", "HWIO"), "HWIO")
                with self.assertRaisesRegex(Exception, "W of shape .3, 3. may be .* --kernels OIHW or HWIO"):
                    self.export_square("W", name)
        self.assertEqual(self.export_square("layers/conv2d/vars/0", "c.h5"), "HWIO")
