"""What is read from code is compared with the module before anything is written."""
import export
import pytest
import torch
from archives import Small, traced_small, with_forward
from checkpoints import ExportError
from support import random_features, random_network
from torch import nn
from torch.nn import functional as F
from torchscript import operators, resizes
from traced import archive


class Labels(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.conv, self.end = nn.Conv2d(3, 4, 3, 2, 1), end

    def forward(self, x):
        h, w = map(int, x.shape[2:])
        return self.end(F.interpolate(self.conv(x), (h, w), mode="bilinear", align_corners=True))


class Argmax(nn.Module):
    def forward(self, y):
        return y.argmax(1)


PLANTED = {
    "activation": (operators.MAPS, "relu", operators.MAPS["sigmoid"]),
    "stretch": (resizes.MODES, ("bilinear", False), "align_corners"),
    "border": (operators.MAPS, "max_pool2d", lambda program, self, kernel_size, stride, padding, dilation, ceil_mode:
               operators.MAPS["avg_pool2d"](program, self, kernel_size, stride, padding, ceil_mode))}


@pytest.mark.parametrize("name", PLANTED)
def test_mistake_in_a_table(case, monkeypatch, name):
    monkeypatch.setitem(*PLANTED[name])
    path = archive(case, random_network(Small), torch.rand(1, 3, 16, 12))
    with pytest.raises(ExportError, match="the network that was read is off by .*: nothing was written"):
        case.export(path)
    assert not case.model.exists()


def test_labels_that_differ(case, monkeypatch):
    argmax, negative = operators.MAPS["argmax"], operators.MAPS["neg"]
    monkeypatch.setitem(operators.MAPS, "argmax", lambda program, self, dim, keepdim: argmax(
        program, negative(program, self), dim, keepdim))
    path = archive(case, random_network(lambda: Labels(Argmax())), torch.rand(1, 3, 16, 12))
    with pytest.raises(ExportError, match="the network that was read has the module's label at .* % of the pixels"):
        case.export(path)


def test_operators_that_are_not_run(case):
    path = with_forward(traced_small(case.folder / "net.pt"), "y = torch.relu(x)", "torch.manual_seed(3)")
    assert "note: the module was not run, since aten::manual_seed is none of the operators" in case.export(path)


def test_no_size_that_fits(case):
    path = with_forward(traced_small(case.folder / "net.pt"),
                        "y = torch.add(x, torch.upsample_nearest2d(torch.avg_pool2d(x, [2, 2]), [20, 28], None, None))")
    assert "since it takes no input of 67 x 93, 64 x 96, 128 x 192" in case.export(path)
    assert "not run" not in case.export(path, "--example", "1,3,20,28")


def test_size_in_a_trace(case):
    module = random_network(lambda: Labels(nn.Identity()))
    path = archive(case, module, torch.rand(1, 3, 16, 12))
    assert "note: y has 16 x 12 pixels whatever the size of x" in case.export(path)
    assert "whatever" not in case.export(path, "--size", "input")
    x = random_features(1, 3, 10, 18)
    case.assert_same(case.serve(x), F.interpolate(module.conv(x), (10, 18), mode="bilinear", align_corners=True))


class OneClass(nn.Module):
    """Labels that are all 2, whatever the activation is."""

    def __init__(self, end):
        super().__init__()
        self.conv, self.last, self.end = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1), end

    def forward(self, x):
        y = self.last(F.relu(self.conv(x)))
        return self.end(y + torch.tensor([0., 0., 1e3]).view(1, 3, 1, 1))


class Classes(Argmax):
    def forward(self, y):
        return y.softmax(1).max(1)[1]


class Threshold(nn.Module):
    def forward(self, y):
        return torch.sigmoid(y / 100) > 0.9


@pytest.mark.parametrize("end", (Argmax, Classes, Threshold))
@pytest.mark.parametrize("is_scripted", (False, True))
def test_labels_of_one_class(case, monkeypatch, end, is_scripted):
    path = archive(case, random_network(lambda: OneClass(end())), torch.rand(1, 3, 16, 12), is_scripted)
    case.export(path)
    case.model.unlink()
    monkeypatch.setitem(operators.MAPS, "relu", operators.MAPS["tanh"])
    with pytest.raises(ExportError, match="the network that was read is off by"):
        case.export(path)
    assert not case.model.exists()


def test_labels_of_one_class_in_code(case, monkeypatch):
    file = case.folder / "one_class.py"
    file.write_text("from test_torchscript_verify import *\n")
    monkeypatch.setitem(operators.MAPS, "relu", operators.MAPS["tanh"])
    with pytest.raises(ExportError, match="the network that was read is off by"):
        export.main([str(case.model), "--module", f"{file}:OneClass(Argmax())", "--example", "1,3,64,64"])


class Unread(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, other, x, last):
        return F.relu(self.conv(x))


def test_inputs_that_nothing_reads(case, monkeypatch):
    """They are left out of the model, but not where the module is compared with it."""
    module = random_network(Unread)
    torch.jit.trace(module, [torch.rand(1, 3, 16, 12)] * 3, check_trace=False).save(str(case.folder / "net.pt"))
    printed = case.export(case.folder / "net.pt")
    assert "note: the input last is left out" in printed
    assert "not run" not in printed
    case.model.unlink()
    monkeypatch.setitem(operators.MAPS, "relu", operators.MAPS["tanh"])
    with pytest.raises(ExportError, match="the network that was read is off by"):
        case.export(case.folder / "net.pt")
