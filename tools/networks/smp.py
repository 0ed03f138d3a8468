"""segmentation_models_pytorch's PSPNet over the encoders of torchvision.

An encoder has all stages whatever its depth is; the pyramid's channels tell the depth, where 3 goes first.
"""
from . import Unfit, densenet, mobilenet_v2, resnet
from .pspnet import BINS

AT = "encoder.features"
VGG_END = 53  # of the deepest one's features, VGG-19 with norms


def pspnet(net):
    net.skip("classification_head.")
    x = encoder_of(net)(net)
    net.part = "head"

    def conv_relu(x, at):
        has_norm = net.has(f"{at}.1.weight")
        x = net.conv(x, f"{at}.0", kernel=1, bias=not has_norm)
        return net.relu(net.norm(x, f"{at}.1") if has_norm else x)

    x = net.pyramid(x, BINS, lambda x, i: conv_relu(x, f"decoder.psp.blocks.{i}.pool.1"),
                    net.count("decoder.psp.blocks.{i}.pool.1.0.weight"), concat="input_last")
    net.conv(conv_relu(x, "decoder.conv"), "segmentation_head.0", kernel=3, bias=True)
    net.output(scale=8, upsample="align_corners")


def encoder_of(net):
    if net.has(f"{AT}.0.0.weight"):
        return mobilenet
    if net.has(f"{AT}.denseblock1.denselayer1.conv1.weight"):
        return dense
    return vgg if net.has(f"{AT}.0.weight") else residual


def depth_of(net, channels):
    """channels: {depth: those of the encoder's map}"""
    wanted = net.conv_shape("decoder.psp.blocks.0.pool.1.0")[1]
    depth = next((depth for depth, count in channels.items() if count == wanted and net.given.depth in (None, depth)),
                 None)
    if not depth and wanted in channels.values():
        raise Unfit(f"has a pyramid of {wanted} channels, which are not those of depth {net.given.depth}")
    if not depth:
        raise Unfit(f"has a pyramid of {wanted} channels, where the maps of its encoder have "
                    + ", ".join(map(str, channels.values())))
    net.note("depth", depth)
    return depth


def residual(net):
    x, last = net.image("encoder.conv1"), {}
    for i in range(2, 5):
        conv = "conv3" if net.has(f"encoder.layer{i}.0.conv3.weight") else "conv2"
        last[i + 1] = net.conv_shape(f"encoder.layer{i}.0.{conv}")[0]
    depth = depth_of(net, last)
    net.skip(*(f"encoder.layer{i}." for i in range(depth, 5)))
    x = resnet.plain_stem(net, x, "encoder.")
    return resnet.stages(net, x, ((1,), (2,), (2,), (2,))[:depth - 1], "encoder.")[-1]


def mobilenet(net):
    x, ends = net.image(f"{AT}.0.0"), {3: 7, 4: 14, 5: 19}
    depth = depth_of(net, {3: net.conv_shape(f"{AT}.6.conv.2")[0], 4: net.conv_shape(f"{AT}.13.conv.2")[0],
                           5: net.conv_shape(f"{AT}.18.0")[0]})
    net.skip(*(f"{AT}.{i}." for i in range(ends[depth], 19)))
    x = mobilenet_v2.features(net, x, AT, min(18, ends[depth]))
    return mobilenet_v2.convolution(net, x, (f"{AT}.18.0", f"{AT}.18.1")) if depth == 5 else x


def dense(net):
    """Its maps are taken behind the norm of a transition, before its convolution and pool."""
    x, last = net.image(f"{AT}.conv0"), {3: "transition2.norm", 4: "transition3.norm", 5: "norm5"}
    depth = depth_of(net, {depth: net.dimension(f"{AT}.{norm}.weight", 0) for depth, norm in last.items()})
    net.skip(f"{AT}.transition{depth - 1}.conv.", *(f"{AT}.{part}{i}." for i in range(depth, 5)
                                                    for part in ("denseblock", "transition")))
    net.skip(*([f"{AT}.norm5."] if depth < 5 else []))
    x = net.relu(net.conv_norm(x, f"{AT}.conv0", f"{AT}.norm0", kernel=7, stride=2))
    x = resnet.pooled(net, x)
    for i in range(1, depth):
        if i > 1:
            x = net.layer("avg_pool", net.conv(x, f"{AT}.transition{i - 1}.conv", kernel=1, bias=False), window=2)
        x = densenet.block(net, x, f"{AT}.denseblock{i}")
        x = net.norm(x, f"{AT}.transition{i}.norm" if i < 4 else f"{AT}.norm5")
        x = net.relu(x) if i < 4 else x
    return x


def vgg(net):
    """Its maps are taken before each pool, where the numbers of its layers have a gap; the last one after it."""
    x, i, pools, depth = net.image(f"{AT}.0"), 0, 0, net.given.depth or 3
    while pools < 5:
        has_norm = net.has(f"{AT}.{i + 1}.running_mean")
        x = net.conv(x, f"{AT}.{i}", kernel=3, bias=True)
        x = net.relu(net.norm(x, f"{AT}.{i + 1}") if has_norm else x)
        i += 3 if has_norm else 2
        if net.has(f"{AT}.{i}.weight"):
            continue
        if pools == depth:
            break
        x, i, pools = net.layer("max_pool", x, window=2), i + 1, pools + 1
    depth_of(net, {depth: x.channels})
    net.skip(*(f"{AT}.{later}." for later in range(i, VGG_END)))
    return x
