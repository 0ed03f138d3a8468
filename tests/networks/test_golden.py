"""The golden cases in the tree are those that golden.py writes."""
import filecmp

import golden
import numpy as np
import pytest
import torch
from support import ROOT

torch.set_grad_enabled(False)


@pytest.mark.parametrize("name", golden.CASES)
def test_golden(tmp_path, name):
    folder = ROOT / "tests/golden" / (golden.PREFIX + name)
    golden.write_case(tmp_path, name)
    written = {file.name for file in tmp_path.iterdir()}
    assert written == {file.name for file in folder.iterdir()}
    assert filecmp.cmpfiles(tmp_path, folder, written - {"y.npy"}, shallow=False)[1:] == ([], [])
    y, expected = np.load(tmp_path / "y.npy"), np.load(folder / "y.npy")
    assert np.allclose(y, expected, rtol=1e-6, atol=1e-7)


def test_no_other_golden():
    found = {folder.name.removeprefix(golden.PREFIX) for folder in (ROOT / "tests/golden").glob(f"{golden.PREFIX}*/")}
    assert found == set(golden.CASES)
