#!/usr/bin/python3
"""Writes the golden cases of images, tests/images/golden/.

usage: tests/images/golden_images.py [--out FOLDER]

resize/NAME.HxW.ppm is resize/NAME.ppm as Pillow resizes it; street/MODEL.pgm has the labels of street/image.ppm,
configs/samples/street.jpg as Pillow decodes it. CASE/ is a model, an image and its answer:
{config.json,weights.safetensors,image.ppm,x.npy,y.npy}, where x is what the network reads of an image that it computes
at once, and y, by its size, what was asked for. Pixels are resized by Pillow, the rest is NumPy's and PyTorch's in
float64: tools/networks/literal.py computes the network, and nothing here is shared with the server. Everything is seeded
by the case's name. Made with Pillow 9.4.0, NumPy 1.24.2 and PyTorch 1.13.0, as in Debian 12.
"""
import argparse
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/networks"), str(ROOT / "tools")]

import drawn  # noqa: E402
from support import model_text, write_weights  # noqa: E402

from networks.literal import Literal  # noqa: E402

IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}
UNIT = {"mean": [0, 0, 0], "std": [255, 255, 255]}
UNEVEN = {"mean": [104, 117, 123.5], "std": [1.5, 57, 255]}

# name: ((H, W) of the image, image, output, (H, W) that is asked for or None, what differs from the model below)
CASES = {
    "own-argmax": ((37, 53), IMAGENET, {"as": "argmax"}, None, {}),
    "own-softmax-bgr": ((20, 33), {**UNEVEN, "order": "BGR"}, {"as": "softmax"}, None, {}),
    "own-values-nhwc": ((19, 8), {**UNIT, "order": "RGB"}, {"upsample": "half_pixel"}, None, {"layout": "NHWC"}),
    "own-wanted": ((37, 53), UNIT, {"as": "softmax"}, (20, 91), {}),
    "own-scaled-output": ((16, 24), UNIT, {"scale": 8, "as": "argmax"}, None, {}),
    "own-multiple": ((37, 53), IMAGENET | {"multiple": 16}, {"as": "softmax"}, None, {}),
    "own-multiple-one-side": ((32, 41), IMAGENET | {"multiple": 16}, {"as": "argmax"}, None, {}),
    "own-multiple-half-pixel": ((37, 53), IMAGENET | {"multiple": 32}, {"upsample": "half_pixel"}, None, {}),
    "own-multiple-asymmetric": ((37, 53), IMAGENET | {"multiple": 32}, {"upsample": "asymmetric"}, None, {}),
    "own-multiple-wanted": ((37, 53), IMAGENET | {"multiple": 32}, {"as": "softmax"}, (50, 21), {}),
    "own-multiple-wanted-half-pixel": ((21, 30), IMAGENET | {"multiple": 32}, {"upsample": "half_pixel"}, (60, 77),
                                       {"layout": "NHWC"}),
    "own-one-pixel": ((1, 1), IMAGENET, {"as": "softmax"}, None, {}),
    "own-one-pixel-multiple": ((1, 1), IMAGENET | {"multiple": 8}, {"as": "softmax"}, None, {}),
    "own-one-row": ((1, 70), UNIT | {"multiple": 8}, {"as": "softmax"}, None, {}),
    "own-threshold": ((37, 53), IMAGENET, {"as": "sigmoid", "threshold": 0.4}, None, {"classes": 1}),
    "resize-down": ((90, 61), IMAGENET | {"fit": "resize", "size": [32, 24]}, {"as": "softmax"}, None, {}),
    "resize-up": ((9, 14), UNIT | {"fit": "resize", "size": 33}, {"as": "argmax"}, None, {}),
    "resize-wanted": ((90, 61), UNIT | {"fit": "resize", "size": 32}, {"upsample": "half_pixel"}, (45, 33), {}),
    "resize-longest-side": ((47, 90), UNIT | {"fit": "resize", "longest_side": 40}, {"as": "softmax"}, None, {}),
    "resize-longest-side-tall": ((91, 46), UNIT | {"fit": "resize", "longest_side": 30, "multiple": 16},
                                 {"as": "softmax"}, None, {}),
    "resize-longest-side-row": ((1, 300), UNIT | {"fit": "resize", "longest_side": 16}, {}, None, {}),
    "resize-bgr-nhwc": ((31, 17), UNEVEN | {"order": "BGR", "fit": "resize", "size": [16, 20], "multiple": 8},
                        {"upsample": "half_pixel"}, (31, 40), {"layout": "NHWC"}),
    "tiles-argmax": ((61, 75), IMAGENET | {"fit": "tiles", "size": 32, "overlap": 10}, {"as": "argmax"}, None, {}),
    "tiles-softmax": ((61, 75), UNIT | {"fit": "tiles", "size": [24, 32]}, {"as": "softmax"}, None, {}),
    "tiles-softmax-nhwc": ((40, 43), UNIT | {"fit": "tiles", "size": 16, "overlap": [13, 0]}, {"as": "softmax"}, None,
                           {"layout": "NHWC"}),
    "tiles-values": ((33, 64), UNIT | {"fit": "tiles", "size": 32, "overlap": 3}, {"upsample": "half_pixel"}, None, {}),
    "tiles-sigmoid": ((40, 40), UNIT | {"fit": "tiles", "size": 17, "overlap": 16}, {"as": "sigmoid"}, None, {}),
    "tiles-threshold": ((50, 40), UNIT | {"fit": "tiles", "size": 24, "overlap": 8},
                        {"as": "sigmoid", "threshold": 0.45}, None, {"classes": 1}),
    "tiles-thresholds-nhwc": ((50, 40), UNIT | {"fit": "tiles", "size": 24, "overlap": 8},
                              {"as": "sigmoid", "threshold": 0.55}, None, {"layout": "NHWC"}),
    "tiles-low": ((13, 70), IMAGENET | {"fit": "tiles", "size": 32, "overlap": 8}, {"as": "softmax"}, None, {}),
    "tiles-narrow": ((70, 1), IMAGENET | {"fit": "tiles", "size": 32, "overlap": 8}, {"as": "softmax"}, None, {}),
    "tiles-one": ((21, 32), IMAGENET | {"fit": "tiles", "size": 32, "overlap": 8}, {"as": "softmax"}, None, {}),
    "tiles-wanted-larger": ((50, 61), UNIT | {"fit": "tiles", "size": 24, "overlap": 5}, {"as": "softmax"}, (83, 70),
                            {}),
    "tiles-wanted-smaller": ((50, 61), UNIT | {"fit": "tiles", "size": 24, "overlap": 5},
                             {"as": "softmax", "upsample": "half_pixel"}, (11, 150), {"layout": "NHWC"}),
    "tiles-wanted-labels": ((50, 61), UNIT | {"fit": "tiles", "size": [17, 30]}, {"as": "argmax"}, (101, 35), {}),
}
# name of an image: (its size, the sizes it becomes)
RESIZED = {"noise": ((37, 53), [(20, 91), (74, 106), (1, 1), (5, 53), (37, 7), (36, 52), (300, 2)]),
           "pixel": ((1, 1), [(3, 5), (1, 1)]), "row": ((1, 64), [(2, 9), (1, 63), (1, 200)]),
           "column": ((200, 3), [(7, 7), (199, 3)]), "white": ((2, 3000), [(1, 1), (2, 7)]),
           "edges": ((64, 64), [(23, 23), (63, 65), (90, 100)])}


