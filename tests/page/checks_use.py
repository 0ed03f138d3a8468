"""How the page is used: by keyboard, by screen reader, on a phone, with API keys, and when things go wrong."""
import io
import json
import pathlib
import tempfile

import numpy as np
from checks import BATCH, LISTING1, page_of
from harness import GOLDEN, PICTURES, ROOT, Page, Server, golden_model, until


def sentence_of(server, target, body):
    return json.loads(server.ask(target, body, Content_Type="application/octet-stream")[1])["detail"]


def test_refusals_stand_at_their_cause(browser):
    """The page shows the server's refusal at its cause, and removes it with the next request."""
    x = (GOLDEN / LISTING1 / "x.npy").read_bytes()
    with page_of(browser, golden_model(BATCH), golden_model(LISTING1),
                 arguments=("--body-max-bytes", "20000")) as page:
        page.drop(GOLDEN / LISTING1 / "x.npy")
        expected = sentence_of(page.server, f"/ppm/{BATCH}?stages=1&shape=1,4,10,10&layout=NCHW", x[-1600:])
        assert page.errors() == {"error-input": expected}, page.errors()
        assert "4 channels" in expected
        page.choose("model", LISTING1)
        assert page.errors() == {}, page.errors()
        with tempfile.TemporaryDirectory() as folder:
            large = pathlib.Path(folder, "large.npy")
            np.save(large, np.zeros((1, 4, 60, 60), "<f4"))
            page.drop(large)
            assert "body_max_bytes" in page.errors()["error-input"], page.errors()
            for name, content, sentence in (("a.npy", b"x" * 50, "does not begin with"),
                                            ("b.npy", x[:100], "header"), ("c.npy", x[:-1], "1599 bytes"),
                                            ("d.txt", b"", "does not begin with"), ("e.png", b"x", "not an image")):
                path = pathlib.Path(folder, name)
                path.write_bytes(content)
                page.drop(path)
                assert sentence in page.errors()["error-input"], (name, page.errors())
            integers = pathlib.Path(folder, "integers.npy")
            np.save(integers, np.zeros((1, 4, 2, 2), "<i8"))
            page.drop(integers)
            assert "<i8, expected <f4" in page.errors()["error-input"], page.errors()
            fortran = pathlib.Path(folder, "fortran.npy")
            values = np.random.default_rng(1).normal(size=(1, 4, 3, 5))
            np.save(fortran, np.asfortranarray(values))
            page.drop(fortran)
            assert page.errors() == {}, page.errors()
            saved = np.load(io.BytesIO(page.saved("Save x as .npy", "fortran-x.npy")))
            assert np.array_equal(saved, values.astype(np.float32))
        page.source("sample")
        assert page.errors() == {}
        page.clean("status of 4")


def test_networks_have_no_picture(browser):
    """The page says so next to the model, and shows the next one."""
    network = str(ROOT / "configs/models/two-levels.json")
    with page_of(browser, network, golden_model(LISTING1)) as page:
        assert "two-levels is a network; this page shows" in page.errors()["error-model"], page.errors()
        page.choose("model", LISTING1)
        page.drop(GOLDEN / LISTING1 / "x.npy")
        assert page.errors() == {}, page.errors()
        page.choose("model", "two-levels")
        assert list(page.errors()) == ["error-model"], page.errors()
        page.clean()


def test_a_server_that_ends(browser):
    """The page works during a drain, shows a 503 and the server's end next to the button, and uses the next one."""
    server = Server("--model", golden_model(LISTING1), "--drain-delay-ms", "1500")
    try:
        page = Page(browser, server)
        server.process.terminate()
        until(lambda: server.ask("/readyz")[0] == 503, "the drain")
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors() == {}, page.errors()
        server.process.wait(20)
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors()["error-run"].endswith("does not answer"), page.errors()
        browser.wait("!byId('error-metrics').hidden", "the strip's error")
        assert browser.run("byId('pyramid').classList.contains('stale')")
    finally:
        server.stop()
    detail = "the server is stopping; try another one"
    with page_of(browser, golden_model(LISTING1)) as page:
        body = json.dumps({"status": 503, "title": "Service Unavailable", "detail": detail}).encode()
        browser.answer_next("*stages=1*", 503, body)
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors() == {"error-run": detail}, page.errors()
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors() == {}
        page.clean("status of 503")


