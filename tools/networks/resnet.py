"""ResNets (He et al., Deep Residual Learning, 2015; ResNeXt's groups as well): their stems and stages.

How deep and wide one is, and whether its blocks are bottlenecks, is in the checkpoint. Strides and dilations are not.
"""


def plain_stem(net, x, at=""):
    """torchvision's: one 7x7."""
    return pooled(net, net.relu(net.conv_norm(x, f"{at}conv1", f"{at}bn1", stride=2)))


def deep_stem(net, x, layers):
    """Three 3x3; layers: (conv, norm) of each."""
    for i, (conv, norm) in enumerate(layers):
        x = net.relu(net.conv_norm(x, conv, norm, stride=1 if i else 2))
    return pooled(net, x)


def pooled(net, x):
    return net.layer("max_pool", x, window=3, stride=2, padding=1)


def block(net, x, at, stride, dilation):
    """A bottleneck's 3x3 has the stride, and the first one of a basic block."""
    spread = {"dilation": dilation}
    if net.has(f"{at}.conv3.weight"):
        y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1"))
        y = net.relu(net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", stride=stride, groups="any", **spread))
        y = net.conv_norm(y, f"{at}.conv3", f"{at}.bn3")
    else:
        y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1", stride=stride, **spread))
        y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", **spread)
    if net.has(f"{at}.downsample.0.weight"):
        x = net.conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride=stride)
    return net.relu(net.add(y, x))


def stage(net, x, at, stride=1, first=1, others=1):
    """first, others: the dilation of the first block, and of the others"""
    for i in range(net.count(f"{at}.{{i}}.conv1.weight")):
        x = block(net, x, f"{at}.{i}", 1 if i else stride, others if i else first)
    return x


def stages(net, x, dilations, at=""):
    """-> the maps of the four stages; dilations: (stride, first, others) of each"""
    maps = []
    for i, options in enumerate(dilations, 1):
        maps.append(x := stage(net, x, f"{at}layer{i}", *options))
    return maps
