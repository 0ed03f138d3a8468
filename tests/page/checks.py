"""What the page shows: PyTorch's numbers, for all kinds of models and inputs."""
import contextlib
import io
import json
import pathlib
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from harness import (GOLDEN, PICTURES, ROOT, Page, Server, assert_close, golden, golden_model,
                     stages_by_pytorch)

LISTING1, BATCH, LABELS, NHWC = ("listing1-pytorch-ppm", "adaptive-batch", "output-argmax-scaled", "nhwc-adaptive")
STAGES = ("averages", "pooled"), ("branch output, channel 0", "output"), ("stretched back, channel 0", "upsampled")


@contextlib.contextmanager
def page_of(browser, *models, arguments=()):
    server = Server(*(part for model in models for part in ("--model", model)), *arguments)
    try:
        yield Page(browser, server)
    finally:
        server.stop()


def png_of(pixels):
    """uint8 [H, W, 3] as a PNG."""
    h, w, _ = pixels.shape
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def test_loads(browser):
    """The page starts with the sample and the first model, and logs nothing to the console."""
    with page_of(browser, golden_model(LISTING1), str(ROOT / "configs/models/voc-map.json")) as page:
        assert browser.run("document.title").startswith("Pyramid pooling")
        assert page.errors() == {}
        labels = page.labels()
        assert labels[0] == "x, channel 0" and "6×6 averages" in labels and "y, channel 11" in labels, labels
        x = np.load(io.BytesIO(page.saved("Save x as .npy", "sample-x.npy")))
        assert np.array_equal(x, np.load(ROOT / "configs/samples/features-4x30x30.npy"))
        browser.size(1440, 900)
        browser.wait("history.length > 2", "a few metrics")
        browser.screenshot(PICTURES / "light.png")
        page.clean()


def test_numbers_are_pytorchs(browser):
    """For a dropped .npy, each saved stage equals PyTorch's, and y the golden one."""
    x = golden(LISTING1, "x")
    for branch, expected in enumerate(stages_by_pytorch(LISTING1, x)):
        size = (1, 2, 3, 6)[branch]
        # A new page for each: after ten files from one page, Chromium asks the user.
        with page_of(browser, golden_model(LISTING1)) as page:
            page.drop(GOLDEN / LISTING1 / "x.npy")
            for (title, file), tensor in zip(STAGES, expected):
                found = page.saved_tensor(f"{size}×{size} {title}", f"x-branch{branch}-{file}")
                assert_close(found, tensor, f"branch {branch}, {file}")
    with page_of(browser, golden_model(LISTING1)) as page:
        page.drop(GOLDEN / LISTING1 / "x.npy")
        assert page.errors() == {}, page.errors()
        assert_close(page.saved_tensor("y, channel 0", "x-y-0"), golden(LISTING1, "y"), "y")
        post = [request for request in browser.requests if request["method"] == "POST"][-1]
        assert f"/ppm/{LISTING1}?stages=1&shape=1,4,10,10&layout=NCHW" in post["url"], post["url"]
        assert post["headers"]["Content-Type"] == "application/octet-stream"
        page.clean()


