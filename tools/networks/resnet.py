"""ResNets (He et al., Deep Residual Learning, 2015; ResNeXt's groups as well): their stems and stages.

How deep and wide one is, and whether its blocks are bottlenecks, is in the checkpoint. Strides and dilations are not.
"""


def plain_stem(net, x, at=""):
    """torchvision's: one 7x7."""
    return pooled(net, net.relu(net.conv_norm(x, f"{at}conv1", f"{at}bn1", kernel=7, stride=2)))


def deep_stem(net, x, layers):
    """Three 3x3; layers: (conv, norm) of each."""
    for i, (conv, norm) in enumerate(layers):
        x = net.relu(net.conv_norm(x, conv, norm, kernel=3, stride=1 if i else 2))
    return pooled(net, x)


def pooled(net, x):
    return net.layer("max_pool", x, window=3, stride=2, padding=1)


def block(net, x, at, stride, dilation, second):
    """A bottleneck's 3x3 has the stride, and the first one of a basic block."""
    if net.has(f"{at}.conv3.weight"):
        y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1", kernel=1))
        y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", kernel=3, stride=stride, dilation=dilation, groups="any")
        y = net.conv_norm(net.relu(y), f"{at}.conv3", f"{at}.bn3", kernel=1)
    else:
        y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1", kernel=3, stride=stride, dilation=dilation))
        y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", kernel=3, dilation=second)
    return net.relu(net.add(y, shortcut(net, x, f"{at}.downsample", stride)))


def shortcut(net, x, at, stride):
    """A ResNet-D has a pool at .0, in the place of the convolution's stride."""
    if net.has(f"{at}.0.weight"):
        return net.conv_norm(x, f"{at}.0", f"{at}.1", kernel=1, stride=stride)
    if not net.has(f"{at}.1.weight"):
        return x
    if stride != 1:
        x = net.layer("avg_pool", x, window=stride, ceil=True)
    return net.conv_norm(x, f"{at}.1", f"{at}.2", kernel=1)


def stage(net, x, at, stride=1, first=1, others=1, second=None):
    """first, others: the dilation of the first block, and of the others; second: of the second 3x3 of basic blocks,
    None if it is that of the first"""
    net.tensor(f"{at}.0.conv1.weight")  # there is no stage without a block
    for i in range(net.count(f"{at}.{{i}}.conv1.weight")):
        dilation = others if i else first
        x = block(net, x, f"{at}.{i}", 1 if i else stride, dilation, second or dilation)
    return x


def stages(net, x, dilations, at=""):
    """-> the maps of the four stages; dilations: (stride, first, others, second) of each"""
    maps = []
    for i, options in enumerate(dilations, 1):
        maps.append(x := stage(net, x, f"{at}layer{i}", *options))
        net.deepen("a ResNet", net.count(f"{at}layer{i}.{{i}}.conv1.weight"))
    return maps
