#!/usr/bin/python3
"""usage: examples/pspnet.py [--side 473] [--image FILE] [--weights FILE.pth] [--output FILE.png]
                          [--url URL]

A whole PSPNet-50 in ppm-server, compared with the same network in PyTorch. Both label the image, and the
picture shows the labels in Pascal VOC's colors. "make example" runs it.

Without trained weights (a checkpoint of hszhao/semseg) the network is random, with norms fitted to the
image. Without your own image it uses a drawn one, and fits the last convolution to its labels
by least squares, so that the map shows something. tools/export.py converts the state_dict,
as it would anyone's. With --url it uses a running server that has the model (which is in --folder),
otherwise it starts one. Needs python3-torch, python3-numpy and python3-pil."""
import argparse
import contextlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import scene
import torch
from PIL import Image
from serving import served, timed
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "clients"), str(ROOT / "tools")]

import ppm_client  # noqa: E402
from checkpoints import ExportError, files  # noqa: E402

VOC_CLASSES = 21
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels
EQUAL_MIN = 0.9999  # of the pixels; rounding may break a tie between two classes


def conv_norm(channels, out, kernel=1, stride=1, dilation=1):
    padding = dilation * (kernel // 2)
    return (nn.Conv2d(channels, out, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(out))


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(channels, width)
        self.conv2, self.bn2 = conv_norm(width, width, 3, stride, dilation)
        self.conv3, self.bn3 = conv_norm(width, 4 * width)
        self.downsample = nn.Sequential(*conv_norm(channels, 4 * width, stride=stride)) \
            if channels != 4 * width else nn.Identity()

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def stage(channels, width, count, stride=1, dilation=1):
    blocks = [Bottleneck(channels, width, stride, dilation)]
    blocks += [Bottleneck(4 * width, width, 1, dilation) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


class PPM(nn.Module):
    def __init__(self, channels, reduction, bins):
        super().__init__()
        self.features = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_norm(channels, reduction), nn.ReLU())
            for b in bins)

    def forward(self, x):
        return torch.cat([x] + [F.interpolate(branch(x), x.shape[2:], mode="bilinear",
                                              align_corners=True) for branch in self.features], 1)


class PSPNet(nn.Module):
    """With semseg's names. The last two stages of ResNet-50 are dilated instead of strided,
    so a feature is 8 pixels wide."""

    def __init__(self, classes):
        super().__init__()
        self.layer0 = nn.Sequential(
            *conv_norm(3, 64, 3, stride=2), nn.ReLU(), *conv_norm(64, 64, 3), nn.ReLU(),
            *conv_norm(64, 128, 3), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1))
        self.layer1 = stage(128, 64, 3)
        self.layer2 = stage(256, 128, 4, stride=2)
        self.layer3 = stage(512, 256, 6, dilation=2)
        self.layer4 = stage(1024, 512, 3, dilation=4)
        self.ppm = PPM(2048, 512, (1, 2, 3, 6))
        self.cls = nn.Sequential(*conv_norm(4096, 512, 3), nn.ReLU(), nn.Dropout2d(0.1),
                                 nn.Conv2d(512, classes, 1))

    def stages(self):
        return self.layer0, self.layer1, self.layer2, self.layer3, self.layer4

    def backbone(self, x):
        for layers in self.stages():
            x = layers(x)
        return x

    def labels(self, x):
        """-> [H, W] the class of each pixel"""
        logits = self.cls(self.ppm(self.backbone(x)))
        return F.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=True).argmax(1)[0]


