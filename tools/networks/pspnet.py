"""PSPNets (Zhao et al., Pyramid Scene Parsing Network, 2017) in PyTorch, as their repositories define them."""
from . import densenet, mobilenet_v2, resnet, squeezenet

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
