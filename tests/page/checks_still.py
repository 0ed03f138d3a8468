"""Nothing moves: pointing, answers and errors leave everything on the page in its place."""
import contextlib
import json
import pathlib
import tempfile

import numpy as np
from checks import BATCH, page_of
from harness import GOLDEN, ROOT, golden_model

VOC = str(ROOT / "configs/models/voc-map.json")

# The places of everything visible, except the mark, and parts with reserved room.
PLACES = """(selector => [...document.querySelectorAll(selector)].filter(at => at.checkVisibility() &&
    !at.closest('.mark, .says > *, .over > .error, [data-source], .scroll > *')).map(at => {
        const box = at.getBoundingClientRect(), round = value => Math.round(10 * value) / 10;
        return [`${at.tagName} ${at.id || at.className}`, round(box.left + scrollX), round(box.top + scrollY),
                round(box.width), round(box.height)].join(); }))"""
BLOCKS = "section, figure, canvas[role], h1, h2, h3, p, ul, dl, footer, main, select, input, button, textarea, .bar, .says"
CHOSEN_BY = ".controls section, .controls section :is(fieldset, button, .says), .controls .pairs *"

# [label, value, whether nothing moved, whether the whole value is visible] for the last pixel of each picture
POINT = """(places => {
    const before = places('body *').join();
    return [...document.querySelectorAll('figure canvas[role=img]')].map(canvas => {
        const box = canvas.getBoundingClientRect(), output = canvas.closest('figure').querySelector('output');
        canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 1, clientY: box.bottom - 1}));
        return [canvas.ariaLabel, output.textContent, before === places('body *').join(),
                output.scrollHeight <= output.clientHeight + 1 && output.scrollWidth <= output.clientWidth];
    }); })"""

SHIFTS = """new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(entry => sum += entry.value))
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(sum), 300); })"""


@contextlib.contextmanager
def files_in_folder():
    """write(name, bytes or array) -> path"""
    with tempfile.TemporaryDirectory() as folder:
        def write(name, content):
            path = pathlib.Path(folder, name)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                np.save(path, content)
            return path
        yield write


def places(browser, selector=BLOCKS):
    return browser.run(f"{PLACES}({json.dumps(selector)})")


def assert_still(browser, before, what, selector=BLOCKS):
    after = places(browser, selector)
    moved = [(a, b) for a, b in zip(before, after) if a != b]
    assert not moved and len(after) == len(before), f"{what}: {len(moved)} moved, such as {moved[:2]}"


def test_pointing_moves_nothing(browser):
    """Pointing at any picture moves and cuts off nothing, however long the value and narrow the screen."""
    values = np.random.default_rng(3).normal(size=(1, 4, 130, 130)) * 1e-10
    with files_in_folder() as write, page_of(browser, VOC) as page:
        page.drop(write("small-values.npy", values.astype("<f4")))
        for width in (1440, 1024, 720, 360, 320):
            browser.size(width, 900, 1, width < 700)
            found = browser.run(f"{POINT}({PLACES})")
            assert len(found) == 30, len(found)
            for label, text, is_still, is_seen in found:
                assert ": " in text and is_still and is_seen, (width, label, text, is_still, is_seen)
        page.clean()


def test_answers_and_errors_move_nothing(browser):
    """A dropped file, its answer, an error, a drawing, other channels, and loading, also on a phone."""
    sample = np.load(ROOT / "configs/samples/features-4x30x30.npy")
    with files_in_folder() as write, page_of(browser, VOC, golden_model(BATCH)) as page:
        for width in (1440, 800, 360):
            browser.size(width, 900, 1, width < 700)
            browser.open(page.server.url + "/")
            page.settle()
            browser.wait("history.length > 1", "metrics")
            shifts = browser.run(SHIFTS)
            assert shifts < 0.02, (width, shifts)
            before = places(browser)
            page.drop(write("other.npy", sample[:, ::-1, ::-1] * 3))
            assert browser.run("state.name") == "other", page.errors()
            assert_still(browser, before, f"{width}: an answer")
            for path in (GOLDEN / BATCH / "x.npy", write("a" * 60 + ".npy", b"no such thing")):
                page.drop(path)
                assert "error-input" in page.errors(), page.errors()
                assert_still(browser, before, f"{width}: an error, {page.errors()}")
            browser.answer_next("*/ppm/*shape=*", 503, json.dumps({"detail": "the queue is full " * 30}).encode())
            page.source("sample")
            assert "error-run" in page.errors(), page.errors()
            assert_still(browser, before, f"{width}: a long error")
            page.source("pattern")
            before = places(browser)
            browser.run("byId('drawing').focus()")
            browser.key("ArrowLeft")
            assert page.text("drawing-at").startswith("Row 15, column 14"), page.text("drawing-at")
            assert_still(browser, before, f"{width}: a drawing's words")
            browser.run("byId('next').click()")
            assert "channels 9 to 20 of 21" in page.text("output-page"), page.text("output-page")
            assert_still(browser, before, f"{width}: another page of channels")
        page.clean("status of 4", "status of 503")


def test_keys_and_models_move_nothing(browser):
    """The controls stay in place when a key is typed, even a wrong one, and for another model or a batch."""
    with files_in_folder() as write:
        keys = write("keys", b"secret-0123456789abcdef\n")
        keys.chmod(0o600)
        with page_of(browser, VOC, golden_model(BATCH), arguments=("--keys-file", str(keys))) as page:
            for width in (1440, 360):
                browser.size(width, 900, 1, width < 700)
                browser.open(page.server.url + "/")
                page.settle()
                before = places(browser, CHOSEN_BY)
                for key in ("wrong-0123456789", "secret-0123456789abcdef"):
                    page.choose("key", key)
                    assert_still(browser, before, f"{width}: {key}", CHOSEN_BY)
                page.choose("model", BATCH)
                page.drop(GOLDEN / BATCH / "x.npy")
                assert page.errors() == {} and browser.run("state.n") == 3, page.errors()
                assert_still(browser, before, f"{width}: another model, a batch", CHOSEN_BY)
            page.clean("status of 401")