def randomize(network, image, labels):
    """He initialization, norms with the image's mean and variance, a classifier by least squares."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, Bottleneck):  # keeps a pixel stronger than its surroundings
            nn.init.constant_(module.bn3.weight, 0.3)
    for layers in (*network.stages(), network.cls[1]):
        layers.train()
    features = network.backbone(image)
    values = network.cls[:3](network.ppm(features))
    network.eval()
    if labels is None:
        return
    values = values[0].flatten(1).double().T
    rows, columns = (torch.linspace(0, n - 1, m).round().long()
                     for n, m in zip(labels.shape, features.shape[2:]))
    wanted = F.one_hot(labels[rows][:, columns].flatten().long(), VOC_CLASSES).double()
    values = torch.cat([values, torch.ones(len(values), 1)], 1)  # [pixels, 512 + 1]
    ridge = torch.eye(values.shape[1]) * 1e-3 * len(values)
    fitted = torch.linalg.solve(values.T @ values + ridge, values.T @ wanted).T.float()
    network.cls[4].weight.copy_(fitted[:, :-1, None, None])
    network.cls[4].bias.copy_(fitted[:, -1])


def trained(path):
    """-> the network with the weights of a checkpoint"""
    tensors = files.read(path).tensors
    weights = {name.removeprefix("module."): torch.from_numpy(tensor.read().copy())
               for name, tensor in tensors.items() if ".aux." not in f".{name}"}
    network = PSPNet(len(weights["cls.4.bias"]) if "cls.4.bias" in weights else VOC_CLASSES)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(f"{path}: not a PSPNet-50 from semseg: {reason}") from None
    return network


def export(network, folder):
    """The network's state_dict as a model of ppm-server, exported with tools/export.py."""
    checkpoint, model = folder / "pspnet.pth", folder / "pspnet.json"
    torch.save(network.state_dict(), checkpoint)
    command = [os.path.relpath(ROOT / "tools/export.py"), str(checkpoint), str(model), "--as", "argmax"]
    print("$", " ".join(command), flush=True)
    subprocess.run(command, check=True)
    return model


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=473, help="side of the drawn image, in pixels [473]")
    parser.add_argument("--image", type=pathlib.Path, help="to label instead of the drawn one")
    parser.add_argument("--weights", type=pathlib.Path, help="a checkpoint of hszhao/semseg's PSPNet-50")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=pathlib.Path,
                        default=pathlib.Path(os.path.relpath(ROOT / "build/example")))
    parser.add_argument("--output", type=pathlib.Path, help="the picture [FOLDER/pspnet.png]")
    parser.add_argument("--server", default=os.path.relpath(ROOT / "build/ppm-server"),
                        help="the program to start")
    parser.add_argument("--url", help="a running server")
    options = parser.parse_args()
    if options.side < 33:
        parser.error("--side: expected 33 or more")
    return options


def main():
    options = arguments()
    torch.manual_seed(options.seed)
    torch.set_grad_enabled(False)
    options.folder.mkdir(parents=True, exist_ok=True)
    labels = None
    if options.image:
        image = Image.open(options.image).convert("RGB")
    else:
        image, labels = scene.draw(options.side)
    x = (np.array(image) / 255 - MEAN) / DEVIATION
    x = torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None]

    network = (trained(options.weights) if options.weights else PSPNet(VOC_CLASSES)).eval()
    if not options.weights:
        randomize(network, x, None if labels is None else torch.from_numpy(labels))
    model = export(network, options.folder)

    theirs = timed("image to labels in PyTorch", network.labels, x).numpy()
    with (contextlib.nullcontext(options.url) if options.url else
          served(options.server, str(model))) as url, ppm_client.Client(url) as client:
        client.infer(x.numpy(), "pspnet")  # warmed up, like PyTorch's operators
        ours = timed("the same by ppm-server, over HTTP", client.infer, x.numpy(), "pspnet")
    ours = ours[0, 0]

    output = options.output or options.folder / "pspnet.png"
    scene.side_by_side(image, [theirs, ours], scene.voc_colors()).save(output, optimize=True)
    equal = (ours == theirs).mean()
    print(f"{output}: {len(np.unique(ours))} classes")
    print(f"equal labels: {equal:.4%} of {ours.size} pixels")
    raise SystemExit(0 if equal >= EQUAL_MIN else 1)


if __name__ == "__main__":
    try:
        main()
    except (ExportError, OSError, ppm_client.Error) as error:
        sys.exit(f"pspnet.py: {error}")