def test_values_stand_under_the_pointer(browser):
    """The page shows PyTorch's value at the pointer, for the chosen channel and image."""
    x = golden(BATCH, "x")
    stages = stages_by_pytorch(BATCH, x)
    with page_of(browser, golden_model(BATCH)) as page:
        page.drop(GOLDEN / BATCH / "x.npy")
        for image, channel in ((0, 0), (2, 1)):
            page.choose("image-of-batch", image)
            page.choose("channel", channel)
            pooled, output, upsampled = stages[2]
            for label, plane in ((f"x, channel {channel}", x[image, channel]),
                                 ("3×3 averages", pooled[image, channel]),
                                 ("3×3 branch output, channel 0", output[image, 0]),
                                 ("3×3 stretched back, channel 0", upsampled[image, 0])):
                h, w = plane.shape
                for row, column in ((0, 0), (h - 1, w // 2), (h // 2, w - 1)):
                    text = page.value_at(label, row, column, h, w)
                    place, value = text.split(": ")
                    assert place == f"{row}, {column}", f"{label}: {text}"
                    assert abs(float(value) - plane[row, column]) < 1e-5, f"{label}: {text}, {plane[row, column]}"
        page.choose("channel", 99)
        assert browser.run("byId('channel').value") == "1"
        page.clean()


def test_cells_are_those_of_the_pooling(browser):
    """Borders match the pooling's windows: adaptive and overlapping, SAME with its padding."""
    cells = "cellsOf({expr}, 0, {{h: {h}, w: {w}}}, {{h: {ph}, w: {pw}}}).map(c => [c.y, c.x, c.h, c.w])"
    with page_of(browser, golden_model(LISTING1)) as page:
        overlapping = browser.run(cells.format(expr="{bins: [3]}", h=7, w=10, ph=3, pw=3))
        assert overlapping[0] == [0, 0, 3, 4] and overlapping[4] == [2, 3, 3, 4], overlapping
        same = browser.run(cells.format(expr="{bins: [6], pool: 'same'}", h=33, w=30, ph=6, pw=6))
        assert same[0] == [0, 0, 5, 5] and same[-1] == [28, 25, 5, 5] or same[0][0] == 0, same
        padded = browser.run(cells.format(expr="{windows: [[4, 3]], pool: 'same'}", h=6, w=6, ph=2, pw=2))
        assert padded == [[0, 0, 3, 3], [0, 3, 3, 3], [3, 0, 3, 3], [3, 3, 3, 3]], padded
        page.clean()


def test_models_and_layouts(browser):
    """Choosing another model works: TensorFlow's layout, a cascade, bins larger than x; no error."""
    names = ("tf-same-uneven", "cascade-norm-elu", "tf-stride-multiple-grows-half-pixel", "tf-windows-valid",
             "branch-empty", NHWC)
    with page_of(browser, *map(golden_model, names)) as page:
        for name in names:
            page.choose("model", name)
            page.drop(GOLDEN / name / "x.npy")
            assert page.errors() == {}, (name, page.errors())
            y = page.saved_tensor("y, channel 0", "x-y-0")
            assert_close(y, golden(name, "y"), name)
        page.clean("status of 422")


def test_labels_are_shown_as_a_map(browser):
    """A model that ends in argmax shows its map, and a legend of the classes in it."""
    y = golden(LABELS, "y")
    with page_of(browser, golden_model(LABELS), str(ROOT / "configs/models/voc-map.json")) as page:
        page.drop(GOLDEN / LABELS / "x.npy")
        assert np.array_equal(page.saved_tensor("labels", "x-labels"), y)
        found = dict(browser.run("[...byId('map-legend').children].map(item => "
                                 "[item.children[1].textContent, item.children[2].textContent])"))
        for label, count in zip(*np.unique(y, return_counts=True)):
            share = float(found.pop(f"class {label}").split()[0])
            assert abs(share - 100 * count / y.size) < 0.5, (label, share)
        assert not found, found
        text = page.value_at("labels", 3, 5, 20, 28)
        assert text == f"3, 5: class {y[0, 0, 3, 5]}", text
        assert "score, channel 3" in page.labels()
        page.choose("model", "voc-map")
        page.source("sample")
        browser.scheme("dark")
        browser.size(1440, 900)
        browser.screenshot(PICTURES / "dark.png")
        browser.scheme("light")
        browser.screenshot(PICTURES / "map.png", until="#map-section")
        page.clean("status of 422")


def test_channels_come_in_pages(browser):
    """The page shows twelve channels at a time; buttons show the others."""
    with page_of(browser, str(ROOT / "configs/models/listing2-pytorch-psp.json")) as page:
        count = "document.querySelectorAll('#grid figure').length"
        assert browser.run(count) == 12 and browser.run("byId('previous').disabled")
        browser.run("byId('next').click()")
        assert "channels 12 to 23 of 1024" in page.text("output-page")
        assert browser.run(count) == 12 and not browser.run("byId('previous').disabled")
        page.clean()


def test_images_become_channels(browser):
    """A dropped image becomes red, green and blue, with a note about other channels; grids have its shape."""
    forms = "[...document.querySelectorAll('#input-figure canvas[role], #rows canvas[role]')].map(canvas => " \
            "canvas.width / canvas.height)"
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder, \
            page_of(browser, str(ROOT / "configs/models/listing2-pytorch-psp.json"), golden_model(LISTING1),
                    golden_model(BATCH)) as page:
        path = pathlib.Path(folder, "street.png")
        path.write_bytes(png_of(pixels))
        page.drop(path)
        assert page.errors() == {} and page.text("input-note") == "", page.text("input-note")
        assert set(browser.run(forms)) == {1.5}, browser.run(forms)
        for model, channels, note in (("listing2-pytorch-psp", 3, ""), (LISTING1, 4, "repeated over the model's 4"),
                                      (BATCH, 2, "takes only the first 2")):
            page.choose("model", model)
            x = np.load(io.BytesIO(page.saved("Save x as .npy", "street-x.npy")))
            expected = pixels.astype(np.float32).transpose(2, 0, 1)[[c % 3 for c in range(channels)]][None] / 255
            assert np.abs(x - expected).max() < 1e-6, model
            assert note in page.text("input-note"), page.text("input-note")
        page.clean()


def test_colors_have_ranges(browser):
    """Color ranges: the source's, each picture's, or a typed one."""
    scale = "[...document.querySelectorAll('#rows .row:nth-child(2) figure')].map(figure => " \
            "[...figure.querySelectorAll('.scale span')].map(end => Number(end.textContent)))"
    with page_of(browser, golden_model(LISTING1)) as page:
        cells, means, output, upsampled = browser.run(scale)
        assert cells == means and output == upsampled and cells != output
        page.choose("range", "each")
        cells, means, _, _ = browser.run(scale)
        assert cells[0] < means[0] and means[1] < cells[1]
        page.choose("range", "fixed")
        page.choose("from", -3)
        page.choose("to", 5)
        assert browser.run(scale) == [[-3, 5]] * 4
        page.choose("colors", "diverging")
        assert browser.run(scale) == [[-5, 5]] * 4
        png = page.saved("Save 2×2 averages as PNG", "sample-branch1-pooled.png")
        assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24]) == (360, 360)
        page.clean()


