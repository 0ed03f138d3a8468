"""Other programs that compute the same: models for them, and their processes."""
import json
import os
import pathlib
import subprocess
import sys

import common
import random_weights
import safetensors_io

WORK = pathlib.Path(os.environ.get("PPM_PEERS", common.ROOT / "build/peers"))
ONNXRUNTIME = str(common.ROOT / os.environ.get("PPM_ONNXRUNTIME", "build/npm/onnxruntime-node@1.30.0"))
BENCH = common.ROOT / "bench"


def progress(text):
    print(f"  {text}", file=sys.stderr, flush=True)


class Peer:
    """A process that answers each line with a line of JSON, and waits in between."""

    def __init__(self, command, **environment):
        self.name = command[-1]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, cwd=common.ROOT,
                                        env={**os.environ, **environment})

    def ask(self, *words):
        try:
            print(*words, file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"{self.name} died of: {' '.join(map(str, words))}")
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def start_pytorch():
    return Peer(["/usr/bin/python3", str(BENCH / "peer_pytorch.py")])


def start_onnxruntime():
    return Peer(["node", str(BENCH / "peer_onnxruntime.mjs")], ONNXRUNTIME=ONNXRUNTIME)


def write_model(case):
    """-> the case's model with its weights in a file, made once, which all contenders read."""
    source = common.ROOT / case.model
    folder = WORK / case.name
    model, weights = folder / "model.json", folder / "model.safetensors"
    config = json.loads(source.read_text())
    config["weights"] = {"file": weights.name}
    text = json.dumps(config, indent=1)
    if not model.exists() or model.read_text() != text:
        progress(f"{case.name}: making weights")
        folder.mkdir(parents=True, exist_ok=True)
        safetensors_io.save(weights, random_weights.weights(config, case.name))
        model.write_text(text)
    return model