def test_keys_are_typed_once(browser):
    """With a server that needs a key, the page asks for it in one line; the key is in no URL and no storage."""
    key = "secret-0123456789abcdef"
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "keys")
        file.write_text(key + "\n")
        file.chmod(0o600)
        with page_of(browser, golden_model(LISTING1), arguments=("--keys-file", str(file))) as page:
            browser.wait("server.isLocked")
            assert page.errors() == {} and not browser.run(
                "[...document.querySelectorAll('.error, .note')].some(place => place.checkVisibility())")
            assert browser.run("document.activeElement.id") == "key"
            assert browser.run("byId('key').labels[0].textContent") == "This server needs a key"
            asked = len(browser.requests)
            browser.screenshot(PICTURES / "key.png", until=".columns")
            page.choose("key", "falscher-Schl\u00fcssel-\u9375")  # with letters that a header cannot have
            assert "unknown key" in page.errors()["error-key"], page.errors()
            page.choose("key", "wrong-0123456789")
            assert "unknown key" in page.errors()["error-key"] and list(page.errors()) == ["error-key"]
            assert len(browser.requests) - asked <= 4, browser.requests[asked:]
            assert not browser.run("(async () => { const asked = ask('metrics').catch(() => 0); server.key = 'another'; "
                                   "server.isLocked = false; await asked; return server.isLocked; })()")
            page.choose("key", key)
            browser.wait("document.querySelectorAll('#grid figure').length > 0", "the output")
            assert page.errors() == {} and not browser.run("byId('key').checkVisibility()")
            browser.wait("history.length > 0", "metrics, now that there is a key")
            assert 'Bearer $PPM_KEY' in browser.run("byId('curl').value")
            assert not any(key in request["url"] for request in browser.requests)
            assert browser.run("localStorage.length + sessionStorage.length + document.cookie.length") == 0
            page.clean("status of 401")


def test_nobody_else_is_asked(browser):
    """The content policy works: even if code tries to, the page asks no other host and runs no foreign script."""
    with page_of(browser, golden_model(LISTING1)) as page:
        browser.run("window.broken = []; document.addEventListener('securitypolicyviolation', "
                    "event => broken.push(event.effectiveDirective))")
        browser.run("fetch('http://127.0.0.1:9/').catch(() => 0)")
        browser.run("(() => { const script = document.createElement('script'); script.textContent = "
                    "'window.ran = 1'; document.body.append(script); const image = new Image(); "
                    "image.src = 'http://127.0.0.1:9/x.png'; document.body.append(image); })()")
        browser.wait("broken.length >= 3", "three violations")
        assert not browser.run("window.ran")
        assert set(browser.run("broken")) == {"connect-src", "script-src-elem", "img-src"}, browser.run("broken")
        browser.requests = [request for request in browser.requests if ":9/" not in request["url"]]
        page.clean("Content Security Policy", "violates")


def test_controls_have_names(browser):
    """Everything that the keyboard reaches has a name for screen readers, and no two pictures share one."""
    with page_of(browser, golden_model(LISTING1)) as page:
        for source in ("sample", "npy", "image", "pattern"):
            page.source(source)
            controls = browser.controls()
            unnamed = [role for role, name in controls if not name.strip() and role not in ("RootWebArea", "main")]
            assert not unnamed and len(controls) > 80, (source, unnamed, len(controls))
        labels = page.labels()
        assert len(set(labels)) == len(labels)
        levels = browser.run("[...document.querySelectorAll('h1, h2, h3')].map(head => Number(head.tagName[1]))")
        assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), levels
        assert browser.run("document.documentElement.lang") == "en"
        page.clean()


