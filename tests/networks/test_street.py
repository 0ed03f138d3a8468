"""The network that is trained on drawn scenes (docs/street.md), as it is shipped."""
import sys

import numpy as np
import pytest
import torch
from support import ROOT, run

sys.path.insert(0, str(ROOT / "tools/street"))

import evaluate  # noqa: E402
import model as street  # noqa: E402
import network  # noqa: E402
import train  # noqa: E402

MODELS = ROOT / "configs/models"
NAMES = ("street", "street-without-pyramid")
COUNT = 16  # scenes of the 200 in docs/street.md
IOU_MIN, GAIN_MIN = 0.80, 0.08  # of their mean: 0.86, and 0.74 without the pyramid
SWAPPED_MAX = 0.1  # of the pixels of cars and boats: 0.00, and 0.28 without the pyramid
EQUAL_MIN = 0.9995  # of the labels

torch.set_grad_enabled(False)


@pytest.fixture(scope="module", name="held_out")
def some_scenes():
    return evaluate.held_out(COUNT)


@pytest.fixture(scope="module", name="labels")
def labels_of_both(held_out, tmp_path_factory):
    """{name: what the server says of all scenes at once}"""
    x = network.tensor_of(np.stack([scene.image for scene in held_out])).numpy()
    folder = tmp_path_factory.mktemp("street")
    return {name: run(MODELS / f"{name}.json", {"x": x}, folder)[:, 0] for name in NAMES}


def labels_by_pytorch(name, image):
    """In float64."""
    x = network.tensor_of(image[None]).double()
    return street.load(MODELS / f"{name}.safetensors").double()(x).argmax(1)[0].numpy()


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_pytorchs(name, held_out, labels):
    for scene, found in zip(held_out[:4], labels[name]):
        assert np.mean(found == labels_by_pytorch(name, scene.image)) >= EQUAL_MIN


@pytest.mark.parametrize("name", NAMES)
def test_another_size(name, held_out, tmp_path):
    image = held_out[0].image[7:158, 20:223]
    found = run(MODELS / f"{name}.json", {"x": network.tensor_of(image[None]).numpy()}, tmp_path)[0, 0]
    assert np.mean(found == labels_by_pytorch(name, image)) >= EQUAL_MIN


def test_what_the_pyramid_is_for(held_out, labels):
    counts = {name: sum(evaluate.confusion(scene.labels, found) for scene, found in zip(held_out, labels[name]))
              for name in NAMES}
    iou, without = (evaluate.ious(counts[name]).mean() for name in NAMES)
    assert iou >= IOU_MIN and iou - without >= GAIN_MIN, (iou, without)
    swapped, without = (evaluate.swapped(counts[name]) for name in NAMES)
    assert swapped <= SWAPPED_MAX < without, (swapped, without)


@pytest.mark.parametrize("name", NAMES)
def test_files_are_what_the_tools_write(name, tmp_path):
    street.write(tmp_path, name, street.load(MODELS / f"{name}.safetensors"))
    for kind in ("json", "safetensors"):
        assert (tmp_path / f"{name}.{kind}").read_bytes() == (MODELS / f"{name}.{kind}").read_bytes()


def test_training(held_out, tmp_path):
    """Two steps make a model that the server runs as PyTorch does."""
    images, truth = (np.stack(values) for values in zip(*((s.image, s.labels) for s in held_out)))
    with torch.enable_grad():
        trained = train.train("street", images, truth, steps=2)
    street.write(tmp_path, "street", trained)
    x = network.tensor_of(images[:1])
    expected = street.load(tmp_path / "street.safetensors").double()(x.double()).argmax(1).numpy()
    assert np.mean(run(tmp_path / "street.json", {"x": x.numpy()}, tmp_path)[:, 0] == expected) >= EQUAL_MIN
