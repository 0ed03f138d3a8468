"""A headless Chromium, driven through the DevTools protocol over a pipe (file descriptors 3 and 4)."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

WAIT_S = 20
FLAGS = ("--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-gpu",
         "--disable-dev-shm-usage", "--mute-audio", "--use-fake-device-for-media-stream",
         "--use-fake-ui-for-media-stream", "--force-color-profile=srgb", "--hide-scrollbars",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
NO_SANDBOX = ("--no-sandbox",) if os.getuid() == 0 else ()  # Chromium has no sandbox for root


class Browser:
    """A Chromium with one page. Keeps the page's requests, console messages and exceptions."""

    def __init__(self):
        self.program = next((path for name in ("chromium", "chromium-browser", "google-chrome")
                             if (path := shutil.which(name))), None)
        assert self.program, "no Chromium found: install Debian's package chromium"
        self.directory = tempfile.mkdtemp(prefix="ppm-page-")
        self.downloads = os.path.join(self.directory, "downloads")
        os.mkdir(self.downloads)
        commands, self.to = os.pipe()
        self.fro, answers = os.pipe()
        def place():
            """Duplicates them beyond 4 first, so that neither overwrites the other."""
            high = [os.dup(commands), os.dup(answers), os.dup(commands), os.dup(answers)]
            os.dup2(high[2], 3)
            os.dup2(high[3], 4)
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen(
            [self.program, *FLAGS, *NO_SANDBOX, f"--user-data-dir={self.directory}/profile", "about:blank"],
            preexec_fn=place, close_fds=False, stdout=self.log, stderr=self.log)
        os.close(commands)
        os.close(answers)
        self.buffer, self.number, self.answers = b"", 0, {}
        self.requests, self.said, self.fulfill = [], [], None
        self.session = None
        target = next(info for info in self.ask("Target.getTargets", session=None)["targetInfos"]
                      if info["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=target["targetId"],
                                flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
            self.ask(f"{domain}.enable")
        self.ask("Network.enable", maxPostDataSize=1 << 16)
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        self.ask("Browser.grantPermissions", session=None, permissions=["clipboardReadWrite",
                                                                        "clipboardSanitizedWrite"])
        self.ask("Browser.setDownloadBehavior", session=None, behavior="allow",
                 downloadPath=self.downloads)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- the protocol ----

    def send(self, method, session="page", **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session and self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        return self.number

    def ask(self, method, session="page", **parameters):
        number, end = self.send(method, session, **parameters), time.monotonic() + WAIT_S
        while number not in self.answers:
            self.read(end - time.monotonic())
        answer = self.answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def read(self, seconds):
        assert seconds > 0, "the browser does not answer"
        if not select.select([self.fro], [], [], seconds)[0]:
            return
        piece = os.read(self.fro, 1 << 20)
        assert piece, "the browser has ended"
        *messages, self.buffer = (self.buffer + piece).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.take(message["method"], message["params"])

    def take(self, event, told):
        if event == "Network.requestWillBeSent":
            self.requests.append(told["request"])
        elif event == "Fetch.requestPaused":
            self.send("Fetch.fulfillRequest", requestId=told["requestId"], **self.fulfill)
            self.send("Fetch.disable")
        elif event == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description") or details["text"])
        elif event == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.said.append(" ".join(str(value.get("value")) for value in told["args"]))
        elif event == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.said.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    # ---- the page ----

    def run(self, expression):
        """Returns the awaited value of JavaScript, which may do what a click may, such as save and copy."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True,
                          returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, expression, what=None):
        end = time.monotonic() + WAIT_S
        while not self.run(expression):
            assert time.monotonic() < end, f"{what or expression}: not within {WAIT_S} s"
            time.sleep(0.03)

    def open(self, url):
        self.ask("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def answer_next(self, pattern, status, body, **headers):
        """Answers the next request that matches, instead of the server."""
        headers = {"Content_Type": "application/problem+json", **headers}
        self.fulfill = {"responseCode": status, "body": base64.b64encode(body).decode(),
                       "responseHeaders": [{"name": name.replace("_", "-"), "value": value}
                                           for name, value in headers.items()]}
        self.ask("Fetch.enable", patterns=[{"urlPattern": pattern}])

    def size(self, width, height, scale=1, is_mobile=False):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=scale, mobile=is_mobile)

    def scheme(self, name):
        self.ask("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path, until="html"):
        """Takes a picture of the page down to the end of an element. Resizes the window to show all of it,
        since Chromium may not have drawn the rest."""
        self.size(*self.run(f"[innerWidth, Math.ceil(document.querySelector('{until}')"
                            ".getBoundingClientRect().bottom + scrollY), devicePixelRatio]"))
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def key(self, name, text="", modifiers=0):
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40, "Escape": 27, "Backspace": 8}
        code = codes.get(name) or ord(name.upper())
        text = text or {"Enter": "\r", " ": " "}.get(name, name if len(name) == 1 else "")
        common = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def move(self, x, y):
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1,
                     clickCount=1)

    def drop(self, *paths, x=300, y=300):
        """Drops files of this machine, as a user does."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def downloaded(self, name):
        """Returns the bytes of a download once it is complete."""
        path, end = os.path.join(self.downloads, name), time.monotonic() + WAIT_S
        while not os.path.exists(path):
            assert time.monotonic() < end, f"{name} was not downloaded: {os.listdir(self.downloads)}"
            time.sleep(0.03)
            self.run("0")
        with open(path, "rb") as file:
            data = file.read()
        os.remove(path)
        return data

    def controls(self):
        """[role, name] of everything that the keyboard can reach, as screen readers get it."""
        tree = self.ask("Accessibility.getFullAXTree")["nodes"]
        found = []
        for node in tree:
            properties = {item["name"]: item["value"].get("value") for item in node.get("properties", [])}
            if not node.get("ignored") and properties.get("focusable"):
                found.append([node["role"]["value"], node.get("name", {}).get("value", "")])
        return found
