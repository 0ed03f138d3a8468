"""A photo in, a PNG of labels out, for bench/servers."""
import json
import os
from collections import namedtuple

import common
import live
from contenders import BENCH, ONNXRUNTIME, WORK, progress

SHARP = str(common.ROOT / os.environ.get("PPM_SHARP", "build/npm/sharp@0.33.5"))
PHOTO = common.ROOT / "configs/samples/street.jpg"
MODELS = common.ROOT / "configs/models"
DIFFERENT_MAX = 1e-3  # of the labels: JPEG decoders round differently, sums too
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}

# side: of the photo, and the network has random weights; None: the photo and the network that are shipped
Case = namedtuple("Case", "name side what")
CASES = [Case("street", None, "labels of a photo, the trained network that is shipped"),
         Case("pspnet50", 473, "labels of a photo, PSPNet-50 of semseg with random weights")]


def python(*arguments):
    return common.run(["/usr/bin/python3", *map(str, arguments)])


class Contest:
    """A network in every form, a photo and its labels, in a folder; and the servers to compare."""

    content_type = "image/jpeg"

    def __init__(self, case):
        self.case, self.folder = case, WORK / "photos" / case.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.body, self.model = self.photo(), self.write_model()
        self.target = "/ppm"
        self.image = json.loads(self.model.read_text(encoding="utf-8"))["input"]["image"]
        if not (self.folder / "model.onnx").exists():
            progress(f"{case.name}: exporting the model")
            python(BENCH / "photo_models.py", "write", self.model, self.body, self.folder)

    def photo(self):
        if not self.case.side:
            return PHOTO
        photo = self.folder / "photo.jpg"
        if not photo.exists():
            python(BENCH / "photo_models.py", "resize", PHOTO, self.case.side, photo)
        return photo

    def write_model(self):
        if not self.case.side:
            return MODELS / f"{self.case.name}.json"
        model = self.folder / f"{self.case.name}.json"
        if not model.exists():
            progress(f"{self.case.name}: making weights")
            python(common.ROOT / "tests/networks/write.py", self.case.name, self.folder, "--as", "argmax")
            config = json.loads(model.read_text(encoding="utf-8"))
            config["input"]["image"] = IMAGENET
            model.write_text(json.dumps(config), encoding="utf-8")
        return model

    def start_ours(self, address):
        return live.start_ours(self.model, address)

    def others(self, address):
        """-> the arguments that both other servers take after their model's file"""
        return [address.rpartition(":")[2], *(",".join(map(str, self.image[key])) for key in ("mean", "std"))]

    def start_aiohttp(self, address):
        return live.Server([BENCH / "photo_aiohttp.py", self.folder / "model.pt", *self.others(address)], address)

    def start_node(self, address):
        return live.Server(["node", BENCH / "photo_node.mjs", self.folder / "model.onnx", *self.others(address)],
                           address, ONNXRUNTIME=ONNXRUNTIME, SHARP=SHARP)

    def check(self, answers):
        """-> a note on how many labels differ: {server: PNG}"""
        for number, png in enumerate(answers.values()):
            (self.folder / f"{number}.png").write_bytes(png)
        found = json.loads(python(BENCH / "photo_models.py", "compare", self.folder,
                                  *(f"{number}.png" for number in range(len(answers)))))
        for name, share in zip(answers, found.values()):
            if not share <= DIFFERENT_MAX:
                raise SystemExit(f"{name}: {share:.1e} of the labels differ from PyTorch's, over {DIFFERENT_MAX:.0e}")
        shares = ", ".join(f"{name} {share:.0e}" for name, share in zip(answers, found.values()))
        return f"{self.body.name}; of the labels, these differ from PyTorch's: {shares}"
