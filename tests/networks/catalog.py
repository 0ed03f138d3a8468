"""Every network by its name: how it is written, the same in PyTorch, and with how many channels and at which sizes it
is tested. Without options of a test, a network has its real width.

It is written from the names and shapes of the module's tensors, by what writes the networks in checkpoints."""
from collections import namedtuple

import support  # noqa: F401: the path of tools/, which the others need

import convnext
import ddrnet
import drawn
import fast_scnn
import mobilenet_v2
import pidnet
import pspnet
import torch
import upernet

import networks.ddrnet
import networks.fast_scnn
import networks.pidnet
import networks.pspnet
import networks.upernet
from networks import mmseg, resnet
from networks.net import Given, Net

# write(net); module(**options); test: the options that make it small enough for a test
Network = namedtuple("Network", "write module options test sizes given", defaults=(Given(),))
SIZES = ((64, 96), (75, 61))  # one odd


def psp(depth, test, sizes=SIZES, write=networks.pspnet.semseg, **options):
    return Network(write, pspnet.PSPNet, {"depth": depth, **options}, test, sizes)


def plain(*stages):
    """-> what writes semseg's PSPNet with torchvision's stem"""
    def write(net):
        x = resnet.plain_stem(net, net.image("conv1"))
        networks.pspnet.semseg_head(net, resnet.stages(net, x, stages)[-1])
    return {"deep": False, "write": write}


DILATED = networks.pspnet.DILATED_ALIKE

NETWORKS = {
    "pspnet50": psp(50, {}, ((65, 97), (71, 59))),
    "pspnet50-plain-stem": psp(50, {"base": 16}, **plain(*DILATED)),
    "resnet18": psp(18, {"base": 32}, **plain(*DILATED)),
    "resnet34-stride32": psp(34, {"base": 32}, ((96, 160), (131, 97)), **plain((1,), (2,), (2,), (2,)), dilated=False),
    "resnet101": psp(101, {"base": 16}),
    "mobilenet-v2": Network(networks.pspnet.bubbliiiing, mobilenet_v2.MobileNetPSPNet, {}, {}, SIZES, Given(stride=8)),
    "fast-scnn": Network(networks.fast_scnn.tramac, fast_scnn.FastSCNN, {}, {}, ((128, 192), (149, 101))),
    "ddrnet23-slim": Network(networks.ddrnet.write, ddrnet.DDRNet, {}, {}, ((128, 256), (137, 203))),
    "pidnet-s": Network(networks.pidnet.write, pidnet.PIDNet, {}, {"base": 16, "spp": 32, "head": 32},
                        ((128, 192), (149, 101))),
    "upernet-resnet50": Network(mmseg.uper, upernet.UPerNet, {}, {"base": 16, "width": 64, "classes": 21},
                                ((96, 128), (103, 75))),
    "upernet-head": Network(networks.upernet.mmseg_head, upernet.HeadAlone, {},
                            {"base": 16, "width": 64, "classes": 21}, ((24, 32), (27, 19))),
    "convnext": Network(convnext.write, convnext.ConvNeXt, {}, {"base": 48}, SIZES),
}


def empty(name, is_test):
    """-> the network in PyTorch"""
    network = NETWORKS[name]
    return network.module(**{**network.options, **(network.test if is_test else {})}).eval()


def config_of(name, is_test=False):
    net = Net(empty(name, is_test).state_dict(), given=NETWORKS[name].given)
    NETWORKS[name].write(net)
    return {"name": name, **net.config()}


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
    module = empty(name, is_test)
    own = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    assert own.keys() == tensors.keys(), sorted(own.keys() ^ tensors.keys())
    module.load_state_dict({key: torch.from_numpy(tensors[key]).reshape(own[key].shape) for key in own}, strict=False)
    return module