def tab_to(browser, wanted, limit=200):
    for _ in range(limit):
        browser.key("Tab")
        if browser.run(f"(({wanted})(document.activeElement))"):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def test_keyboard_alone(browser):
    """Keyboard only: another model, a drawing, moving over a picture, saving a file."""
    with page_of(browser, golden_model(LISTING1), golden_model(BATCH)) as page:
        browser.run("document.activeElement.blur()")
        tab_to(browser, "at => at.id === 'model'")
        for letter in BATCH[:6]:
            browser.key(letter)
        browser.wait(f"state.model.name === '{BATCH}'", "the other model")
        page.settle()
        tab_to(browser, "at => at.name === 'source'")
        for _ in range(3):
            browser.key("ArrowRight")
        page.settle()
        assert browser.run("source") == "pattern"
        tab_to(browser, "at => at.id === 'drawing'")
        before = browser.run("[...sources.drawing]")
        for name in ("ArrowLeft", "ArrowUp", " "):
            browser.key(name)
        after = np.array(browser.run("[...sources.drawing]")).reshape(30, 30)
        assert (after[13:16, 13:16] == 1).all() and list(after.ravel()) != before
        browser.wait("state.x && state.x.data[14 * 30 + 14] === 1 && state.name === 'drawing'", "the drawing")
        page.settle()
        tab_to(browser, "at => at.tagName === 'CANVAS' && at.ariaLabel?.startsWith('2×2 averages') "
                        "|| at.getAttribute('aria-label')?.startsWith('2×2 averages')")
        for name in ("ArrowDown", "ArrowDown", "ArrowRight"):
            browser.key(name)
        text = browser.run("document.activeElement.closest('figure').querySelector('output').textContent")
        assert text.startswith("1, 1: "), text
        assert np.float32(text[6:]) == np.float32(browser.run("planeOf(state.stages['branch.1.pooled'], 0, 0).data[3]"))
        outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", outline
        tab_to(browser, "at => at.getAttribute('aria-label') === 'Save 2×2 averages as PNG'")
        browser.key("Enter")
        assert browser.downloaded("drawing-branch1-pooled.png")[:4] == b"\x89PNG"
        page.clean()


def test_narrow_screens(browser):
    """Nothing needs horizontal scrolling, down to a width of 320 pixels."""
    with tempfile.TemporaryDirectory() as folder, \
            page_of(browser, str(ROOT / "configs/models/voc-map.json"), golden_model(LISTING1)) as page:
        long_name = pathlib.Path(folder, f"{'name' * 50}.npy")
        long_name.write_bytes(b"nothing")
        for width in (320, 360, 390, 800, 1024, 1440):
            browser.size(width, 800, 1, width < 700)
            for source in ("sample", "npy", "image", "pattern", "error"):
                if source == "error":
                    page.drop(long_name)
                else:
                    page.source(source)
                wide = browser.run("document.documentElement.scrollWidth")
                assert wide <= width, f"{wide} pixels wide at {width}, {source}"
        page.source("sample")
        browser.size(390, 844, 2, True)
        browser.screenshot(PICTURES / "phone.png")
        page.clean()


def luminance(color):
    levels = [float(level) / 255 for level in color.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_both_schemes_can_be_read(browser):
    """The page follows the light or dark scheme, and all text has a contrast of 4.5 to 1."""
    def check(place, on=None):
        assert browser.run(f"document.querySelector('{place}').checkVisibility()"), place
        text, ground = (luminance(browser.run(f"getComputedStyle(document.querySelector('{at}')).{color}"))
                        for at, color in ((place, "color"), (on or place, "backgroundColor")))
        ratio = (max(text, ground) + 0.05) / (min(text, ground) + 0.05)
        assert ratio >= 4.5, f"{scheme}, {place}: {ratio:.2f}"
        return ground

    grounds = []
    with page_of(browser, golden_model(LISTING1)) as page:
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            page.source("pattern")
            grounds += [check(place, on="body") for place in ("body", ".hint", ".lead", "a", "figcaption .save")]
            check("#again")
            check("#input-note")
            page.drop(GOLDEN / LISTING1 / "config.json")
            check("#error-input")
        browser.scheme("light")
        assert grounds[0] > 0.8 and grounds[-1] < 0.05, grounds
        page.clean()


def test_metrics_are_live(browser):
    """The strip follows /metrics: it counts others' requests, and its quantiles are those of the histograms."""
    with page_of(browser, golden_model(LISTING1)) as page:
        browser.wait("history.length > 1", "two looks at /metrics")
        for _ in range(30):
            page.server.ask("/ppm?shape=1,4,3,3", bytes(144), Content_Type="application/octet-stream")
        browser.wait("Number(byId('metrics').querySelector('dd').textContent) > 0 && "
                     "history[history.length - 1].requests - history[0].requests >= 30", "30 requests")
        found = browser.run("[0.5, 0.25, 0.75].map(q => quantile(new Map([[1, 10], [2, 30], [Infinity, 40]]), q))")
        assert found == [1.5, 1, 2], found
        assert "ms" in page.text("metrics")
        page.clean()
