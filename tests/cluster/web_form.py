"""examples/web-form: a form in Chromium, HAProxy with its two files, two servers. A photo comes back with its labels,
as from one server alone, also when a server is killed; what is wrong is said."""
import base64
import os
import pathlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from balancer import ROOT, free_port
import harness
import pytest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "page"))
from browser import Browser  # noqa: E402

FOLDER = ROOT / "examples/web-form"
PHOTO = ROOT / "configs/samples/street.jpg"
PICTURES = ROOT / "build/page"
TARGET = "/ppm/street?overlay=0.5"


class Example:
    """examples/web-form/run on free ports."""

    def __init__(self):
        self.page, self.servers = f"127.0.0.1:{free_port()}", [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.process = subprocess.Popen([FOLDER / "run"], env={
            **os.environ, "PHOTOS_BIND": self.page, "PPM_BIND": f"127.0.0.1:{free_port()}",
            "PPM_NUMBERS": f"127.0.0.1:{free_port()}", "PPM_1": self.servers[0], "PPM_2": self.servers[1]})

    def __enter__(self):
        for address in (*self.servers, self.page):
            harness.wait_until(lambda at=address: ask(at, TARGET, PHOTO.read_bytes())[0] == 200, 30, f"{address} answers")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill_server(self, address):
        """The child of the script that listens there."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        port = address.rpartition(":")[2]
        found = [pid for pid in children if port in pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
        assert len(found) == 1, f"{port} among {children}: {found}"
        os.kill(int(found[0]), signal.SIGKILL)


def ask(address, target, body=None, **headers):
    """-> status, bytes; 0: nobody answers"""
    request = urllib.request.Request(f"http://{address}{target}", body, {
        "Content-Type": "image/jpeg", **{name.replace("_", "-"): value for name, value in headers.items()}})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def choose(browser, path):
    """Chooses a file in the form, and waits for what comes of it."""
    control = browser.ask("Runtime.evaluate", expression="photo")["result"]["objectId"]
    browser.ask("DOM.setFileInputFiles", files=[str(path)], objectId=control)
    browser.wait("said.textContent !== 'Computing the labels'", "an answer")


def shown(browser):
    """The bytes of the picture that the form shows; empty: none."""
    return base64.b64decode(browser.run("""labels.hidden ? '' : fetch(labels.src).then(answer => answer.arrayBuffer())
        .then(bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))))"""))


@pytest.fixture(name="browser")
def one_browser():
    browser = Browser()
    yield browser
    browser.close()


def use(report, browser, example, folder):
    expected = ask(example.servers[0], TARGET, PHOTO.read_bytes())[1]
    browser.open(f"http://{example.page}/")
    choose(browser, PHOTO)
    report.expect(shown(browser) == expected, "the form shows what a server answers")
    browser.wait("labels.complete && labels.naturalWidth === 256 && labels.naturalHeight === 192", "the picture")
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser.screenshot(PICTURES / "web-form.png")
    report.expect(not browser.said, f"the console is quiet: {browser.said}")
    text = folder / "text.jpg"
    text.write_text("no photo")
    choose(browser, text)
    report.expect("found neither a JPEG nor a PNG" in browser.run("said.textContent"), "a file of text is refused in words")
    report.expect(shown(browser) == b"", "and the photo before it is gone")
    example.kill_server(example.servers[0])
    choose(browser, PHOTO)
    report.expect(shown(browser) == expected, "the other server answers when one is killed")
    example.kill_server(example.servers[1])
    choose(browser, text)
    report.expect(browser.run("said.textContent") == "Service Unavailable", "when none is left, the form says so")


def look_around(report, example):
    photo = PHOTO.read_bytes()
    for target in ("/metrics", "/v2", "/ppm/street", "/ppm", "/readyz"):
        report.expect(ask(example.page, target)[0] == 404, f"GET {target} is not open to the web")
    report.expect(ask(example.page, "/ppm", photo)[0] == 404, "nor is another model")
    report.expect(ask(example.page, TARGET, photo, Origin="http://evil.example")[0] == 403, "nor to pages from elsewhere")
    report.expect(ask(example.page, TARGET, photo, Origin=f"http://{example.page}")[0] == 200, "its own page may ask")
    report.expect(ask(example.page, TARGET, bytes((1 << 25) + 1))[0] == 413, "a photo has at most 32 MiB")


def test(report, browser, tmp_path):
    lines = (FOLDER / "index.html").read_text(encoding="utf-8").splitlines()
    report.expect(len(lines) <= 20, "the form has 20 lines")
    with Example() as example:
        look_around(report, example)
        use(report, browser, example, tmp_path)
