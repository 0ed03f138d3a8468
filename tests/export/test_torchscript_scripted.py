"""Scripted modules: control flow, lists, dictionaries and arithmetic of sizes as TorchScript keeps them."""
import math
from typing import Dict, List, Optional, Tuple

import pytest
import torch
from checkpoints import ExportError
from support import random_features
from test_torchscript_operators import SIZES, assert_same, read_back
from torch import Tensor, nn
from torch.nn import functional as F
from torchscript import reading


class Pyramid(nn.Module):
    """A PPM in a loop over modules, with a norm, an assertion about sizes and a head for training."""
    is_training_head: Optional[bool]

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.branches = nn.ModuleList([nn.Sequential(nn.AdaptiveAvgPool2d(b), nn.Conv2d(8, 2, 1, bias=False),
                                                     nn.BatchNorm2d(2), nn.ReLU()) for b in (1, 2, 3)])
        self.last, self.aux = nn.Conv2d(14, 5, 1), nn.Conv2d(8, 5, 1)
        self.drop = nn.Dropout2d(0.1)
        self.is_training_head = None

    def forward(self, x: Tensor) -> Tensor:
        size = x.size()[2:]
        x = self.stem(x)
        maps = [x]
        for branch in self.branches:
            maps += [F.interpolate(branch(x), x.shape[2:], mode="bilinear", align_corners=True)]
        y = self.last(self.drop(torch.cat(maps, dim=1)))
        y = F.interpolate(y, size=(size[0], size[1]), mode="bilinear", align_corners=True)
        if self.training:
            return y + F.interpolate(self.aux(x).exp(), size)
        return y


class Checked(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        assert (x.size(2) - 1) % 4 == 0, "expected 4 k + 1"
        h, w = int((x.size(2) - 1) / 4 * 4 + 1), (x.size(3) * 2 + 1) // 2
        x = self.stem(x)
        if w < 0:
            raise ValueError("too small")
        return F.interpolate(self.aux(x), size=(h, w), mode="bilinear", align_corners=False)


class Results(Pyramid):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        result: Dict[str, Tensor] = {}
        x = self.stem(x)
        result["out"] = torch.sigmoid(self.aux(x))
        result["aux"] = self.aux(x).exp()
        result["labels"] = self.aux(x).argmax(1)
        return result


class Rounded(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        small = F.adaptive_avg_pool2d(x, (3, 4))
        h = math.ceil(x.size(2) / 2.0) + x.size(2) // 2
        w = math.floor(float(x.size(3)) * 0.5) + int(round(x.size(3) * 1.5)) - x.size(3)
        for i in range(2):
            x = F.relu(x) * 0.5 + float(i)
        return F.interpolate(small, [h, x.shape[-1]] if h > 3 else [w, w])


class Indexed(Pyramid):
    def forward(self, maps: List[Tensor]) -> Tensor:
        return maps[0] + F.interpolate(self.aux(maps[1]), maps[0].shape[2:])


class Pair(Pyramid):
    def forward(self, fine: Tensor, coarse: Tensor) -> Tuple[Tensor, Tensor]:
        y = fine + F.interpolate(self.aux(coarse), fine.shape[2:])
        return F.log_softmax(y, dim=1), coarse


class BySize(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if x.size(2) % 2 == 0:
            x = torch.tanh(x)
        return x


class Failing(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        if self.is_training_head is None:
            raise ValueError("not yet")
        return self.stem(x)


def scripted(kind):
    torch.manual_seed(1)
    module = kind().eval()
    module.stem[1].running_mean.uniform_(-1, 1)
    return module, torch.jit.script(module)


@pytest.mark.parametrize("kind", (Pyramid, Rounded))
def test_scripted(kind):
    module, script = scripted(kind)
    found = read_back(script)
    for size in SIZES:
        assert_same(module, found, random_features(1, 3, *size))


def test_sizes_that_the_code_takes():
    module, script = scripted(Checked)
    found = read_back(script)
    assert found.config["output"] == {"size": "input", "upsample": "half_pixel"}
    assert_same(module, found, random_features(1, 3, 21, 16))


def test_one_of_several_results():
    module, script = scripted(Results)
    assert read_back(script).config["output"] == {"as": "sigmoid"}
    assert read_back(script, "labels").config["output"] == {"as": "argmax"}
    assert read_back(script, "2").config["output"] == {"as": "argmax"}
    for which, sentence in (("aux", "aten::exp"), ("3", "expected a number from 0 to 2, or one of out, aux, labels")):
        with pytest.raises(ExportError, match=sentence):
            read_back(script, which)


def test_several_inputs():
    _, script = scripted(Pair)
    found = read_back(script)
    assert found.config["inputs"] == {"fine": {"channels": 5}, "coarse": {"channels": 8}}
    assert found.config["output"] == {"as": "softmax"}
    assert found.notes == ["y is the softmax, where the module computes its logarithm"]
    _, script = scripted(Indexed)
    assert list(read_back(script).config["inputs"]) == ["x0", "x1"]


@pytest.mark.parametrize("kind, sentence", ((BySize, "a condition that depends on the size of the input"),
                                            (Failing, "the network's own code raises")))
def test_refused(kind, sentence):
    with pytest.raises(ExportError) as caught:
        read_back(scripted(kind)[1])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


class Large(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[3] > 2000:
            x = F.avg_pool2d(x, 2)
        return self.aux(self.stem(x))


class Tiny(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] <= 40:
            x = x * 2
        return self.aux(self.stem(x))


class Bound(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        bins = min(x.shape[2], 6)
        return self.aux(F.adaptive_avg_pool2d(self.stem(x), [bins, bins]))


@pytest.mark.parametrize("make, sides", [(Large, "2049 x 2049, 4096 x 4096, 8192 x 8192"),
                                         (Tiny, "1 x 1, 17 x 17, 33 x 33"), (Bound, "1 x 1"), (Pyramid, None)])
def test_conditions_at_unusual_sizes(make, sides):
    found = reading.read_module(torch.jit.script(make().eval()))
    notes = [note for note in found.notes if "another result for an input of" in note]
    assert len(notes) == (sides is not None)
    assert all(f"an input of {sides}, where the model does what the code does at usual sizes" in note
               for note in notes)
    assert all("test_torchscript_scripted.py" in note for note in notes)


class Mean(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        return self.aux(self.stem(x - torch.tensor([0.5, 0.25, 0.125]).view(1, 3, 1, 1)))


class Cut(Pyramid):
    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(self.aux(self.stem(x)), scale_factor=2.0, mode="nearest")
        return y[:, :, :x.shape[2], :x.shape[3]]


def test_list_that_becomes_a_tensor():
    module = Mean().eval()
    found = reading.read_module(torch.jit.script(module))
    for size in SIZES:
        assert_same(module, found, random_features(1, 3, *size))


def test_crop_that_is_left_out():
    notes = reading.read_module(torch.jit.script(Cut().eval())).notes
    assert "y is what the code computes for heights and widths of 2 k only: it crops at others" in notes


def test_no_forward(case):
    torch.jit.script(nn.LSTM(3, 4)).save(str(case.folder / "net.pt"))
    with pytest.raises(ExportError, match="it has no method called forward, expected one that takes a map"):
        case.export(case.folder / "net.pt")
