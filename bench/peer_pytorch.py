#!/usr/bin/python3
"""The contender PyTorch, which bench/peers starts and drives by lines on stdin.

    load MODEL N,C,H,W FOLDER   -> {"variant": ...}: the fastest of eager, frozen and optimized; writes
                                   x.npy, x.f32, y.npy, y.f32, model.onnx to FOLDER
    network NAME FOLDER AS [VARIANT] -> {"variant": ...}: NAME of tests/networks with FOLDER's weights, on its
                                   x.npy; AS values or argmax; writes x.f32, and y.npy unless it has a VARIANT
    export MODEL N,C,H,W FOLDER -> {}: writes x.npy, x.f32, y.f32, model.onnx, model.pt (TorchScript)
    run SECONDS                 -> {"median_ms": ..., "runs": ...}
    compare FOLDER FILE...      -> {FILE: largest difference from y / largest value in it; or the share of
                                   labels that differ}
    memory                      -> {"max_rss_bytes": ...}
    threads COUNT, version      -> {...}

Needs Debian's Python for Debian's PyTorch.
"""
import json
import pathlib
import resource
import sys
import time
import warnings

import numpy as np
import torch
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/networks")]
import catalog  # noqa: E402  (found by the line above)
import golden_pytorch  # noqa: E402
from safetensors_io import BYTES  # noqa: E402

CALIBRATION_S = 0.4
OPSET = 13


class Weights(golden_pytorch.Weights):
    """Like golden_pytorch's, but read with NumPy, since these files have millions of values."""

    def __init__(self, folder, options):
        raw = np.fromfile(folder / options["file"], dtype=np.uint8)
        start = 8 + int(raw[:8].view("<u8")[0])
        self.tensors, self.prefix, self.hwio = {}, options.get("prefix", ""), False
        for name, entry in json.loads(raw[8:start].tobytes()).items():
            begin, end = entry["data_offsets"]
            assert (end - begin) % BYTES[entry["dtype"]] == 0 and entry["dtype"] == "F32"
            values = raw[start + begin:start + end].tobytes()
            self.tensors[name] = entry["shape"], np.frombuffer(values, "<f4")


class Labels(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x).argmax(dim=1).to(torch.int32)


class ProductPool(nn.Module):
    """Adaptive pooling as two matrix products, since ONNX has no operator for bins of unequal size."""

    def __init__(self, size, bins):
        super().__init__()
        self.rows = nn.Parameter(self.matrix(size[0], bins), requires_grad=False)
        self.columns = nn.Parameter(self.matrix(size[1], bins).T.contiguous(), requires_grad=False)

    @staticmethod
    def matrix(size, bins):
        m = torch.zeros(bins, size)
        for i in range(bins):
            begin, end = i * size // bins, -(-(i + 1) * size // bins)
            m[i, begin:end] = 1 / (end - begin)
        return m

    def forward(self, x):
        return self.rows @ (x @ self.columns)


def build(model, x, for_onnx=False):
    path = pathlib.Path(model)
    config = json.loads(path.read_text())
    module = golden_pytorch.PyramidPooling(config, Weights(path.parent, config["weights"])).eval()
    size = x.shape[2:]
    if for_onnx and any(side % bins for side in size for bins in config["bins"]):
        pools = nn.ModuleList(ProductPool(size, bins) for bins in config["bins"])
        module.pools = pools
        module.branch = lambda i, x: golden_pytorch.resize(
            module.branches[i](pools[i](x)), size, config["upsample"])
    return module


def milliseconds(call, x):
    start = time.perf_counter()
    call(x)
    return 1e3 * (time.perf_counter() - start)


def measure(call, x, seconds):
    """Returns the times of the runs within seconds, after a warm-up run."""
    call(x)
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        times.append(milliseconds(call, x))
    return times


def variants(module, x):
    """The ways in which this PyTorch can run a module."""
    yield "eager", module
    for name, prepare in (("frozen", torch.jit.freeze),
                          ("optimized", lambda traced: torch.jit.optimize_for_inference(
                              torch.jit.freeze(traced)))):
        try:
            call = prepare(torch.jit.trace(module, x))
            call(x)
            yield name, call
        except RuntimeError as reason:
            print(f"PyTorch, {name}: {str(reason).splitlines()[0]}", file=sys.stderr)


class Peer:
    def export(self, model, shape, folder):
        module = self.prepare(model, shape, pathlib.Path(folder))
        torch.jit.trace(module, self.x).save(f"{folder}/model.pt")
        return {}

    def prepare(self, model, shape, folder):
        """-> the module; writes x, y and the module as ONNX to the folder"""
        shape = tuple(map(int, shape.split(",")))
        generator = torch.Generator().manual_seed(1)
        self.x = 2 * torch.rand(shape, generator=generator) - 1
        np.save(folder / "x.npy", self.x.numpy())
        self.x.numpy().tofile(folder / "x.f32")
        module = build(model, self.x)
        y = module(self.x).numpy()
        np.save(folder / "y.npy", y)
        y.tofile(folder / "y.f32")
        torch.onnx.export(build(model, self.x, for_onnx=True), self.x, folder / "model.onnx",
                          opset_version=OPSET, input_names=["x"], output_names=["y"])
        return module

    def load(self, model, shape, folder):
        return self.choose(self.prepare(model, shape, pathlib.Path(folder)))

    def network(self, name, folder, kind, variant=None):
        folder = pathlib.Path(folder)
        weights = Weights(folder, {"file": f"{name}.safetensors"})
        module = catalog.module_of(name, {key: values.reshape(shape)
                                          for key, (shape, values) in weights.tensors.items()})
        module = Labels(module).eval() if kind == "argmax" else module
        self.x = torch.from_numpy(np.load(folder / "x.npy"))
        if not variant:
            self.x.numpy().tofile(folder / "x.f32")
            np.save(folder / "y.npy", module(self.x).numpy())
        return self.choose(module, variant)

    def choose(self, module, variant=None):
        """Takes the fastest variant, or the one that is given."""
        calls = {name: call for name, call in variants(module, self.x) if variant in (None, name)}
        for call in calls.values():  # the first runs of a traced module compile it
            measure(call, self.x, 0)
        medians = {name: np.median(measure(call, self.x, CALIBRATION_S))
                   for name, call in calls.items()}
        fastest = min(medians, key=medians.get)
        self.call = calls[fastest]
        return {"variant": fastest, "medians_ms": medians}

    def run(self, seconds):
        times = measure(self.call, self.x, float(seconds))
        return {"median_ms": np.median(times), "runs": len(times)}

    def compare(self, folder, *files):
        want = np.load(f"{folder}/y.npy").ravel()
        differences = {}
        for file in files:
            path = f"{folder}/{file}"
            got = np.load(path) if file.endswith(".npy") else np.fromfile(path, f"<{file[-3]}{int(file[-2:]) // 8}")
            differences[file] = np.mean(got.ravel() != want) if want.dtype == np.int32 else (
                np.abs(got.ravel() - want.astype(float)).max() / np.abs(want).max())
        return differences

    def memory(self):
        return {"max_rss_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}

    def threads(self, count):
        torch.set_num_threads(int(count))
        return {"threads": torch.get_num_threads()}

    def version(self):
        return {"version": torch.__version__}


def main():
    warnings.filterwarnings("ignore")
    torch.set_grad_enabled(False)
    peer = Peer()
    for line in sys.stdin:
        verb, *arguments = line.split()
        print(json.dumps(getattr(peer, verb)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
