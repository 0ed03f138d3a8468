"""Images in the Python module, read by Pillow."""
import struct
import subprocess
import sys

import numpy as np
import PIL.Image
import ppm
import pytest
from ppm import _images
from support import PHOTO, ROOT, STREET


@pytest.fixture(name="street", scope="module")
def street_model():
    with ppm.Model(STREET) as model:
        yield model


def pixels(image):
    return _images.pixels_of(image)


def saved(folder, array, name="image.png", mode=None, **options):
    PIL.Image.fromarray(np.asarray(array), mode).save(folder / name, **options)
    return folder / name


def test_label(street):
    labels, classes = result = street.label(PHOTO)
    with PIL.Image.open(PHOTO) as photo:
        assert labels.shape == photo.size[::-1] and labels.dtype == np.int32
        x = np.asarray(photo.convert("RGB"), np.float32) / 255
    assert np.mean(labels != street.run(x, layout="NHWC")[:, :, 0]) < 0.001
    assert sum(each.pixels for each in classes) == labels.size
    assert [each.pixels for each in classes] == sorted((each.pixels for each in classes), reverse=True)
    for each in classes:
        where = np.argwhere(labels == each.id)
        (top, left), (bottom, right) = where.min(0), where.max(0) + 1
        assert each.pixels == len(where) and each.share == len(where) / labels.size
        assert each.box == (left, top, right - left, bottom - top)
        assert (each.name, each.color) == street.info.classes[each.id]
    picture = result.picture().convert("RGB")
    assert picture.getpixel((3, 7)) == street.info.classes[labels[7, 3]].color


def test_the_same_image_by_another_name(street):
    labels = street.label(PHOTO).labels
    with PIL.Image.open(PHOTO) as photo:
        array = np.asarray(photo)
        for same in (str(PHOTO), bytes(PHOTO), photo, array, np.asfortranarray(array)):
            assert np.array_equal(street.label(same).labels, labels)
        assert street.label(photo, size=(30, 40), threads=1).labels.shape == (30, 40)
        assert np.array_equal(street.run_image(array)[0], labels)


def test_a_model_in_nhwc(tmp_path):
    path = tmp_path / "nhwc.json"
    text = STREET.read_text().replace('"channels": 3,', '"channels": 3, "layout": "NHWC",', 1)
    path.write_text(text.replace('"street.safetensors"', f'"{STREET.with_suffix(".safetensors")}"'))
    with ppm.Model(path) as model, ppm.Model(STREET) as street:
        assert model.info.layout == "NHWC"
        assert np.array_equal(model.label(PHOTO).labels, street.label(PHOTO).labels)


# ---- pictures and answers that the server is tested with ----

