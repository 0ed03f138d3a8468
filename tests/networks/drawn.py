"""Seeded weights of a realistic size for any network of the language, and pictures to put through it."""
import zlib

import support  # noqa: F401: the path of tools/, where networks is

import numpy as np
import torch
from torch.nn import functional as F

from networks.literal import Literal, layer

# role -> (lowest, highest) value
RANGES = {"bias": (-0.2, 0.2), "gamma": (0.5, 1.5), "beta": (-0.3, 0.3), "slope": (0.0, 0.5)}
RESIDUAL = 0.3


def stream(seed):
    """Random numbers that depend on a text only."""
    return np.random.default_rng(zlib.crc32(seed.encode()))


def picture(seed, *shape):
    """Something like a normalized photo: patches of several sizes, and noise."""
    x = 0
    for scale in (32, 8, 1):
        size = [-(-n // scale) + 1 for n in shape[2:]]
        noise = stream(f"{seed}/{scale}").standard_normal((*shape[:2], *size), np.float32)
        x = x + F.interpolate(torch.from_numpy(noise), size=shape[2:], mode="bilinear", align_corners=True) / 1.5
    return x


class Drawn(Literal):
    """Draws each tensor when the network first reads it, each from a stream of its own.

    A batch norm gets the mean and variance of the map that reaches it, off by a little, as after training:
    activations keep their size however deep the network is. A norm whose result is added to a shortcut scales it
    down: otherwise rounding errors would grow from block to block as they do in no trained network.
    """

    def __init__(self, config, seed):
        super().__init__(config, {}, torch.float32)
        entries = [layer(entry) for entry in config["network"]]
        norms = {name: options.get("weights", name) for kind, options, name, _ in entries if kind == "batch_norm"}
        sums = [[norms.get(name) for name in names] for kind, names, *_ in entries if kind == "add"]
        self.residual = {f"{names[0]}.weight" for names in sums if names[0] and not any(names[1:])}
        self.seed = seed

    def tensor(self, name, shape, role):
        if self.prefix + name not in self.tensors:
            random = stream(f"{self.seed}/{name}")
            if role == "weight":
                hwio = self.config.get("weights", {}).get("kernel_layout") == "HWIO"
                fan_in = np.prod(shape[:3] if hwio else shape[1:])
                values = random.standard_normal(shape, np.float32) / np.sqrt(fan_in)
            else:
                values = random.uniform(*RANGES[role], shape) * (RESIDUAL if name in self.residual else 1)
            self.tensors[self.prefix + name] = values.astype(np.float32)
        return super().tensor(name, shape, role)

    def batch_norm(self, x, weights, **options):
        at = self.prefix + weights
        if f"{at}.running_mean" not in self.tensors:
            random = stream(f"{self.seed}/{weights}.statistics")
            mean, power = (v.double().mean((0, 2, 3)).numpy() for v in (x, x * x))
            # a constant map, as after global pooling, varies between pictures
            var = np.maximum(power - mean * mean, 0) + 0.1 * power + 1e-4
            self.tensors[f"{at}.running_mean"] = np.float32(
                mean + 0.2 * np.sqrt(var) * random.standard_normal(len(mean)))
            self.tensors[f"{at}.running_var"] = np.float32(var * random.uniform(0.7, 1.4, len(mean)))
        return super().batch_norm(x, weights, **options)


def draw(config, seed, inputs):
    """-> {name: array}: every tensor that the network reads from these inputs"""
    drawn = Drawn(config, seed)
    with torch.no_grad():
        drawn(inputs)
    return drawn.tensors


def center(config, tensors, inputs):
    """Takes the mean of each class from the last bias, so that no class wins everywhere."""
    *_, last = (options["weights"] for entry in config["network"] if not isinstance(entry, str)
                for kind, options in entry.items() if kind == "conv")
    with torch.no_grad():
        logits = Literal({**config, "output": {}}, tensors, torch.float32)(inputs)
    tensors[f"{last}.bias"] -= logits.mean((0, 2, 3)).numpy()
