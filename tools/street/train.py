#!/usr/bin/python3
"""Trains the networks of network.py on drawn scenes, and writes their models, NAME.json and NAME.safetensors.

usage: tools/street/train.py [NAME ...] [--steps 1800] [--folder build/street]

Seeds and the number of steps decide the weights, up to rounding; no scene that is held out decides anything. Needs
python3-torch, python3-numpy and python3-pil.
"""
import argparse
import math
import multiprocessing
import pathlib
import sys
import time

import model
import network
import numpy as np
import scenes
import torch
from canvas import CLASSES, HEIGHT, WIDTH
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCENES, BATCH, WARM_UP = 6400, 8, 80
RATE, RATE_LAST, DECAY = 3e-3, 0.01, 1e-2
WEIGHT_MAX = 8  # of a rare class


def drawn(seed):
    scene = scenes.draw(seed)
    return scene.image, scene.labels


def draw_all(seeds):
    """-> uint8 [N, H, W, 3], uint8 [N, H, W]"""
    images = np.empty((len(seeds), HEIGHT, WIDTH, 3), np.uint8)
    labels = np.empty((len(seeds), HEIGHT, WIDTH), np.uint8)
    with multiprocessing.Pool() as pool:
        for i, scene in enumerate(pool.imap(drawn, seeds, chunksize=16)):
            images[i], labels[i] = scene
            if (i + 1) % 100 == 0:
                print(f"\rdrawn {i + 1} of {len(seeds)} scenes", end="", file=sys.stderr)
    print(file=sys.stderr)
    return images, labels


def class_weights(labels):
    counts = np.bincount(labels[:500].ravel(), minlength=len(CLASSES))
    weights = np.minimum(np.sqrt(counts.max() / counts), WEIGHT_MAX)
    return torch.from_numpy(weights / weights.mean()).float()


def varied(x, labels, random):
    """Mirrored, lighter or darker, with more or less contrast, and each color channel by itself."""
    if random.random() < 0.5:
        x, labels = x.flip(3), labels.flip(2)
    n = len(x)
    gain = torch.from_numpy(random.uniform(0.8, 1.2, (n, 1, 1, 1)) * random.uniform(0.93, 1.07, (n, 3, 1, 1)))
    shift = torch.from_numpy(random.uniform(-0.06, 0.06, (n, 1, 1, 1)))
    return (x - 0.5) * gain.float() + 0.5 + shift.float(), labels


def optimizer_of(net):
    kernels = [p for p in net.parameters() if p.dim() > 1]
    others = [p for p in net.parameters() if p.dim() == 1]
    return torch.optim.AdamW([{"params": kernels, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}])


def rate(step, steps):
    if step < WARM_UP:
        return RATE * (step + 1) / WARM_UP
    share = (step - WARM_UP) / max(1, steps - WARM_UP)
    return RATE * (RATE_LAST + (1 - RATE_LAST) * (1 + math.cos(math.pi * share)) / 2)


def train(name, images, labels, steps):
    torch.manual_seed(1)
    net = network.made(name).train()
    optimizer, weights = optimizer_of(net), class_weights(labels)
    print(f"{name}: {network.parameters(net):,} parameters", file=sys.stderr)
    begun, loss_mean = time.monotonic(), None
    for step in range(steps):
        random = np.random.default_rng((2, step))  # the same scenes for each network
        chosen = random.integers(0, len(images), BATCH)
        x, y = varied(network.tensor_of(images[chosen]), torch.from_numpy(labels[chosen]).long(), random)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y, weights)
        loss.backward()
        optimizer.step()
        loss_mean = loss.item() if loss_mean is None else 0.95 * loss_mean + 0.05 * loss.item()
        if (step + 1) % 10 == 0 or step + 1 == steps:
            left = (time.monotonic() - begun) / (step + 1) * (steps - step - 1)
            print(f"\r{name}: step {step + 1} of {steps}, loss {loss_mean:.3f}, {left / 60:.1f} minutes left ", end="",
                  file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return net.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 2)[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(network.NETWORKS) + " [all]")
    parser.add_argument("--steps", type=int, default=1800)
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/street")
    options = parser.parse_args()
    if unknown := set(options.names) - set(network.NETWORKS):
        parser.error(f"found {min(unknown)}, expected {', '.join(network.NETWORKS)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    images, labels = draw_all(range(1, SCENES + 1))
    for name in options.names or network.NETWORKS:
        model.write(options.folder, name, train(name, images, labels, options.steps))


if __name__ == "__main__":
    main()
