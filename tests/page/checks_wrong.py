"""What goes wrong: unreadable files, answers that are late, cut short or from another program, and restarting
servers. The page shows each once, in its place, and never with an earlier answer as if it belonged to it."""
import json
import re
import socket

import numpy as np
from checks import BATCH, LISTING1, page_of
from checks_still import files_in_folder
from harness import GOLDEN, Page, Server, golden, golden_model

PASTE = """(files => { const data = new DataTransfer(); files.forEach(([name, text, type]) =>
    data.items.add(new File([text], name, {type})));
    document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true})); })"""


def named(browser):
    """The contents of the file fields."""
    return browser.run("['npy', 'image'].map(kind => byId(`${kind}-file`).files[0]?.name)")


def test_files_are_named_however_they_come(browser):
    """A dropped or pasted file appears in its field; two files, a folder or dragged text do not."""
    with files_in_folder() as write, page_of(browser, golden_model(LISTING1)) as page:
        page.drop(GOLDEN / LISTING1 / "x.npy")
        assert named(browser) == ["x.npy", None] and page.errors() == {}, (named(browser), page.errors())
        browser.run(PASTE + "([['picture.png', 'none', 'image/png']])")
        page.settle()
        assert named(browser) == ["x.npy", "picture.png"] and browser.run("source") == "image", named(browser)
        assert "picture.png: this is not an image" in page.errors()["error-input"], page.errors()
        browser.run(PASTE + "([['drawn.npy', 'none', '']])")
        page.settle()
        assert named(browser) == ["drawn.npy", "picture.png"] and browser.run("source") == "npy", named(browser)
        browser.run(PASTE + "([])")
        page.drop(GOLDEN / LISTING1 / "x.npy", write("y.npy", golden(LISTING1, "x")))
        assert "2 files at once" in page.errors()["error-input"], page.errors()
        page.drop(write("keys.txt", b"").parent)
        assert "cannot be read" in page.errors()["error-input"], page.errors()
        dragged = {"items": [{"mimeType": "text/plain", "data": "words"}], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            browser.ask("Input.dispatchDragEvent", type=kind, x=300, y=300, data=dragged)
            assert browser.run("byId('drop').hidden"), kind
        page.clean()


def test_an_earlier_file_leaves_nothing(browser):
    """After an unreadable file, the last one's text is gone, and its pictures are dimmed and labeled as old."""
    with files_in_folder() as write, page_of(browser, golden_model(BATCH), golden_model(LISTING1)) as page:
        page.choose("model", LISTING1)
        page.drop(write("good.npy", np.ones((1, 4, 5, 6), "<f4")))
        assert page.text("input-text").startswith("good.npy"), page.text("input-text")
        for name, content in (("bad.npy", b"x" * 50), ("notes.txt", b"words"), ("late.png", b"x")):
            page.drop(write(name, content))
            assert list(page.errors()) == ["error-input"] and page.errors()["error-input"].startswith(f"{name}: ")
            assert "good.npy" not in page.text("controls") and page.text("input-text") == "", page.text("controls")
            assert page.text("status") == f"The pictures still show good through {LISTING1}."
            assert browser.run("byId('pyramid').classList.contains('stale') && byId('save-x').disabled")
        browser.run("document.querySelector('input[value=npy]').click()")
        page.settle()
        assert page.text("input-text").startswith("Nothing yet") and page.errors() == {}, page.text("input-text")
        page.choose("model", BATCH)
        page.drop(GOLDEN / LISTING1 / "x.npy")
        assert page.errors() != {}
        page.choose("channel", 3)  # of the model and x of the pictures, not the chosen ones
        assert "x, channel 3" in page.labels() and f"through {LISTING1}" in page.text("status"), page.labels()
        page.choose("model", LISTING1)
        assert page.errors() == {} and not browser.run("document.querySelector('.stale')")
        assert page.text("status").startswith("Computed by"), page.text("status")
        page.clean("status of 422")


def test_large_files_are_refused_unread(browser):
    """A file that is too large, or whose size does not match its header, is refused by its first bytes."""
    header = (GOLDEN / LISTING1 / "x.npy").read_bytes()[:128]
    with files_in_folder() as write, page_of(browser, golden_model(LISTING1)) as page:
        browser.run("(() => { window.read = 0; const real = Blob.prototype.arrayBuffer; Blob.prototype.arrayBuffer = "
                    "function () { read += this.size; return real.call(this); }; })()")
        for megabytes, sentence in ((300, "the page takes at most 268 MB"), (200, "expected 1600 for")):
            path = write("large.npy", header)
            with open(path, "r+b") as file:
                file.truncate(megabytes * 10**6)  # sparse, so nothing is on disk
            page.drop(path)
            assert sentence in page.errors()["error-input"], page.errors()
        assert browser.run("read") <= 1 << 17, browser.run("read")
        page.clean()


SLOW = """(() => { window.slow = null; const real = fetch; fetch = async (path, options) => {
    const isSlow = slow && path.includes(slow), answer = await real(path, {...options, signal: undefined});
    if (isSlow) await new Promise(done => window.let_go = done);
    return answer; }; })()"""


def test_late_answers_are_dropped(browser):
    """An answer that arrives after a newer one changes nothing, for requests and for choices of a model."""
    with files_in_folder() as write, page_of(browser, golden_model(BATCH), golden_model(LISTING1)) as page:
        browser.run(SLOW)
        for waits_for, act in ((f"/{BATCH}?shape", lambda: page.source("pattern")),
                               (f"/{BATCH}?stages=1", lambda: page.source("sample")),
                               (f"ppm/{BATCH}", lambda: page.choose("model", LISTING1))):
            page.choose("model", BATCH)
            browser.run(f"slow = '{waits_for}'; let_go = null; begin(signal => chooseModel('{BATCH}', signal)); 0")
            browser.wait("Boolean(let_go)", waits_for)
            browser.run("slow = null")
            act()
            shown = browser.run("[state.model.name, state.name, byId('status').textContent]")
            browser.run("let_go(), new Promise(done => setTimeout(done, 200))")
            assert browser.run("[state.model.name, state.name, byId('status').textContent]") == shown
            assert page.errors() == {}, page.errors()
            assert browser.run("state.model.name === byId('model').value"), shown
        page.choose("model", LISTING1)
        browser.run("slow = 'ppm/'; let_go = null; byId('again').click()")
        browser.wait("Boolean(let_go)", "an answer to wait for")
        browser.run("slow = null")
        page.drop(write("bad.npy", b"none"))
        browser.run("let_go(), new Promise(done => setTimeout(done, 200))")
        assert list(page.errors()) == ["error-input"] and "bad.npy" in page.errors()["error-input"], page.errors()
        page.clean()


def test_answers_of_others_are_told(browser):
    """A proxy's page, an empty body, a detail that is not text, another program's 200: one short sentence each."""
    html = dict(Content_Type="text/html")
    page_of_proxy = b"<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
    problem = lambda detail: json.dumps({"detail": detail}).encode()
    cases = [(502, page_of_proxy, html, "error-run", "the server answered 502 Bad Gateway"),
             (500, b"", html, "error-run", "the server answered 500 Internal Server Error"),
             (503, b"null", {}, "error-run", "the server answered 503 Service Unavailable"),
             (422, problem(["x"]), {}, "error-input", "the server answered 422 Unprocessable Entity"),
             (503, problem("the queue is full"), {"Retry_After": "2"}, "error-run",
              "the queue is full (try again in 2 s)"),
             (403, problem("another origin"), {}, "error-run", "another origin"),
             (404, problem("no such model"), {}, "error-model", "no such model")]
    with page_of(browser, golden_model(LISTING1)) as page:
        for status, body, headers, place, sentence in cases:
            browser.answer_next("*/ppm/*shape=*", status, body, **headers)
            browser.run("byId('again').click()")
            page.settle()
            found = page.errors()
            assert list(found) == [place], (status, found)
            assert re.fullmatch(sentence.replace("(", r"\(").replace(")", r"\)").replace("Entity", "(Entity|Content)"),
                                found[place]), (status, found)
        for pattern, body in (("*stages=1*", page_of_proxy), ("*/ppm/listing1*", page_of_proxy), ("*/ppm", b"{}")):
            browser.run("chosenModel = null")
            browser.answer_next(pattern, 200, body, **html)
            browser.run("byId('again').click()")
            page.settle()
            assert list(page.errors()) == ["error-run"], (pattern, page.errors())
            assert "is not what this server answers" in page.errors()["error-run"], page.errors()
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors() == {}, page.errors()
        page.clean("status of ")


def test_a_server_that_restarts(browser):
    """After a restart the page asks again by itself, and shows the new server's models."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server("--model", golden_model(BATCH), port=port)
    try:
        page = Page(browser, server)
        browser.wait("history.length > 0", "metrics")
        server.stop()
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors()["error-run"].endswith("does not answer"), page.errors()
        assert page.text("status") == f"The pictures still show sample through {BATCH}."
        server = Server("--model", golden_model(LISTING1), port=port)
        browser.wait(f"state.model.name === '{LISTING1}'", "the next server")
        page.settle()
        browser.wait("byId('error-metrics').hidden", "metrics")
        assert page.errors() == {}, page.errors()
        assert browser.run("[...byId('model').options].map(option => option.value)") == [LISTING1]
        assert not browser.run("byId('metrics').querySelector('dd').textContent").startswith("-")
    finally:
        server.stop()
