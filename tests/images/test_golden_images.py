"""The golden cases of images in the tree are those that golden_images.py writes."""
import filecmp

import golden_images
import numpy as np
import pytest
import torch

torch.set_grad_enabled(False)
GOLDEN = golden_images.ROOT / "tests/images/golden"


def assert_same(written, folder):
    names = {file.name for file in written.iterdir()}
    assert names == {file.name for file in folder.iterdir()}
    assert filecmp.cmpfiles(written, folder, names - {"y.npy"}, shallow=False)[1:] == ([], [])


@pytest.mark.parametrize("name", golden_images.CASES)
def test_case(tmp_path, name):
    golden_images.write_case(tmp_path, name)
    assert_same(tmp_path, GOLDEN / name)
    y, expected = np.load(tmp_path / "y.npy"), np.load(GOLDEN / name / "y.npy")
    assert np.allclose(y, expected, rtol=1e-6, atol=1e-7)


def test_resized(tmp_path):
    golden_images.write_resized(tmp_path)
    assert_same(tmp_path, GOLDEN / "resize")


def test_street(tmp_path):
    golden_images.write_street(tmp_path)
    assert_same(tmp_path, GOLDEN / "street")


def test_no_other_golden():
    assert {folder.name for folder in GOLDEN.glob("*/")} == {"resize", "street", *golden_images.CASES}