def picture(name, h, w):
    """-> [h, w, 3] of bytes"""
    if name == "white":
        return np.full((h, w, 3), 255, np.uint8)
    if name == "edges":
        return np.uint8(255 * (np.indices((h, w)).sum(0) // 3 % 2))[..., None].repeat(3, 2)
    x = drawn.picture(name, 1, 3, h, w)[0].permute(1, 2, 0).numpy()
    return np.uint8(np.clip(128 + 70 * x, 0, 255))


def model(name):
    """-> the model's JSON"""
    (_, _), image, output, _, more = CASES[name]
    layout = {"layout": more["layout"]} if "layout" in more else {}
    relu = lambda weights, **conv: [{"conv": {"bias": False, "weights": weights, **conv}},  # noqa: E731
                                    {"batch_norm": {"weights": f"{weights}.norm"}}, "relu"]
    return {"name": f"image-{name}", "input": {"channels": 3, **layout, "image": image},
            "network": [*relu("stem", channels=8, kernel=3, stride=2, padding=1),
                        {"pyramid": {"bins": [1, 2], "branch": [{"conv": {"channels": 4, "weights": "branch.{i}"}}]}},
                        {"conv": {"channels": more.get("classes", 5), "kernel": 3, "padding": 1, "weights": "last"}}],
            "output": output, "weights": {"file": "weights.safetensors"}}


def normalized(pixels, image):
    """-> x [1, 3, H, W] in float32"""
    x = torch.from_numpy(pixels[..., ::-1 if image.get("order") == "BGR" else 1].copy()).permute(2, 0, 1)[None].float()
    return x.sub(torch.tensor(image["mean"])[:, None, None]).div(torch.tensor(image["std"])[:, None, None])


def resized(pixels, image):
    h, w = pixels.shape[:2]
    if image.get("fit") != "resize":
        return pixels
    if "longest_side" in image:
        ratio = image["longest_side"] / max(h, w)
        size = [max(1, int(n * ratio + 0.5)) for n in (h, w)]
    else:
        size = np.broadcast_to(image["size"], 2).tolist()
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.BILINEAR))


