"""PIDNet-S, -M and -L (Xu et al., A Real-time Semantic Segmentation Network Inspired by PID Controllers, 2023) with
their gates, as XuJiacong/PIDNet has them. Of three streams p is the fine one, i the deep one, and d finds
boundaries. S and M have PAPPM and the light fusion of streams; L has DAPPM, and another fusion."""
from .ddrnet import (basic_block, bottleneck, compressed, dappm, layer, norm_conv, scales, segment_head, stem)


def write(net):
    net.skip("seghead_p.", "seghead_d.")
    x = layer(net, stem(net, net.image("conv1.0")), "layer1")
    x = net.relu(layer(net, net.relu(x), "layer2", 2))
    p = layer(net, x, "layer3_")
    d = basic_block(net, x, "layer3_d")
    x = net.relu(layer(net, x, "layer3", 2))
    p, d = exchange(net, x, p, d, 3)
    x = net.relu(layer(net, x, "layer4", 2))
    p = layer(net, net.relu(p), "layer4_")
    d = bottleneck(net, net.relu(d), "layer4_d.0") if net.has("layer4_d.0.conv1.weight") else \
        basic_block(net, net.relu(d), "layer4_d")
    p, d = exchange(net, x, p, d, 4)
    p = bottleneck(net, net.relu(p), "layer5_.0")
    d = bottleneck(net, net.relu(d), "layer5_d.0")
    x = bottleneck(net, bottleneck(net, x, "layer5.0", 2), "layer5.1")
    x = pappm(net, x, "spp") if net.has("spp.scale_process.2.weight") else dappm(net, x, "spp")
    i = net.resize(x, "half_pixel", like=p)
    segment_head(net, fusion(net, p, i, d, "dfm"), "final_layer")
    net.output(size="input", upsample="align_corners")


def exchange(net, x, p, d, stage):
    """What p and d take from the deep stream."""
    y = net.conv_norm(x, f"compression{stage}.0", f"compression{stage}.1")
    return pag(net, p, y, f"pag{stage}"), net.add(d, compressed(net, x, d, f"diff{stage}"))


def one_minus(net, x):
    return net.layer("affine", x, scale=-1, shift=1)


def pag(net, x, y, at):
    """Pixel-attention-guided fusion: (1 - s) x + s y, where s is how much both agree at a pixel"""
    similar = net.mul(compressed(net, y, x, f"{at}.f_y"), net.conv_norm(x, f"{at}.f_x.0", f"{at}.f_x.1"))
    gate = net.layer("sigmoid", net.channel_sum(similar))
    return net.add(net.mul(one_minus(net, gate), x), net.mul(gate, net.resize(y, "half_pixel", like=x)))


def fusion(net, p, i, d, at):
    """Boundary-attention-guided fusion"""
    gate = net.layer("sigmoid", d)
    inner = net.mul(one_minus(net, gate), i)
    if not net.has(f"{at}.conv_p.0.weight"):
        return norm_conv(net, net.add(net.mul(gate, p), inner), f"{at}.conv")
    left, right = net.add(inner, p), net.add(i, net.mul(gate, p))
    return net.add(net.conv_norm(left, f"{at}.conv_p.0", f"{at}.conv_p.1"),
                   net.conv_norm(right, f"{at}.conv_i.0", f"{at}.conv_i.1"))


def pappm(net, x, at):
    first, *rest = scales(net, x, at)
    y = norm_conv(net, net.concat(*(net.add(y, first) for y in rest)), f"{at}.scale_process", groups=4)
    y = norm_conv(net, net.concat(first, y), f"{at}.compression")
    return net.add(y, norm_conv(net, x, f"{at}.shortcut"))
