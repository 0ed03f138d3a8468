"""Checkpoints that look like a known network and have one tensor of another shape, or lack it: each is refused by a
sentence, or the tensor does not matter."""
import random
from types import SimpleNamespace

import modules_csail
import modules_mmseg
import modules_pspnet
import modules_smp
import modules_streams
import modules_transformers
import pytest
from networks.kinds import recognize
from networks.net import Given

NETWORKS = {
    "semseg": modules_pspnet.Semseg, "lextal": lambda: modules_pspnet.lextal_resnet(18),
    "squeezenet": modules_pspnet.lextal_squeezenet, "densenet": modules_pspnet.lextal_densenet,
    "bubbliiiing": lambda: modules_pspnet.bubbliiiing_mobilenet(16), "smp": lambda: modules_smp.smp_resnet(34),
    "smp-densenet": modules_smp.smp_dense, "smp-vgg": lambda: modules_smp.smp_vgg(True),
    "smp-mobilenet": modules_smp.smp_mobilenet, "mmseg": lambda: modules_mmseg.pspnet(18, stem="d"),
    "mmseg-uper": lambda: modules_mmseg.upernet(18), "mmseg-fast-scnn": modules_mmseg.fast_scnn,
    "csail": modules_csail.mobilenet_ppm, "transformers": modules_transformers.upernet,
    "swin": modules_transformers.SwinUperNet, "fast-scnn": modules_streams.tramac, "ddrnet": modules_streams.DDRNet39,
    "pidnet": modules_streams.pidnet_s}
TRIES = 100


def changed(shape, draw):
    """-> another shape, or None for no tensor at all"""
    shape = list(shape)
    side = draw.randrange(len(shape)) if shape else 0
    choices = [None, (), (0,), (5,), shape + [2], [2] + shape, shape[::-1], shape[1:], [0] * len(shape)]
    if shape:
        choices += [[draw.choice((0, 1, 2, 3, 12, n + 1, 2 * n)) if i == side else n for i, n in enumerate(shape)]] * 3
    return draw.choice(choices)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_tensor_is_another(name):
    draw = random.Random(name)
    shapes = {(key.partition(".")[2] if name == "csail" else key): tuple(values.shape)
              for key, values in NETWORKS[name]().state_dict().items()}
    assert found(shapes)[0]
    for key in draw.choices(list(shapes), k=TRIES):
        shape = changed(shapes[key], draw)
        fit, nearest = found({other: tuple(shape if other == key else size) for other, size in shapes.items()
                              if other != key or shape is not None})
        assert fit or not nearest or nearest.problem
        if fit and key in fit.net.used:
            assert shape is not None and is_as_good(tuple(shape), shapes[key]), (key, shape)


def is_as_good(shape, other):
    """The same but for axes of 1; or a kernel of other sides, or of a depthwise convolution, which a shape tells."""
    is_kernel = len(shape) == 4 and shape[0] == other[0] and shape[1] in (1, other[1])
    return is_kernel or [n for n in shape if n != 1] == [n for n in other if n != 1]


def found(shapes):
    tensors = {key: SimpleNamespace(shape=shape, key=key, layout="OIHW") for key, shape in shapes.items()}
    return recognize(SimpleNamespace(path="c.pth", alternative=None, tensors=tensors), Given())