def test_time_and_work(browser):
    """Times are medians of three ordinary requests, separate from that of the request for the pictures."""
    read = "Object.fromEntries([...byId('{}').children].map(item => [item.children[1].textContent, " \
           "Number(item.children[2].textContent.split(' ')[0])]))"
    with page_of(browser, str(ROOT / "configs/models/voc-map.json")) as page:
        browser.run("(() => { window.told = []; const real = fetch; fetch = async (path, options) => { "
                    "const answer = await real(path, options); if (options.method === 'POST') told.push([path, "
                    "readServerTiming(answer.headers.get('Server-Timing')).compute]); return answer; }; })()")
        browser.run("byId('again').click()")
        page.settle()
        told = browser.run("told")
        ordinary = [ms for path, ms in told if path == "ppm/voc-map?shape=1,4,30,30&layout=NCHW"]
        literal = [ms for path, ms in told if path.startswith("ppm/voc-map?stages=1&")]
        assert len(ordinary) + len(literal) == len(told) and len(literal) == 1, told
        times, stages = (browser.run(read.format(name)) for name in ("times", "stages"))
        assert list(times) == ["queue", "decode", "compute", "encode"], times
        assert times["compute"] == sorted(ordinary)[(len(ordinary) - 1) // 2], (times, told)
        assert str(float(f"{times['compute']:.3g}")).rstrip("0").rstrip(".") in page.text("status"), page.text("status")
        assert list(stages) == ["pool", "branches", "head", "output", "literal graph"], stages
        assert stages["head"] > 0 and stages["pool"] > 0, stages
        assert abs(sum(stages.values()) - literal[0]) < 0.01, (stages, told)
        for bar in ("times", "stages"):
            widths = browser.run(f"[byId('{bar}-bar'), ...byId('{bar}-bar').children].map(at => at.offsetWidth)")
            assert abs(widths[0] - sum(widths[1:])) <= len(widths), widths
        request = page.server.describe("voc-map", "?shape=1,4,30,30")["request"]
        shown = browser.run("[...document.querySelectorAll('.work b')].map(work => work.textContent)")
        for flops, text in zip((request["flops_literal"], request["flops_folded"]), shown):
            value, unit = text.split()
            scale = {"FLOP": 1, "kFLOP": 1e3, "MFLOP": 1e6}[unit]
            assert abs(float(value) * scale / flops - 1) < 0.01, (flops, text)
        page.clean()


def run_line(line):
    """Runs a pasted line in an empty folder -> the folder's files."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (GOLDEN / LISTING1).glob("x.npy"):
            pathlib.Path(folder, "it's x.npy").write_bytes(file.read_bytes())
        subprocess.run(["sh", "-euc", line], cwd=folder, check=True, timeout=30)
        return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


def test_curl_works_by_pasting(browser):
    """The curl line, pasted into a shell, gets the same answer for a sample, a file and a drawing."""
    with tempfile.TemporaryDirectory() as folder, page_of(browser, golden_model(LISTING1)) as page:
        named = pathlib.Path(folder, "it's x.npy")
        named.write_bytes((GOLDEN / LISTING1 / "x.npy").read_bytes())
        for choose in (lambda: None, lambda: page.drop(named), lambda: page.source("pattern")):
            choose()
            browser.run("byId('curl-y').checked || byId('curl-y').click()")
            y = np.load(io.BytesIO(run_line(browser.run("byId('curl').value"))["y.npy"]))
            name = browser.run("state.name")
            assert np.array_equal(y, page.saved_tensor("y, channel 0", f"{name}-y-0"))
            browser.run("byId('curl-y').click()")
            stages = run_line(browser.run("byId('curl').value"))["stages.safetensors"]
            header = json.loads(stages[8:8 + struct.unpack("<Q", stages[:8])[0]])
            assert "branch.3.upsampled" in header and "y" in header, header
        browser.run("byId('copy').click()")
        browser.wait("byId('copied').textContent !== ''", "the copy")
        assert page.text("copied") == "Copied.", page.text("copied")
        assert browser.run("navigator.clipboard.readText()") == browser.run("byId('curl').value")
        page.clean()
