"""What the page's checks share: servers, a browser on their page, and PyTorch's tensors."""
import io
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("PPM_SERVER", str(ROOT / "build/ppm-server"))
GOLDEN = ROOT / "tests/golden"
PICTURES = ROOT / "build/page"
TOLERANCE = 2e-5  # of the largest magnitude of PyTorch's result

torch.set_grad_enabled(False)


class Server:
    """ppm-server on a free port of the loopback interface."""

    def __init__(self, *arguments, port=0):
        self.process = subprocess.Popen([PROGRAM, "serve", "--port", str(port), "--log-level", "error", "--threads", "1",
                                         *arguments], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"listening on (http://\S+)", line)
        assert found, f"the server does not listen: {line}"
        self.url = found.group(1)

    def ask(self, target, body=None, **headers):
        """-> status, bytes"""
        request = urllib.request.Request(self.url + target, body,
                                         {name.replace("_", "-"): value for name, value in headers.items()})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def describe(self, model, query=""):
        return json.loads(self.ask(f"/ppm/{model}{query}")[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


# ---- tensors ----

def golden(name, file):
    return np.load(GOLDEN / name / f"{file}.npy")


def golden_model(name):
    return str(GOLDEN / name / "config.json")


def weights_of(name):
    """{tensor's name: torch.Tensor} of a golden model."""
    data = (GOLDEN / name / "weights.safetensors").read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    result = {}
    for key, entry in json.loads(data[8:8 + length]).items():
        if key != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            result[key] = torch.from_numpy(np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"]).copy())
    return result


def stages_by_pytorch(name, x):
    """[(pooled, output, upsampled)] of a golden model with branches of convolution, norm and maybe relu."""
    config, weights = json.loads((GOLDEN / name / "config.json").read_text()), weights_of(name)
    layers = config["branch"]
    conv, norm = layers[0]["conv"], layers[1] if isinstance(layers[1], str) else layers[1]["batch_norm"]
    result, x = [], torch.from_numpy(x)
    for i, size in enumerate(config["bins"]):
        conv_name = conv.get("weights", "branch.{i}.conv").replace("{i}", str(i))
        given = norm.get("weights") if isinstance(norm, dict) else None
        norm_name = (given or "branch.{i}.batch_norm").replace("{i}", str(i))
        pooled = F.adaptive_avg_pool2d(x, size)
        output = F.conv2d(pooled, weights[f"{conv_name}.weight"], weights.get(f"{conv_name}.bias"))
        output = F.batch_norm(output, *(weights[f"{norm_name}.{part}"] for part in
                                        ("running_mean", "running_var", "weight", "bias")), eps=1e-5)
        if "relu" in layers:
            output = F.relu(output)
        upsampled = F.interpolate(output, x.shape[2:], mode="bilinear", align_corners=True)
        result.append((pooled.numpy(), output.numpy(), upsampled.numpy()))
    return result


def assert_close(found, expected, what):
    assert found.shape == expected.shape, f"{what}: {found.shape}, expected {expected.shape}"
    most = np.abs(found.astype(np.float64) - expected).max()
    assert most <= TOLERANCE * max(np.abs(expected).max(), 1e-6), f"{what}: {most} off"


# ---- the page ----

class Page:
    """A browser on a server's page. clean() checks that it has logged and thrown nothing."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        browser.open("about:blank") # ends the previous page
        browser.requests.clear()
        browser.said.clear()
        browser.size(1280, 900)
        browser.open(server.url + "/")
        self.settle()

    def settle(self):
        """Waits until the request is answered or refused."""
        self.browser.wait("byId('pyramid').getAttribute('aria-busy') === 'false'", "an answer")

    def choose(self, control, value):
        """Sets a control's value and sends its event, as a user does."""
        self.browser.run(f"""(() => {{ const control = byId({json.dumps(control)});
            control.value = {json.dumps(str(value))};
            control.dispatchEvent(new Event('change', {{bubbles: true}})); }})()""")
        self.settle()

    def source(self, name):
        self.browser.run(f"document.querySelector('input[name=source][value={name}]').click()")
        self.settle()

    def drop(self, *paths):
        self.browser.drop(*paths)
        self.browser.wait("byId('drop').hidden", "the drop")
        self.settle()

    def text(self, control):
        return self.browser.run(f"byId({json.dumps(control)}).textContent.trim()")

    def errors(self):
        """{id: sentence} of the errors shown."""
        return dict(self.browser.run("[...document.querySelectorAll('.error')].filter(place => "
                                     "!place.hidden && place.id).map(place => [place.id, place.textContent])"))

    def labels(self):
        """The names of the pictures."""
        return self.browser.run("[...document.querySelectorAll('figure canvas[role=img]')]"
                                ".map(canvas => canvas.getAttribute('aria-label').split(':')[0])")

    def place_of(self, label):
        """Scrolls to a picture and returns its left, top, width and height."""
        return self.browser.run(f"""(() => {{
            const canvas = [...document.querySelectorAll('figure canvas[role=img]')].find(canvas =>
                canvas.getAttribute('aria-label').startsWith({json.dumps(label + ":")}));
            canvas.scrollIntoView({{block: 'center'}});
            const box = canvas.getBoundingClientRect();
            return [box.left, box.top, box.width, box.height]; }})()""")

    def value_at(self, label, y, x, h, w):
        """Returns the text for the pointer at row y, column x of h x w."""
        left, top, width, height = self.place_of(label)
        for _ in range(50):  # after scrolling, the browser reports the pointer's old place once more
            self.browser.move(left + (x + 0.5) / w * width, top + (y + 0.5) / h * height)
            text = self.browser.run(f"""[...document.querySelectorAll('figure')].find(figure => figure.querySelector(
                'canvas[role=img]').getAttribute('aria-label').startsWith({json.dumps(label + ":")}))
                .querySelector('output').textContent""")
            if text.startswith(f"{y}, {x}: "):
                break
            time.sleep(0.02)
        return text

    def saved(self, button, file):
        """Clicks a button and returns the bytes that it saves."""
        left, top, width, height = self.browser.run(f"""(() => {{
            const button = [...document.querySelectorAll('button')].find(button =>
                (button.getAttribute('aria-label') || button.textContent) === {json.dumps(button)});
            button.scrollIntoView({{block: 'center'}});
            const box = button.getBoundingClientRect();
            return [box.left, box.top, box.width, box.height]; }})()""")
        self.browser.press(left + width / 2, top + height / 2)
        return self.browser.downloaded(file)

    def saved_tensor(self, title, file):
        return np.load(io.BytesIO(self.saved(f"Save {title}, all channels, as .npy", f"{file}.npy")))

    def clean(self, *expected):
        """Checks that the console has only expected messages, and that no other host was asked."""
        said = [line for line in self.browser.said if not any(part in line for part in expected)]
        assert not said, f"the console: {said}"
        asked = {request["url"].split("/")[2] for request in self.browser.requests
                 if not request["url"].startswith(("data:", "blob:"))}
        assert asked == {self.server.url.split("/")[2]}, f"asked {asked}"


def until(holds, what, seconds=20):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
