"""The wheel, in a new virtual environment. numpy and Pillow are the system's: no package index is asked."""
import json
import os
import pathlib
import re
import subprocess
import zipfile

import numpy as np
import pytest
from support import PHOTO, ROOT, STREET, run

WHEEL = pathlib.Path(os.environ.get("PPM_WHEEL", "no wheel"))
CASE = ROOT / "tests/golden/listing1-pytorch-ppm"
# Without what the other tests set: this is how a user runs it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("LIBPPM", "PYTHONPATH")}
USE = """
import json, sys
import numpy as np
import ppm
case, street, photo = sys.argv[1:]
y = ppm.Model(f"{case}/config.json").run(np.load(f"{case}/x.npy"))
mapped = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
labels, classes = ppm.Model(street).label(photo)
print(json.dumps({"file": ppm.__file__, "version": ppm.__version__, "mapped": sorted(mapped), "y": y.tolist(),
                  "labels": labels.tolist(), "classes": [each.name for each in classes]}))
"""


@pytest.fixture(name="python", scope="module")
def python_with_the_wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    run("/usr/bin/python3", "-m", "venv", "--system-site-packages", folder, env=ENVIRONMENT)
    run(folder / "bin/python", "-m", "pip", "install", "--no-index", "--quiet", WHEEL, env=ENVIRONMENT)
    return folder / "bin/python"


def test_it_computes(python, tmp_path):
    found = json.loads(run(python, "-c", USE, CASE, STREET, PHOTO, cwd=tmp_path, env=ENVIRONMENT))
    folder = pathlib.Path(found["file"]).parent
    assert folder.is_relative_to(python.parents[1]) and found["version"] == (ROOT / "VERSION").read_text().strip()
    for name in ("libppm.so.0", "libjansson.so.4", "libsleef.so.3", "libgomp.so.1"):
        assert [path for path in found["mapped"] if pathlib.Path(path).name == name] == [str(folder / name)]
    assert np.allclose(found["y"], np.load(CASE / "y.npy"), rtol=0, atol=1e-5)
    import ppm
    with ppm.Model(STREET) as model:
        labels, classes = model.label(PHOTO)
    assert np.array_equal(found["labels"], labels) and found["classes"] == [each.name for each in classes]
    assert found["classes"][0] == "water"


def test_it_leaves_nothing(python):
    folder = pathlib.Path(run(python, "-c", "import ppm; print(ppm.__file__)", env=ENVIRONMENT).strip()).parent
    run(python, "-m", "pip", "uninstall", "--yes", "--quiet", "libppm", env=ENVIRONMENT)
    assert not folder.exists()
    done = subprocess.run([python, "-c", "import ppm"], capture_output=True, text=True, check=False, cwd="/",
                          env=ENVIRONMENT)
    assert "No module named 'ppm'" in done.stderr


def test_its_tag_is_honest():
    """No library in it asks for a newer C library than the wheel's name promises, or for one that is not in it."""
    version = tuple(map(int, re.search(r"-py3-none-manylinux_(\d+)_(\d+)_\w+\.whl$", WHEEL.name).groups()))
    with zipfile.ZipFile(WHEEL) as wheel:
        names = {pathlib.Path(name).name: wheel.read(name) for name in wheel.namelist() if ".so" in name}
        metadata = {name.rpartition("/")[2] for name in wheel.namelist() if ".dist-info/" in name}
    asked = {tuple(map(int, found.split(b"."))) for data in names.values()
             for found in re.findall(rb"\0GLIBC_(\d+\.\d+)(?=\0)", data)}
    assert max(asked) == version
    assert {"LICENSE", "LICENSE.libgomp", "LICENSE.libjansson", "LICENSE.libsleef"} <= metadata
    assert set(names) == {"libppm.so.0", "libjansson.so.4", "libsleef.so.3", "libgomp.so.1"}
