"""Files and processes that the tests and tools of this folder share."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER = os.environ.get("PPM_SERVER", str(ROOT / "build/ppm-server"))
sys.path.insert(0, str(ROOT / "tools"))

import safetensors_io  # noqa: E402


def write_weights(path, tensors, dtype="F32"):
    safetensors_io.save(path, {name: (values.shape, values.ravel()) for name, values in tensors.items()}, dtype)


def model_text(config):
    """A model's JSON: a line per key, and per entry of the network."""
    lines = []
    for key, value in config.items():
        text = json.dumps(value)
        if key == "network":
            text = "[\n" + ",\n".join(f"    {json.dumps(entry)}" for entry in value) + "\n  ]"
        lines.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def run(model, inputs, folder, *options):
    """-> what ppm-server computes from {name: x}; options: of its command run"""
    arguments = []
    for name, x in inputs.items():
        np.save(folder / f"{name}.npy", x)
        file = str(folder / f"{name}.npy")
        arguments += ["--input", file if len(inputs) == 1 else f"{name}={file}"]
    done = subprocess.run([SERVER, "run", "--model", model, *arguments, "--output", folder / "y.npy", *options],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "y.npy")