def points(mode, wanted, covered, whole):
    """-> where, on an axis of `whole` pixels, `wanted` points over its first `covered` ones are"""
    i = torch.arange(wanted, dtype=torch.float64)
    if mode == "align_corners":
        at = i * (covered - 1) / max(wanted - 1, 1)
    else:
        at = (i + 0.5) * covered / wanted - 0.5 if mode == "half_pixel" else i * covered / wanted
    return at.clamp(0, covered - 1)


def read_at(logits, mode, wanted, covered, whole):
    """Logits stretched to `whole`, read at points between its pixels: by PyTorch's grid_sample."""
    axes = []
    for n, *sizes in zip(logits.shape[2:], wanted, covered, whole):
        at = points(mode, *sizes)
        if mode == "align_corners":
            at = at * (n - 1) / max(sizes[2] - 1, 1)
        else:
            at = (at + 0.5) * n / sizes[2] - 0.5 if mode == "half_pixel" else at * n / sizes[2]
        axes.append(2 * at.clamp(0, n - 1) / max(n - 1, 1) - 1)
    rows, columns = torch.meshgrid(*axes, indexing="ij")
    return F.grid_sample(logits, torch.stack([columns, rows], -1)[None], padding_mode="border", align_corners=True)


def finished(y, output):
    return Literal.output(y, None, **{key: value for key, value in output.items() if key in ("as", "threshold")})


def soft(y, output):
    return finished(y, {"as": {"argmax": "softmax"}.get(output.get("as"), output.get("as", "values"))})


def decided(y, output):
    if output.get("as") == "argmax":
        return y.argmax(1, keepdim=True).to(torch.int32)
    return (y > output["threshold"]).to(torch.int32) if "threshold" in output else y


def pad(x, h, w):
    return F.pad(x, (0, w - x.shape[3], 0, h - x.shape[2]))


