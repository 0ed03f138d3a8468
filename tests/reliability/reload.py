"""SIGHUP under load: with a bad configuration, model or weights file, the old one keeps serving, bit for
bit, and --check-config gives the same reason; a good one takes over without a lost request."""
import collections
import hashlib
import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import client
import harness

STEM = "listing1-pytorch-ppm"
CLIENTS = 4


class Load(threading.Thread):
    """Posts the same tensor repeatedly and counts the answers by digest."""

    def __init__(self, server, is_over):
        super().__init__(daemon=True)
        query, body = client.tensor(1, 4, 30, 30)
        self.request = client.request_bytes("POST", "/ppm" + query, body)
        self.server, self.is_over, self.digests = server, is_over, collections.Counter()

    def run(self):
        connection = self.server.connect()
        while not self.is_over.is_set():
            try:
                answer = client.exchange(connection, self.request)
                digest = hashlib.sha256(answer.body).hexdigest()
                self.digests[digest if answer.status == 200 else answer.status] += 1
            except (client.Lost, OSError) as error:
                self.digests[str(error)] += 1
                return


def spoil_weights(path, how):
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "not finite":  # the last value
        path.write_bytes(data[:-4] + b"\0\0\xc0\x7f")
    else:
        path.unlink()


def spoilt(folder):
    """Everything that can be wrong with a configuration, a model or its weights: names, and functions that
    cause it."""
    config, model = folder / "server.json", folder / f"{STEM}.json"

    def change(path, **changes):
        return lambda: path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    yield "config: no JSON", lambda: config.write_text("{")
    yield "config: unknown key", change(config, tread=1)
    yield "config: out of bounds", change(config, queue_max=0)
    yield "config: no such model", change(config, models=["nowhere.json"])
    yield "config: one model twice", change(config, models=2 * [str(model)])
    yield "model: no JSON", lambda: model.write_text("[" * 100000)
    yield "model: unknown key", change(model, bin=[1])
    yield "model: other channels", change(model, input={"channels": 5})
    yield "model: missing", model.unlink
    for how in ("truncated", "empty", "not finite", "missing"):
        yield f"weights: {how}", lambda how=how: spoil_weights(folder / f"{STEM}.safetensors", how)


def restore(folder):
    for suffix in ("json", "safetensors"):
        shutil.copy(harness.ROOT / f"configs/models/{STEM}.{suffix}", folder)
    (folder / "server.json").write_text(json.dumps({"models": [f"{folder}/{STEM}.json"],
                                                    "log_level": "warn"}))


def refusal(config):
    """The line with which --check-config refuses."""
    found = subprocess.run([harness.PROGRAM, "serve", "--check-config", "--config", config],
                           capture_output=True, text=True, timeout=60, cwd=harness.ROOT)
    lines = found.stderr.strip().splitlines()
    return lines[0].partition(": ")[2] if found.returncode == 2 and len(lines) == 1 else None


def hang_up(server, marker):
    """Sends SIGHUP and returns the log's next line with marker."""
    count = server.log().count(marker)
    server.process.send_signal(signal.SIGHUP)
    harness.wait_until(lambda: server.log().count(marker) > count, 20, marker)
    return [line for line in server.log().splitlines() if marker in line][-1]


def under_load(server, run):
    """Returns the answers during run()."""
    is_over = threading.Event()
    loads = [Load(server, is_over) for _ in range(CLIENTS)]
    for load in loads:
        load.start()
    try:
        run()
    finally:
        is_over.set()
        for load in loads:
            load.join(30)
    return sum((load.digests for load in loads), collections.Counter())


def test(report, is_full):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        restore(folder)
        with harness.Server("--config", f"{name}/server.json") as server:
            old = set(under_load(server, lambda: time.sleep(0.2)))

            def try_all():
                for what, spoil in spoilt(folder):
                    spoil()
                    reason = refusal(f"{name}/server.json")
                    line = hang_up(server, "not reloaded")
                    report.expect(reason is not None, f"{what}: --check-config refuses in one line")
                    report.expect(reason and reason in line, f"{what}: the log says the same")
                    restore(folder)

            for _ in range(10 if is_full else 1):
                digests = under_load(server, try_all)
                report.say(f"{sum(digests.values())} answers during bad reloads, "
                           f"{len(digests)} different")
                report.expect(len(old) == 1 and set(digests) == old,
                              "the old model keeps serving, bit for bit")

            def exchange_model():
                other = harness.write_model(name, "other", head=[])
                (folder / "server.json").write_text(json.dumps({"models": [other],
                                                                "log_level": "info"}))
                hang_up(server, "reloaded: 1 model,")

            digests = under_load(server, exchange_model)
            report.say(f"{sum(digests.values())} answers during a good one, {len(digests)} different")
            report.expect(all(len(str(digest)) == 64 for digest in digests),
                          "a good reload loses no request")
            new = under_load(server, lambda: time.sleep(0.2))
            report.expect(len(new) == 1 and set(new) != old, "a good reload takes over")
            report.expect(server.stop() == 0, "it drains")
