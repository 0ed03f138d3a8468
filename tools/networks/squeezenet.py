"""SqueezeNet 1.1 (Iandola et al., 2016) with stride 8, its last parts dilated, as Lextal/pspnet-pytorch has it."""


def fire(net, x, at, dilation):
    x = net.relu(net.conv(x, f"{at}.squeeze"))
    return net.concat(net.relu(net.conv(x, f"{at}.expand1x1")),
                      net.relu(net.conv(x, f"{at}.expand3x3", dilation=dilation)))


def features(net, x, at):
    x = net.relu(net.conv(x, f"{at}.feat_1.0", stride=2))
    for part, first, count, dilation in ((2, 1, 2, 1), (3, 1, 2, 2), (4, 0, 4, 4)):
        if first:
            x = net.layer("max_pool", x, window=3, stride=2, padding=1)
        for i in range(first, first + count):
            x = fire(net, x, f"{at}.feat_{part}.{i}", dilation)
    return x
