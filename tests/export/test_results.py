"""What modules in TorchScript take and answer: labels and masks, results of several axes, options beside maps."""
from typing import Dict, List, Optional

import numpy as np
import pytest
import torch
from checkpoints import ExportError
from support import random_features, random_network
from torch import nn
from torch.nn import functional as F
from traced import archive


class Ended(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.conv, self.end = nn.Conv2d(3, 3, 3, padding=1), end

    def forward(self, x):
        return self.end(self.conv(x))


LABELS, MASKS = {"as": "argmax"}, {"as": "sigmoid", "threshold": 0.5}
ENDS = {
    "uint8": (lambda y: y.argmax(1).to(torch.uint8), LABELS),
    "int": (lambda y: y.argmax(1, keepdim=True).int(), LABELS),
    "with_an_axis": (lambda y: y.argmax(1).unsqueeze(1).float(), LABELS),
    "without_a_batch": (lambda y: y.argmax(1).squeeze(0), LABELS),
    "of_the_first": (lambda y: y.argmax(1)[0], LABELS),
    "place_of_maximum": (lambda y: torch.max(F.log_softmax(y, 1), dim=1)[1], LABELS),
    "channels_last": (lambda y: y.permute(0, 2, 3, 1).softmax(-1).argmax(-1), LABELS),
    "stretched": (lambda y: F.interpolate(y, scale_factor=2, mode="bilinear").argmax(1),
                  {"scale": 2, "upsample": "half_pixel", **LABELS}),
    "mask": (lambda y: (torch.sigmoid(y) > 0.5).float(), MASKS),
    "mask_of_logits": (lambda y: y > 0, MASKS),
    "mask_rounded": (lambda y: y.sigmoid().round(), MASKS),
    "mask_with_half": (lambda y: y.sigmoid() >= 0.5, MASKS),
    "softmin": (lambda y: F.softmin(y, 1), {"as": "softmax"}),
    "stretched_softmax": (lambda y: F.interpolate(y.softmax(1), scale_factor=2, mode="bilinear"),
                          {"scale": 2, "upsample": "half_pixel"}),
    "nearest": (lambda y: F.interpolate(y, scale_factor=2), None),
    "one_channel": (lambda y: y[:, :1].squeeze(1), None),
}
REFUSED = {
    "labels_inside": lambda y: F.interpolate(y.argmax(1, keepdim=True).float(), scale_factor=2),
    "labels_among_maps": lambda y: torch.cat([y, y.argmax(1, keepdim=True).float()], 1),
    "largest_probability": lambda y: y.softmax(1).max(1)[0],
    "logarithm_inside": lambda y: F.interpolate(F.log_softmax(y, 1), scale_factor=2, mode="bilinear"),
    "normalized": lambda y: F.normalize(y, dim=1),
}


@pytest.mark.parametrize("name", ENDS)
def test_end(case, name):
    end, output = ENDS[name]
    module = random_network(lambda: Ended(end))
    case.export(archive(case, module, random_features(1, 3, 9, 7)))
    assert case.config().get("output") == output
    x = random_features(1, 3, 11, 8)
    y, want = case.serve(x), module(x).numpy()
    assert y.size == want.size
    assert np.abs(y.reshape(want.shape).astype(float) - want).max() < 1e-5


@pytest.mark.parametrize("name", REFUSED)
def test_refused_end(case, name):
    with pytest.raises(ExportError) as caught:
        case.export(archive(case, random_network(lambda: Ended(REFUSED[name])), random_features(1, 3, 9, 7)))
    assert "aten::" in str(caught.value)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.depth = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(5, 3, 1)


class Named(Two):
    """Names that a model's layers may have."""

    def forward(self, conv0, add1):
        return self.image(conv0) + self.depth(add1)


class WithOptions(Two):
    def forward(self, x, y: Optional[torch.Tensor] = None, scale: float = 2.0, flag: bool = False, count: int = 2):
        x = self.image(x)
        if y is not None:
            x = x + y
        if flag:
            x = -x
        for _ in range(count):
            x = torch.relu(x * scale)
        return x


class Required(Two):
    def forward(self, x, flag: bool):
        return self.image(x) if flag else x


class Listed(Two):
    def forward(self, xs: List[torch.Tensor]):
        return self.image(xs[0]) + self.depth(xs[1])


class Last(Two):
    def forward(self, xs: List[torch.Tensor]):
        return self.image(xs[-1])


class Fed(Two):
    """As CSAILVision/semantic-segmentation-pytorch does"""

    def forward(self, feed_dict: Dict[str, torch.Tensor]):
        return self.image(feed_dict["img_data"])


class Unread(Two):
    def forward(self, x, seg_label):
        return self.image(x)


def scripted(case, module):
    torch.jit.script(random_network(module)).save(str(case.folder / "net.pt"))
    printed = case.export(case.folder / "net.pt")
    return case.config(), printed


def test_names(case):
    config, _ = scripted(case, Named)
    assert config["inputs"] == {"conv0": {"channels": 3}, "add1": {"channels": 5}}
    names = [entry["name"] for entry in config["network"] if "name" in entry]
    assert not set(names) & set(config["inputs"])


class Pair(Two):
    def forward(self, x, y):
        return (torch.sigmoid(self.image(x) + self.depth(y)) > 0.3).float()


def test_report(case):
    """An input may be called y, as the result is; a threshold that stays is said."""
    _, printed = scripted(case, Pair)
    assert "\n  x [N, 3, H, W], y [N, 5, H, W], the result [N, 3, H, W], " in printed
    note = "note: y is a mask, since the threshold 0.3 stays; --threshold chooses another\n"
    assert note not in printed
    assert note in case.export(case.folder / "net.pt", "--as", "sigmoid")
    assert note not in case.export(case.folder / "net.pt", "--as", "sigmoid", "--threshold", "0.5")


def test_options(case):
    config, _ = scripted(case, WithOptions)
    assert config["input"] == {"channels": 3}
    assert [next(iter(entry)) if isinstance(entry, dict) else entry for entry in config["network"]] == [
        "conv", "affine", "relu", "affine", "relu"]


def test_lists_and_dictionaries(case):
    assert scripted(case, Listed)[0]["inputs"] == {"x0": {"channels": 3}, "x1": {"channels": 5}}
    assert scripted(case, Fed)[0]["inputs"] == {"img_data": {"channels": 3}}


def test_unread(case):
    config, printed = scripted(case, Unread)
    assert list(config["inputs"] if "inputs" in config else ["x"]) == ["x"]
    assert "note: the input seg_label is left out, since nothing reads it" in printed


@pytest.mark.parametrize("make, sentence", ((Required, "its input flag is of the type bool"),
                                            (Last, "the item -1 of a list whose length is not known")))
def test_refused_input(case, make, sentence):
    with pytest.raises(ExportError) as caught:
        scripted(case, make)
    assert sentence in str(caught.value)
