"""Programs in C and C++, built with the installed library."""
import subprocess

import PIL.Image
import pytest
from support import HEADER, LIBRARY, PHOTO, ROOT, STREET, build, library_path, run

HERE = ROOT / "tests/library"


def test_c(tmp_path):
    program = build(HERE / "use.c", tmp_path / "use", "-pthread", packages=("ppm", "jansson"))
    run(program, STREET, ROOT / "configs/models/listing1-pytorch-ppm.json", env=library_path())


def test_cxx(tmp_path):
    program = build(HERE / "use.cc", tmp_path / "use")
    assert run(program, STREET, env=library_path()) == "1 32 48\n"


def test_unloaded(tmp_path):
    program = build(HERE / "unload.c", tmp_path / "unload", "-D_GNU_SOURCE", f"-I{HEADER.parent}", packages=())
    assert run(program, LIBRARY, STREET, env=library_path()) == ""


@pytest.fixture(name="label")
def label_program(tmp_path):
    return build(ROOT / "examples/label.c", tmp_path / "label")


def test_the_example(label, tmp_path):
    import ppm
    PIL.Image.open(PHOTO).save(tmp_path / "photo.ppm")
    with open(tmp_path / "photo.ppm", "rb") as photo:
        found = run(label, STREET, stdin=photo, env=library_path())
    with ppm.Model(STREET) as model:
        shares = {area.name: area.share for area in model.label(PHOTO).classes}
        expected = "".join(f"{100 * shares.get(name, 0):5.1f} % {name}\n" for name, _ in model.info.classes)
    assert found == expected


@pytest.mark.parametrize("photo, sentence", [
    (b"P6 2 2 255\n123", "label: found no 4 pixels\n"),
    (b"P6 0 2 255\n", "label: "),
    (b"", "usage: label MODEL.json < PHOTO.ppm\n")])
def test_the_example_s_errors(label, photo, sentence):
    done = subprocess.run([label, STREET], input=photo, capture_output=True, env=library_path(), check=False)
    assert done.returncode in (1, 2) and done.stderr.decode().startswith(sentence)
