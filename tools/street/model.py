"""A trained network as a model of ppm-server: its JSON and its weights as float16; and back."""
import pathlib
import sys

import network
import numpy as np
import torch
from canvas import CLASSES

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import safetensors_io  # noqa: E402
from exporting.files import as_json  # noqa: E402
from networks.net import Net  # noqa: E402


def entries(tensors):
    """The network's layers -> Net"""
    net = Net(tensors)

    def conv_relu(x, at, i=0, **options):
        return net.relu(net.conv_norm(x, f"{at}.{i}", f"{at}.{i + 1}", **options))

    x = net.layer("affine", net.input(3), scale=2, shift=-1)
    x = conv_relu(x, "stem", stride=2)
    x = conv_relu(x, "stem", 3, stride=2)
    net.name(x, "stem")
    for i, (_, stride, dilation) in enumerate(network.BLOCKS):
        at = f"blocks.{i}"
        y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1", stride=stride, dilation=dilation))
        y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", dilation=dilation)
        net.name(y, f"{at}.conv")
        if net.has(f"{at}.downsample.0.weight"):
            x = net.conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride=stride)
            net.name(x, f"{at}.downsample")
        x = net.relu(net.add(x, y))
        net.name(x, at)
    if net.has("ppm.branches.0.1.weight"):
        x = net.pyramid(x, network.BINS, lambda x, i: conv_relu(x, f"ppm.branches.{i}", 1))
        net.name(x, "ppm")
    net.conv(conv_relu(x, "cls"), "cls.4")
    net.output(size="input", upsample="align_corners")
    return net


def write(folder, name, trained):
    """Writes FOLDER/NAME.json and NAME.safetensors."""
    tensors = {key: value for key, value in trained.state_dict().items() if not key.endswith("num_batches_tracked")}
    net = entries(tensors)
    assert not net.unused(), net.unused()
    classes = [{"name": of, "color": list(color)} for of, color in CLASSES.items()]
    config = {"name": name, **net.config(), "classes": classes, "weights": {"file": f"{name}.safetensors"}}
    config["input"]["image"] = {"mean": [0, 0, 0], "std": [255, 255, 255]}
    config["output"]["as"] = "argmax"
    values = {key: (tuple(value.shape), value.numpy().ravel()) for key, value in tensors.items()}
    safetensors_io.save(folder / f"{name}.safetensors", values, "F16")
    (folder / f"{name}.json").write_text(as_json(config))


def load(path):
    """The network whose weights these are, in PyTorch, for path NAME.safetensors."""
    net = network.made(pathlib.Path(path).stem)
    tensors = {key: torch.from_numpy(np.array(values)).reshape(shape)
               for key, (shape, values) in safetensors_io.load(path).items()}
    left = net.load_state_dict(tensors, strict=False)
    assert not left.unexpected_keys and all(key.endswith("num_batches_tracked") for key in left.missing_keys), left
    return net.eval()