def whole(net, pixels, image, output, wanted):
    """-> (x, y)"""
    small = resized(pixels, image)
    covered, multiple = small.shape[:2], image.get("multiple", 1)
    size = [-(-n // multiple) * multiple for n in covered]
    if image.get("fit") == "tiles":
        size = np.broadcast_to(image["size"], 2).tolist()
    x = pad(normalized(small, image), *size)
    mode = output.get("upsample", "align_corners")
    return x, finished(read_at(net(x.double()), mode, wanted, covered, size), output)


def starts(extent, tile, overlap):
    """As semseg's scale_process has it."""
    stride = tile - overlap
    count = int(np.ceil(max(extent - tile, 0) / stride)) + 1
    return [min(i * stride, max(extent - tile, 0)) for i in range(count)]


def tiled(net, pixels, image, output, wanted):
    """-> y"""
    tile = np.broadcast_to(image["size"], 2).tolist()
    overlap = np.broadcast_to(image.get("overlap", [n // 3 for n in tile]), 2).tolist()
    mode = output.get("upsample", "align_corners")
    x, sums, counts = normalized(pixels, image), 0, 0
    h, w = pixels.shape[:2]
    for top in starts(h, tile[0], overlap[0]):
        for left in starts(w, tile[1], overlap[1]):
            part = x[..., top:top + tile[0], left:left + tile[1]]
            logits = net(pad(part, *tile).double())
            y = soft(read_at(logits, mode, tile, tile, tile), output)[..., :part.shape[2], :part.shape[3]]
            around = (left, w - left - part.shape[3], top, h - top - part.shape[2])
            sums, counts = sums + F.pad(y, around), counts + F.pad(torch.ones_like(y), around)
    return decided(read_at(sums / counts, mode, wanted, (h, w), (h, w)), output)


def is_tiled(image, size):
    return image.get("fit") == "tiles" and any(np.array(size) > image["size"])


def write_case(folder, name):
    size, image, output, wanted, more = CASES[name]
    folder.mkdir(parents=True, exist_ok=True)
    pixels, config = picture(name, *size), model(name)
    logits = {**config, "output": {}}
    some = normalized(pixels, image)
    tensors = drawn.draw(logits, name, {"x": pad(some, *(max(n, 16) for n in size))})
    net = lambda x: Literal(logits, tensors)({"x": x})  # noqa: E731
    turned = lambda y: y.permute(0, 2, 3, 1) if more.get("layout") == "NHWC" else y  # noqa: E731
    Image.fromarray(pixels).save(folder / "image.ppm")
    (folder / "config.json").write_text(model_text(config))
    write_weights(folder / "weights.safetensors", tensors)
    if is_tiled(image, size):
        y = tiled(net, pixels, image, output, wanted or size)
    else:
        x, y = whole(net, pixels, image, output, wanted or size)
        np.save(folder / "x.npy", turned(x).numpy())
    np.save(folder / "y.npy", turned(y).numpy() if y.dtype == torch.int32 else turned(y).float().numpy())


def write_resized(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (size, sizes) in RESIZED.items():
        image = Image.fromarray(picture(name, *size))
        image.save(folder / f"{name}.ppm")
        for h, w in sizes:
            image.resize((w, h), Image.BILINEAR).save(folder / f"{name}.{h}x{w}.ppm")


def write_street(folder):
    """The sample's labels, by the two networks that are trained on such pictures."""
    sys.path.insert(0, str(ROOT / "tools/street"))
    import model as street
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.open(ROOT / "configs/samples/street.jpg").convert("RGB")
    image.save(folder / "image.ppm")
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].double() / 255
    for name in ("street", "street-without-pyramid"):
        labels = street.load(ROOT / f"configs/models/{name}.safetensors").double()(x).argmax(1)[0]
        Image.fromarray(labels.numpy().astype(np.uint8)).save(folder / f"{name}.pgm")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/images/golden")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    write_resized(args.out / "resize")
    write_street(args.out / "street")
    for name in CASES:
        write_case(args.out / name, name)
    stale = sorted(folder.name for folder in args.out.glob("*/") if folder.name not in {"resize", "street", *CASES})
    if stale:
        raise SystemExit(f"{args.out}: no longer in the table, remove: {' '.join(stale)}")


if __name__ == "__main__":
    main()
