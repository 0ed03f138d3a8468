"""MobileNetV2 (Sandler et al., Inverted Residuals and Linear Bottlenecks, 2018): its features, as torchvision names
them (conv.0.0, conv.0.1, ...) or by number alone (conv.0, conv.1, ...)."""

# the blocks that begin with a stride, and its stages of the same stride
STRIDED = (2, 4, 7, 14)


def convolution(net, x, at, **options):
    """One of 3x3 or depthwise with its norm, either in a list of its own or in two places of the block's."""
    return net.act(net.conv_norm(x, *at, **options), "relu6")


def inverted_residual(net, x, at, stride, dilation):
    is_nested = net.has(f"{at}.0.0.weight")
    steps = net.count(f"{at}.{{i}}.0.weight") if is_nested else 1 + net.has(f"{at}.6.weight")
    y = x
    for i in range(steps):
        names = (f"{at}.{i}.0", f"{at}.{i}.1") if is_nested else (f"{at}.{3 * i}", f"{at}.{3 * i + 1}")
        spatial = {"kernel": 3, "stride": stride, "dilation": dilation} if i == steps - 1 else {"kernel": 1}
        y = convolution(net, y, names, **spatial)
    last = steps if is_nested else 3 * steps
    y = net.conv_norm(y, f"{at}.{last}", f"{at}.{last + 1}", kernel=1)
    return net.add(x, y) if stride == 1 and x.channels == y.channels else y


def features(net, x, at, end, strides=(2, 2, 2, 2), dilations=None):
    """Entries from 0 to before `end`. strides: of the blocks STRIDED; dilations: {block: dilation}"""
    x = convolution(net, x, (f"{at}.0.0", f"{at}.0.1"), kernel=3, stride=2)
    for i in range(1, end):
        stride = dict(zip(STRIDED, strides)).get(i, 1)
        x = inverted_residual(net, x, f"{at}.{i}.conv", stride, (dilations or {}).get(i, 1))
    return x


def dilated(at_stride, end=18):
    """-> (strides, dilations) where everything from a stage on keeps its size: a convolution that had a stride has
    half of the dilation that its stage's others have."""
    strides, dilations, dilation = [2, 2, 2, 2], {}, 1
    for stage in range(len(STRIDED)):
        if 2 ** (stage + 2) > at_stride:
            strides[stage], dilation = 1, 2 * dilation
        first = STRIDED[stage]
        until = STRIDED[stage + 1] if stage + 1 < len(STRIDED) else end
        dilations.update({i: dilation for i in range(first, until)})
        if strides[stage] == 1:
            dilations[first] = dilation // 2
    return strides, dilations
