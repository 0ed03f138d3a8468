"""How a photo becomes x, in models that tools/export.py writes: what a kind's repository does, or --image."""
import subprocess

import modules_pspnet as modules
import numpy as np
import pytest
import torch
from PIL import Image
from support import SERVER, random_features, random_network
from torch import nn
from traced import archive
from whole import drawn, picture

IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
UNIT = {"mean": [0, 0, 0], "std": [255, 255, 255]}
NOTE = "note: the model takes tensors only: --image M,M,M/S,S,S says how a photo becomes x\n"


def semseg(channels=3):
    network = modules.Semseg(50, base=4)
    if channels != 3:
        network.layer0[0] = nn.Conv2d(channels, network.layer0[0].out_channels, 3, 2, 1, bias=False)
    return network


def weights_of(network, channels=3):
    return drawn(network, picture("image", 1, channels, 65, 97)).state_dict()


def test_of_the_kind(case):
    printed = case.export(case.save(weights_of(semseg())))
    assert case.config()["input"] == {"channels": 3, "image": IMAGENET}
    assert NOTE not in printed


def test_of_pixels_to_one(case):
    case.export(case.save(weights_of(modules.bubbliiiing_mobilenet(16))))
    assert case.config()["input"]["image"] == UNIT


def test_other_channels_have_none(case):
    printed = case.export(case.save(weights_of(semseg(4), 4)))
    assert "image" not in case.config()["input"] and NOTE not in printed


def test_numbers_in_the_checkpoint_are_the_users_to_judge(case):
    weights = {**weights_of(semseg()), "mean": torch.tensor([1.0, 2, 3]), "std": torch.tensor([1.0, 1, 1])}
    assert NOTE in case.export(case.save(weights))
    assert "image" not in case.config()["input"]


@pytest.mark.parametrize("given, image", [
    ("1,2.5,3/4,5,6", {"mean": [1, 2.5, 3], "std": [4, 5, 6]}),
    ("0,0,0/1,1,1/BGR", {"mean": [0, 0, 0], "std": [1, 1, 1], "order": "BGR"}),
    ("-1,0,0/1,1,1/RGB", {"mean": [-1, 0, 0], "std": [1, 1, 1]}),
    ("none", None)])
def test_of_the_option(case, given, image):
    case.export(case.save(weights_of(semseg())), f"--image={given}")
    assert case.config()["input"].get("image") == image


@pytest.mark.parametrize("given", ["1,2,3", "1,2/3,4", "1,2,3/0,1,1", "1,2,3/NaN,1,1", "1,2,3/1,1,1/GBR", "a,b,c/1,1,1",
                                   "true,1,1/1,1,1", "1e9,1,1/1,1,1", ""])
def test_refused(case, given, capsys):
    with pytest.raises(SystemExit) as error:
        case.export(case.save(weights_of(semseg())), f"--image={given}")
    assert error.value.code == 2 and "--image" in capsys.readouterr().err


def test_of_a_head_is_refused(case):
    case.assert_refuses("--image: found x of 4 channels, expected one input of 3 channels",
                        case.save(weights_of(semseg(4), 4)), "--image", "0,0,0/1,1,1")


class Labels(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x):
        return self.conv(x).argmax(1)


def test_of_torchscript_to_labels(case):
    """A photo by the server is x by hand in PyTorch."""
    network = random_network(Labels)
    path = archive(case, network, random_features(1, 3, 9, 7))
    assert NOTE in case.export(path)
    case.export(path, "--image", "100,110,120/50,60,70/BGR")
    pixels = np.random.default_rng(1).integers(0, 256, (31, 40, 3), np.uint8)
    photo, labels = case.folder / "photo.png", case.folder / "labels.png"
    Image.fromarray(pixels).save(photo)
    subprocess.run([SERVER, "label", "--model", case.model, photo, labels], check=True)
    x = torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    x = (x - torch.tensor([100., 110, 120])[:, None, None]) / torch.tensor([50., 60, 70])[:, None, None]
    assert np.mean(np.asarray(Image.open(labels)) == network(x)[0].numpy()) >= 0.999
