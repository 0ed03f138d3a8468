"""Whole networks of mmsegmentation, CSAIL, transformers, Tramac, DDRNet and PIDNet: what is written from the names and
shapes of their tensors computes what the modules do."""
import copy
from types import SimpleNamespace

import modules_csail
import modules_mmseg
import modules_streams
import modules_transformers
import pytest
import torch
from networks.kinds import recognize
from networks.net import Given
from whole import difference, drawn, picture

from literal import Literal

SIZES = ((64, 96), (75, 61))  # one odd
LARGER = ((128, 192), (149, 101))  # for backbones of stride 64

torch.set_grad_enabled(False)


def maps(size, base=8):
    """As a backbone's stages are: each half as large as the one before it."""
    return [picture(f"{size}/{i}", 1, base << i, *(-(-n >> i) for n in size)) for i in range(4)]


NETWORKS = [
    ("mmseg-psp", lambda: modules_mmseg.pspnet(50), SIZES),
    ("mmseg-psp", lambda: modules_mmseg.pspnet(18, stem="d"), SIZES),
    ("mmseg-psp", lambda: modules_mmseg.pspnet(18, stem="b", norm=None), SIZES),
    ("mmseg-uper", lambda: modules_mmseg.upernet(50), SIZES),
    ("mmseg-uper-convnext", modules_transformers.mmseg_upernet, SIZES),
    ("mmseg-fast-scnn", modules_mmseg.fast_scnn, SIZES),
    ("mmseg-fast-scnn", lambda: modules_mmseg.fast_scnn(is_new=False), SIZES),
    ("csail-ppm", lambda: modules_csail.ppm(50), SIZES),
    ("csail-ppm", lambda: modules_csail.ppm(18, is_supervised=False), SIZES),
    ("csail-ppm", modules_csail.mobilenet_ppm, SIZES),
    ("csail-uper", lambda: modules_csail.upernet(50), SIZES),
    ("huggingface-uper-convnext", modules_transformers.upernet, SIZES),
    ("huggingface-uper-head", modules_transformers.SwinUperNet, ((24, 32), (27, 19))),
    ("fast-scnn", modules_streams.tramac, LARGER),
    ("ddrnet", modules_streams.ddrnet23, LARGER),
    ("ddrnet", modules_streams.DDRNet39, LARGER),
    ("pidnet", modules_streams.pidnet_s, LARGER),
    ("pidnet", modules_streams.pidnet_l, LARGER),
]


@pytest.mark.parametrize("kind, make, sizes", NETWORKS, ids=[kind for kind, *_ in NETWORKS])
def test_network(kind, make, sizes):
    def inputs(size):
        return maps(size) if kind.endswith("-head") else [picture(f"{size}", 1, 3, *size)]

    module = drawn(make(), *inputs(sizes[0]))
    tensors = {}
    for name, values in module.state_dict().items():  # CSAIL's two files have no such beginnings
        tensors[name.partition(".")[2] if kind.startswith("csail") else name] = values
    checkpoint = SimpleNamespace(path="c.pth", alternative=None, tensors={
        name: SimpleNamespace(shape=values.shape, key=name, layout="OIHW") for name, values in tensors.items()})
    fit, nearest = recognize(checkpoint, Given())
    assert fit, nearest and (nearest.kind.name, nearest.problem)
    assert fit.kind.name == kind
    weights = {key: tensors[source.name].numpy().reshape(source.shape) for key, source in fit.net.sources.items()}
    for size in sizes:
        x = inputs(size)
        want = copy.deepcopy(module).double()(*(v.double() for v in x)).numpy()
        got = Literal(fit.net.config(), weights)(dict(zip(fit.net.inputs, x))).numpy()
        assert difference(got, want) < 1e-13
