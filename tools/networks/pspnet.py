"""PSPNets (Zhao et al., Pyramid Scene Parsing Network, 2017) in PyTorch, as their repositories define them."""
from . import Unfit, densenet, mobilenet_v2, resnet, squeezenet

BINS = (1, 2, 3, 6)

# (stride, dilation of the first block, of the others) of each stage of a ResNet
DILATED_ALIKE = ((1,), (2,), (1, 2, 2), (1, 4, 4))  # stride 8
DILATED_LATER = {8: ((1,), (2,), (1, 1, 2), (1, 2, 4)), 16: ((1,), (2,), (2,), (1, 1, 2))}
DILATED_BUT_FIRST = ((1,), (2,), (1, 1, 2), (1, 1, 4))  # stride 8


def norm_pyramid(net, x, at, **options):
    """Branches of a convolution at .1 and a norm at .2, behind the pooling at .0."""
    return net.pyramid(x, BINS, lambda x, i: net.relu(net.conv_norm(x, f"{at}.{i}.1", f"{at}.{i}.2", kernel=1)),
                       net.count(f"{at}.{{i}}.1.weight"), **options)


def semseg(net):
    net.skip("aux.")
    x = net.image("layer0.0")
    x = resnet.deep_stem(net, x, [(f"layer0.{i}", f"layer0.{i + 1}") for i in (0, 3, 6)])
    semseg_head(net, resnet.stages(net, x, DILATED_ALIKE)[-1])


def semseg_head(net, x):
    net.part = "head"
    x = norm_pyramid(net, x, "ppm.features")
    x = net.relu(net.conv_norm(x, "cls.0", "cls.1", kernel=3))
    net.conv(x, "cls.4", kernel=1, bias=True)
    net.output(size="input", upsample="align_corners")


def lextal(net):
    net.skip("classifier.")
    x = lextal_features(net)
    net.part = "head"
    x = net.pyramid(x, BINS, lambda x, i: net.conv(x, f"psp.stages.{i}.1", kernel=1, bias=False),
                    net.count("psp.stages.{i}.1.weight"), upsample="half_pixel", concat="input_last")
    x = net.relu(net.conv(x, "psp.bottleneck", kernel=1, bias=True))
    for i in (1, 2, 3):
        x = net.resize(x, "half_pixel", scale=2)
        x = net.prelu(net.norm(net.conv(x, f"up_{i}.conv.0", kernel=3, bias=True), f"up_{i}.conv.1"), f"up_{i}.conv.2")
    net.conv(x, "final.0", kernel=1, bias=True)


def lextal_features(net):
    if net.has("feats.feat_1.0.weight"):
        return squeezenet.features(net, net.input(3), "feats")
    if net.has("feats.start_features.conv0.weight"):
        net.skip("feats.blocks.")  # denseblock1, transition1, ... under other names
        return densenet.features(net, net.input(3), "feats")
    return resnet.stages(net, resnet.plain_stem(net, net.input(3), "feats."), DILATED_BUT_FIRST, "feats.")[-1]


def bubbliiiing(net):
    net.skip("auxiliary_branch.")
    x, stride, at = net.input(3), net.stride(16, (8, 16)), "backbone"
    if net.has(f"{at}.features.0.0.weight"):
        x = mobilenet_v2.features(net, x, f"{at}.features", 18, *mobilenet_v2.dilated(stride))
    else:
        x = resnet.deep_stem(net, x, [(f"{at}.conv{i}", f"{at}.bn{i}") for i in (1, 2, 3)])
        x = resnet.stages(net, x, DILATED_LATER[stride], f"{at}.")[-1]
    net.part, at = "head", "master_branch.0"
    x = norm_pyramid(net, x, f"{at}.stages")
    x = net.relu(net.conv_norm(x, f"{at}.bottleneck.0", f"{at}.bottleneck.1", kernel=3))
    net.conv(x, "master_branch.1", kernel=1, bias=True)
    net.output(size="input", upsample="align_corners")


def smp(net):
    net.skip("classification_head.")
    x = (smp_mobilenet if net.has("encoder.features.0.0.weight") else smp_resnet)(net)
    net.part = "head"

    def conv_relu(x, at):
        has_norm = net.has(f"{at}.1.weight")
        x = net.conv(x, f"{at}.0", kernel=1, bias=not has_norm)
        return net.relu(net.norm(x, f"{at}.1") if has_norm else x)

    x = net.pyramid(x, BINS, lambda x, i: conv_relu(x, f"decoder.psp.blocks.{i}.pool.1"),
                    net.count("decoder.psp.blocks.{i}.pool.1.0.weight"), concat="input_last")
    net.conv(conv_relu(x, "decoder.conv"), "segmentation_head.0", kernel=3, bias=True)
    net.output(scale=8, upsample="align_corners")


def smp_depth(net, channels):
    """The depth of the encoder, which has all stages whatever it is; channels: of the map at each depth"""
    wanted = net.conv_shape("decoder.psp.blocks.0.pool.1.0")[1]
    depth = next((depth for depth, count in channels.items() if count == wanted), None)
    if not depth:
        raise Unfit(f"has a pyramid of {wanted} channels, where the maps of its encoder have "
                    + ", ".join(map(str, channels.values())))
    net.note("depth", depth)
    return depth


def smp_resnet(net):
    x, last = net.image("encoder.conv1"), {}
    for i in range(2, 5):
        conv = "conv3" if net.has(f"encoder.layer{i}.0.conv3.weight") else "conv2"
        last[i + 1] = net.conv_shape(f"encoder.layer{i}.0.{conv}")[0]
    depth = smp_depth(net, last)
    net.skip(*(f"encoder.layer{i}." for i in range(depth, 5)))
    x = resnet.plain_stem(net, x, "encoder.")
    return resnet.stages(net, x, ((1,), (2,), (2,), (2,))[:depth - 1], "encoder.")[-1]


def smp_mobilenet(net):
    x, ends = net.image("encoder.features.0.0"), {3: 7, 4: 14, 5: 19}
    depth = smp_depth(net, {3: net.conv_shape("encoder.features.6.conv.2")[0],
                            4: net.conv_shape("encoder.features.13.conv.2")[0],
                            5: net.conv_shape("encoder.features.18.0")[0]})
    net.skip(*(f"encoder.features.{i}." for i in range(ends[depth], 19)))
    x = mobilenet_v2.features(net, x, "encoder.features", min(18, ends[depth]))
    return mobilenet_v2.convolution(net, x, ("encoder.features.18.0", "encoder.features.18.1")) if depth == 5 else x
