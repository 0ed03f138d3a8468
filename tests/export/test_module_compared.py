"""What no trace shows of a module's code is found by comparing: other sizes, other numbers, a second run."""
import sys
import textwrap

import export
import pytest
import torch
from checkpoints import ExportError
from support import random_network
from torch import nn
from traced import archive

HEAD = """
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.last = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 4, 1)

        def forward(self, x):
            h, w = int(x.shape[-2]), int(x.shape[-1])
    """
PADDED = """
            x = F.pad(x, (0, (32 - w % 32) % 32, 0, (32 - h % 32) % 32))
            return F.interpolate(self.last(F.relu(self.conv(x))), scale_factor=2, mode="bilinear")
    """
CODE = {
    "padded": (PADDED, "has an output of .1, 4, 66, 68., the module's has .1, 4, 96, 96., for an input of 65 x 67"),
    "half": ("""
            return self.last(F.interpolate(self.conv(x), size=(int(h * .5), int(w * .5)), mode="bilinear"))
    """, "the code does something else for sizes that were not traced: .* for an input of 65 x 67"),
    "cut": (PADDED.rstrip() + "[:, :, :h, :w]", "the code does something else for sizes that were not traced"),
    "even": ("""
            assert h % 2 == w % 2 == 0
            return self.last(F.interpolate(self.conv(x), size=(h // 4 * 2, w // 4 * 2), mode="bilinear"))
    """, "for an input of 66 x 70"),
    "of_bytes": ("""
            x = x / 255 if x.max() > 1 else x
            return self.last(self.conv(x))
    """, "something else for numbers from 0 to 1 than for the random ones that were traced"),
    "of_pixels": ("""
            x = x / 255 if x.max() > 10 else x
            return self.last(self.conv(x))
    """, "something else for numbers around 100"),
}


def export_module(case, body, example="1,3,64,64"):
    file = case.folder / "own_compared.py"
    file.write_text(textwrap.dedent(HEAD.rstrip() + body))
    try:
        export.main([str(case.model), "--module", f"{file}:Net()", "--example", example])
    finally:
        sys.modules.pop("own_compared", None)


@pytest.mark.parametrize("name", CODE)
def test_code(case, name):
    body, sentence = CODE[name]
    with pytest.raises(ExportError, match=sentence) as caught:
        export_module(case, body)
    assert "\n" not in str(caught.value)
    assert "fault" not in str(caught.value)
    assert not case.model.exists()


def test_example_that_is_no_multiple(case):
    with pytest.raises(ExportError, match="the code does something else for sizes that were not traced"):
        export_module(case, PADDED, "1,3,70,70")


def test_no_other_size(case):
    export_module(case, """
            assert h % 32 == w % 32 == 0
    """.rstrip() + PADDED)


class Counts(nn.Module):
    factor: float

    def __init__(self):
        super().__init__()
        self.conv, self.factor = nn.Conv2d(3, 4, 3), 1.0

    def forward(self, x):
        self.factor = self.factor * 2
        return self.conv(x) * self.factor


class CountsAndSeeds(Counts):
    def forward(self, x):
        torch.manual_seed(3)
        self.factor = self.factor * 2
        return self.conv(x) * self.factor


@pytest.mark.parametrize("make, sentence", [
    (Counts, "another one each time: it keeps factor from one run to the next"),
    (CountsAndSeeds, "its code sets factor, which may be kept .* the module was not run, since aten::manual_seed")])
def test_state(case, make, sentence):
    path = archive(case, random_network(make), None, is_scripted=True)
    with pytest.raises(ExportError, match=sentence):
        case.export(path)


def test_values_that_are_not_numbers(case):
    module = random_network(lambda: nn.Conv2d(3, 4, 3))
    module.bias[0] = torch.nan
    with pytest.raises(ExportError, match="values that are not finite"):
        case.export(archive(case, module, torch.rand(1, 3, 16, 12)))


class Batched(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = self.conv(x)
        h, w = y.shape[2:]
        return y.view(1, -1, h, w).softmax(1).view(-1, 4, h, w)


def test_batch(case):
    path = archive(case, random_network(Batched), torch.rand(1, 3, 16, 12))
    assert "note: the module's own answer to a batch of images is another one than to each" in case.export(path)


@pytest.mark.parametrize("factor", ("float(x.mean())", "random.random()"))
def test_number_of_each_trace(case, factor):
    with pytest.raises(ExportError, match="aten::mul at .*: a number that is another one in each trace"):
        export_module(case, f"""
            import random
            return self.conv(x) * {factor}
    """)


def test_constant_of_numpy(case):
    export_module(case, """
            import numpy as np
            return self.conv(x - torch.from_numpy(np.array([1., 2., 3.], np.float32)).view(1, 3, 1, 1))
    """)
    assert case.model.exists()
