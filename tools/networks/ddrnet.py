"""DDRNet-23-slim, -23 and -39 (Hong et al., Deep Dual-resolution Networks, 2021), as ydhongHIT/DDRNet has them.

A fine stream keeps an eighth of the image's size, a coarse one goes on to a 64th; both exchange maps after stages 3 and
4. Maps are stretched to the size of the finer one instead of an eighth of the input, so that any size works."""

POOLS = ((5, 2, 2), (9, 4, 4), (17, 8, 8))  # window, stride, padding of scale1 to scale3; scale4 is the mean


def write(net):
    net.skip("seghead_extra.")
    x = layer(net, stem(net, net.image("conv1.0")), "layer1")
    x = fine = net.relu(layer(net, net.relu(x), "layer2", 2))
    for stage, stride in stages(net):
        y = layer(net, x, f"layer{stage}", stride)
        fine = layer(net, fine, f"layer{stage}_")
        x = net.relu(net.add(y, down(net, net.relu(fine), f"down{stage}")))
        fine = net.relu(net.add(fine, compressed(net, net.relu(y), fine, f"compression{stage}")))
    fine = bottleneck(net, fine, "layer5_.0")
    x = dappm(net, bottleneck(net, x, "layer5.0", 2), "spp")
    segment_head(net, net.add(net.resize(x, "half_pixel", like=fine), fine), "final_layer")
    net.output(size="input", upsample="align_corners")


def stages(net):
    """(name, stride) of the stages that exchange maps; DDRNet-39 does so in the middle of stage 3 as well."""
    third = (("3_1", 2), ("3_2", 1)) if net.has("layer3_1.0.conv1.weight") else (("3", 2),)
    return (*third, ("4", 2))


def stem(net, x):
    for i in (0, 3):
        x = net.relu(net.conv_norm(x, f"conv1.{i}", f"conv1.{i + 1}", stride=2, bias=True))
    return x


def layer(net, x, at, stride=1):
    """Basic blocks; the last of several has no relu at its end."""
    count = net.count(f"{at}.{{i}}.conv1.weight")
    for i in range(count):
        x = basic_block(net, x, f"{at}.{i}", 1 if i else stride)
        x = net.relu(x) if i < max(count - 1, 1) else x
    return x


def basic_block(net, x, at, stride=1):
    """Without the relu at its end."""
    y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1", stride=stride))
    y = net.conv_norm(y, f"{at}.conv2", f"{at}.bn2")
    return net.add(y, shortcut(net, x, at, stride))


def bottleneck(net, x, at, stride=1):
    """Without the relu at its end."""
    y = net.relu(net.conv_norm(x, f"{at}.conv1", f"{at}.bn1"))
    y = net.relu(net.conv_norm(y, f"{at}.conv2", f"{at}.bn2", stride=stride))
    y = net.conv_norm(y, f"{at}.conv3", f"{at}.bn3")
    return net.add(y, shortcut(net, x, at, stride))


def shortcut(net, x, at, stride):
    if not net.has(f"{at}.downsample.0.weight"):
        return x
    return net.conv_norm(x, f"{at}.downsample.0", f"{at}.downsample.1", stride=stride)


def down(net, x, at):
    """From the fine stream's size to the coarse one's: each convolution halves it."""
    x = net.conv_norm(x, f"{at}.0", f"{at}.1", stride=2)
    return net.conv_norm(net.relu(x), f"{at}.3", f"{at}.4", stride=2) if net.has(f"{at}.3.weight") else x


def compressed(net, x, like, at):
    return net.resize(net.conv_norm(x, f"{at}.0", f"{at}.1"), "half_pixel", like=like)


def norm_conv(net, x, at, first=0, **options):
    """Norm, relu, conv: at.0, at.1 and at.2, or from another number on."""
    return net.conv(net.relu(net.norm(x, f"{at}.{first}")), f"{at}.{first + 2}", bias=False, **options)


def scales(net, x, at):
    """-> [the map itself, and the four scales of it stretched back], each by a norm, relu and 1x1 of its own"""
    pooled = [net.layer("avg_pool", x, window=window, stride=stride, padding=padding)
              for window, stride, padding in POOLS]
    pooled.append(net.layer("adaptive_avg_pool", x, bins=1))
    return [norm_conv(net, x, f"{at}.scale0")] + [
        net.resize(norm_conv(net, y, f"{at}.scale{i}", first=1), "half_pixel", like=x)
        for i, y in enumerate(pooled, 1)]


def dappm(net, x, at):
    maps = []
    for i, y in enumerate(scales(net, x, at)):
        maps.append(norm_conv(net, net.add(y, maps[-1]), f"{at}.process{i}") if maps else y)
    y = norm_conv(net, net.concat(*maps), f"{at}.compression")
    return net.add(y, norm_conv(net, x, f"{at}.shortcut"))


def segment_head(net, x, at):
    net.part = "head"
    x = net.conv(net.relu(net.norm(x, f"{at}.bn1")), f"{at}.conv1", bias=False)
    return net.conv(net.relu(net.norm(x, f"{at}.bn2")), f"{at}.conv2", bias=True)
