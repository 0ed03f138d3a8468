#!/usr/bin/python3
"""usage: tools/street/evaluate.py [FOLDER]

Prints a table of how well the networks whose weights are in a folder [configs/models] label 200 held-out scenes.
"""
import pathlib
import sys

import model
import network
import numpy as np
import scenes
import torch
from canvas import BOAT, CAR, CLASSES

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 200


def held_out(count=COUNT):
    return [scenes.draw(scenes.HELD_OUT + i) for i in range(count)]


def labels_of(net, image):
    """-> [H, W] what PyTorch says of a uint8 image"""
    with torch.no_grad():
        return net(network.tensor_of(image[None])).argmax(1)[0].numpy()


def confusion(truth, found):
    """-> [class, what it is called] in pixels"""
    n = len(CLASSES)
    return np.bincount(truth.ravel().astype(int) * n + found.ravel(), minlength=n * n).reshape(n, n)


def ious(counts):
    right = np.diag(counts)
    return right / np.maximum(counts.sum(0) + counts.sum(1) - right, 1)


def accuracy(counts):
    return np.trace(counts) / counts.sum()


def swapped(counts):
    """The share of car pixels that are called boat, and the reverse."""
    return (counts[CAR, BOAT] + counts[BOAT, CAR]) / counts[[CAR, BOAT]].sum()


def figures(net, chosen):
    """-> {what: share} of some scenes"""
    counts = {kind: np.zeros((len(CLASSES),) * 2, int) for kind in (True, False)}
    for scene in chosen:
        counts[scene.is_ambiguous] += confusion(scene.labels, labels_of(net, scene.image))
    both = counts[True] + counts[False]
    return {"mean IoU": ious(both).mean(), "pixel accuracy": accuracy(both),
            "of plain scenes": accuracy(counts[False]),
            "of scenes that need their surroundings": accuracy(counts[True]),
            "cars called boat, boats called car": swapped(both),
            **{f"IoU of {name}": iou for name, iou in zip(CLASSES, ious(both))}}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "configs/models"
    nets = {name: model.load(folder / f"{name}.safetensors") for name in network.NETWORKS
            if (folder / f"{name}.safetensors").exists()}
    if not nets:
        sys.exit(f"evaluate.py: {folder}: found none of {', '.join(n + '.safetensors' for n in network.NETWORKS)}")
    chosen = held_out()
    columns = [figures(net, chosen) for net in nets.values()]
    print("| | " + " | ".join(nets) + " |\n| --- |" + " ---: |" * len(nets))
    print("| parameters | " + " | ".join(f"{network.parameters(net):,}" for net in nets.values()) + " |")
    for what in columns[0]:
        print(f"| {what} | " + " | ".join(f"{column[what]:.3f}" for column in columns) + " |")


if __name__ == "__main__":
    main()
