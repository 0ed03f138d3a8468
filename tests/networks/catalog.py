"""Every network by its name: how it is written, the same in PyTorch, and with how many channels and at which sizes it
is tested. Without options of a test, a network has its real width."""
from collections import namedtuple

import convnext
import ddrnet
import drawn
import fast_scnn
import mobilenet_v2
import pidnet
import pspnet
import torch
import upernet

# write(name, **options) -> its JSON; module(**options); test: the options that make it small enough for a test
Network = namedtuple("Network", "write module options test sizes")
SIZES = ((64, 96), (75, 61))  # one odd


def psp(depth, test, sizes=SIZES, **options):
    return Network(pspnet.write, pspnet.PSPNet, {"depth": depth, **options}, test, sizes)


NETWORKS = {
    "pspnet50": psp(50, {}, ((65, 97), (71, 59))),
    "pspnet50-plain-stem": psp(50, {"base": 16}, deep=False),
    "resnet18": psp(18, {"base": 32}, deep=False),
    "resnet34-stride32": psp(34, {"base": 32}, ((96, 160), (131, 97)), deep=False, dilated=False),
    "resnet101": psp(101, {"base": 16}),
    "mobilenet-v2": Network(mobilenet_v2.write, mobilenet_v2.MobileNetPSPNet, {}, {}, SIZES),
    "fast-scnn": Network(fast_scnn.write, fast_scnn.FastSCNN, {}, {}, ((128, 192), (149, 101))),
    "ddrnet23-slim": Network(ddrnet.write, ddrnet.DDRNet, {}, {}, ((128, 256), (137, 203))),
    "pidnet-s": Network(pidnet.write, pidnet.PIDNet, {}, {"base": 16, "spp": 32, "head": 32}, ((128, 192), (149, 101))),
    "upernet-resnet50": Network(upernet.write, upernet.UPerNet, {}, {"base": 16, "width": 64, "classes": 21},
                                ((96, 128), (103, 75))),
    "upernet-head": Network(upernet.write_head, upernet.HeadAlone, {}, {"base": 16, "width": 64, "classes": 21},
                            ((24, 32), (27, 19))),
    "convnext": Network(convnext.write, convnext.ConvNeXt, {}, {"base": 48}, SIZES),
}


def config_of(name, is_test=False):
    network = NETWORKS[name]
    return network.write(name, **{**network.options, **(network.test if is_test else {})})


def pictures(config, seed, count, size):
    """-> {name: tensor} for each input, each half as large as the one before it, as a backbone's stages are"""
    inputs = config.get("inputs") or {"x": config["input"]}
    return {key: drawn.picture(f"{seed}/{key}", count, given["channels"], *(-(-n // 2 ** i) for n in size))
            for i, (key, given) in enumerate(inputs.items())}


def made(name, is_test=False):
    """-> (its JSON without a weights file, {tensor: array}), with random weights"""
    config = config_of(name, is_test)
    inputs = pictures(config, name, 2, NETWORKS[name].sizes[0])
    tensors = drawn.draw(config, name, inputs)
    drawn.center(config, tensors, inputs)
    return config, tensors


def module_of(name, tensors, is_test=False):
    """-> the network in PyTorch with these weights"""
    network = NETWORKS[name]
    module = network.module(**{**network.options, **(network.test if is_test else {})}).eval()
    own = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert own.keys() == tensors.keys(), sorted(own.keys() ^ tensors.keys())
    module.load_state_dict({key: torch.from_numpy(tensors[key]).reshape(own[key].shape) for key in own}, strict=False)
    return module
