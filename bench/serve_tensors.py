"""A tensor in, the answer's tensor out, for bench/servers."""
import array

import common
import live
from contenders import BENCH, ONNXRUNTIME, progress, start_pytorch, write_model

TOLERANCE = 1e-4  # of the largest magnitude in the answer of PyTorch's eager module
# PyTorch's optimize_for_inference is faster only here: 1.6 ms instead of 2.5 (A: 355 instead of 110 ms)
OPTIMIZED_CASES = {"D"}
CASES = live.CASES


class Contest:
    """A case's model in every form, an input and its answer, in a folder; and the servers to compare."""

    content_type = "application/octet-stream"

    def __init__(self, case):
        self.case, self.folder = case, write_model(case).parent
        self.target, self.body = live.target(case), self.folder / "x.f32"
        if not (self.folder / "model.pt").exists():
            progress(f"{case.name}: exporting the model")
            pytorch = start_pytorch()
            pytorch.ask("export", self.folder / "model.json", common.shape_text(case.shape, ","), self.folder)
            pytorch.close()

    def start_ours(self, address):
        return live.start_ours(self.folder / "model.json", address)

    def start_aiohttp(self, address):
        flags = ["--optimize"] if self.case.name in OPTIMIZED_CASES else []
        return live.Server([BENCH / "server_aiohttp.py", self.folder / "model.pt",
                            address.rpartition(":")[2], *flags], address)

    def start_node(self, address):
        port = address.rpartition(":")[2]
        return live.Server(["node", BENCH / "server_node.mjs", self.folder / "model.onnx", port], address,
                           ONNXRUNTIME=ONNXRUNTIME)

    def check(self, answers):
        """-> a note on how far apart the answers are: {server: bytes}"""
        differences = (f"{name} {self.difference(name, answer):.0e}" for name, answer in answers.items())
        return (f"x {common.shape_text(self.case.shape)}, {self.case.model}; answers differ from PyTorch's by, of the "
                f"largest value: {', '.join(differences)}")

    def difference(self, name, answer):
        want, got = array.array("f"), array.array("f")
        want.frombytes((self.folder / "y.f32").read_bytes())
        got.frombytes(answer)
        largest = max(map(abs, want))
        if len(got) != len(want):
            raise SystemExit(f"{name} answers {len(got)} values, not {len(want)}")
        difference = max(abs(a - b) for a, b in zip(got, want)) / largest
        if not difference <= TOLERANCE:
            raise SystemExit(f"{name} differs from PyTorch by {difference:.1e} of the largest value, "
                             f"over {TOLERANCE:.0e}")
        return difference