# Transparent colors that Pillow 9.4 compares with samples of another depth, and EXIF that it does not read.
OTHERWISE = {"png-gray-2-transparent", "png-gray-4-transparent", "png-rgb-16-transparent", "png-orientation-with-prefix"}
PICTURES = sorted(path for path in (ROOT / "tests/images").iterdir() if path.suffix in (".jpg", ".png"))
CASES = sorted(path.parent for path in (ROOT / "tests/images/golden").glob("*/config.json"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_pictures(path):
    expected = PIL.Image.open(path.with_suffix(".ppm"))
    assert np.array_equal(pixels(path), expected) == (path.stem not in OTHERWISE)


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_answers(folder):
    expected = np.load(folder / "y.npy")[0]
    with ppm.Model(folder / "config.json") as model:
        height, width = expected.shape[1:] if model.info.layout == "NCHW" else expected.shape[:2]
        y = model.run_image(folder / "image.ppm", size=(height, width))
        assert y.shape == expected.shape and y.dtype == model.info.dtype
        if y.dtype == np.int32:
            assert np.mean(y != expected) <= 5e-4
        else:
            assert np.abs(y - expected).max() <= 5e-6 * np.abs(expected).max()
        if model.info.label_count and model.info.output_channels != 1:
            with pytest.raises(ppm.Error, match="its answer is no map of labels"):
                model.label(folder / "image.ppm")


def test_there_are_many():
    assert len(PICTURES) >= 80 and len(CASES) >= 30


GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def test_modes(tmp_path):
    three = np.stack([GRAY] * 3, 2)
    assert np.array_equal(pixels(saved(tmp_path, GRAY)), three)
    deep = saved(tmp_path, GRAY.astype(np.uint16) * 256 + 200, "deep.png")
    assert np.array_equal(pixels(deep), three)
    alpha = np.full_like(GRAY, 51)
    rgba = saved(tmp_path, np.dstack([three, alpha]), "alpha.png")
    assert np.abs(pixels(rgba).astype(int) - three // 5).max() <= 1
    with PIL.Image.open(saved(tmp_path, GRAY)) as image:
        palette = image.quantize(12)
        palette.save(tmp_path / "palette.png", transparency=palette.getpixel((1, 1)))
    black = pixels(tmp_path / "palette.png")
    assert not black[1, 1].any() and black[2, 3].any()
    cmyk = PIL.Image.fromarray(three).convert("CMYK")
    assert np.array_equal(pixels(cmyk), three)
    assert np.array_equal(pixels(PIL.Image.fromarray(GRAY > 100)), three * 0 + 255 * (three > 100))


def test_upright(tmp_path):
    exif = PIL.Image.Exif()
    exif[0x112] = 6  # a quarter turn clockwise shows it
    path = saved(tmp_path, np.stack([GRAY] * 3, 2), exif=exif)
    assert np.array_equal(pixels(path)[:, :, 0], np.rot90(GRAY, -1))


@pytest.mark.parametrize("orientation, seen", [
    (0, GRAY), (1, GRAY), (2, GRAY[:, ::-1]), (3, GRAY[::-1, ::-1]), (4, GRAY[::-1]), (5, GRAY.T),
    (6, np.rot90(GRAY, -1)), (7, GRAY[::-1, ::-1].T), (8, np.rot90(GRAY)), (9, GRAY)])
def test_upright_beside_what_pillow_cannot_write(tmp_path, orientation, seen):
    entries = struct.pack("<HHIIHHII", 0x112, 3, 1, orientation, 0x10E, 12, 1, 38)  # ImageDescription, a double
    tiff = b"II*\0\x08\0\0\0\2\0" + entries + bytes(4) + struct.pack("<d", 1e300)
    assert np.array_equal(pixels(saved(tmp_path, GRAY, exif=tiff))[:, :, 0], seen)


def test_premultiplied():
    image = PIL.Image.new("RGBA", (1, 1), (200, 100, 50, 51))
    assert pixels(image.convert("RGBa")).tolist() == pixels(image).tolist() == [[[40, 20, 10]]]


@pytest.mark.parametrize("image, status, words", [
    ("none.jpg", ppm.Status.IO, "none.jpg: No such file"),
    (ROOT / "Makefile", ppm.Status.MALFORMED, "cannot identify image file"),
    (7, ppm.Status.MALFORMED, "image: found int, expected a path, a PIL image or an array"),
    (np.zeros((4, 4, 3)), ppm.Status.MALFORMED, "found float64 .4, 4, 3., expected uint8 .H, W, 3."),
    (np.zeros((4, 4), np.uint8), ppm.Status.MALFORMED, "expected uint8"),
    (np.zeros((0, 4, 3), np.uint8), ppm.Status.MALFORMED, "expected uint8")])
def test_refused(street, image, status, words):
    with pytest.raises(ppm.Error, match=words) as caught:
        street.label(image)
    assert caught.value.status is status


def test_refused_files(street, tmp_path, monkeypatch):
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(PHOTO.read_bytes()[:3000])
    with pytest.raises(ppm.Error, match="cut.jpg: .*truncated"):
        street.label(cut)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ppm.Error, match="street.jpg: Image size .* exceeds limit"):
        street.label(PHOTO)


def test_refused_models(street):
    with ppm.Model(ROOT / "configs/models/listing1-pytorch-ppm.json") as model:
        assert not model.info.takes_images
        with pytest.raises(ppm.Error, match="its answer is no map of labels"):
            model.label(PHOTO)
        with pytest.raises(ppm.Error, match="image"):
            model.run_image(PHOTO)


WITHOUT_PILLOW = """
import sys
sys.modules["PIL"] = None
import numpy as np
import ppm
model = ppm.Model(sys.argv[1])
labels = model.label(np.zeros((32, 48, 3), np.uint8))
for use in (lambda: model.label("photo.jpg"), labels.picture):
    try:
        use()
    except ppm.Error as error:
        print(error)
"""


def test_without_pillow():
    done = subprocess.run([sys.executable, "-c", WITHOUT_PILLOW, STREET], capture_output=True, text=True, check=True,
                          cwd=ROOT / "clients/python")
    first, second = done.stdout.splitlines()
    assert "files need Pillow, which is not installed" in first and "needs Pillow" in second
