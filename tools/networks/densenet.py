"""DenseNets (Huang et al., Densely Connected Convolutional Networks, 2017) with stride 8: only the first transition
pools, as Lextal/pspnet-pytorch has it."""


def layer(net, x, at):
    """Its norms are called norm1 or, where PyTorch before 0.4 was used, norm.1."""
    dot = "." if net.has(f"{at}.norm.1.weight") else ""
    y = net.conv(net.relu(net.norm(x, f"{at}.norm{dot}1")), f"{at}.conv{dot}1")
    y = net.conv(net.relu(net.norm(y, f"{at}.norm{dot}2")), f"{at}.conv{dot}2")
    return net.concat(x, y)


def block(net, x, at):
    i = 1
    while net.has(f"{at}.denselayer{i}.conv1.weight") or net.has(f"{at}.denselayer{i}.conv.1.weight"):
        x, i = layer(net, x, f"{at}.denselayer{i}"), i + 1
    net.deepen("a DenseNet", i - 1)
    return x


def features(net, x, at):
    x = net.relu(net.conv_norm(x, f"{at}.start_features.conv0", f"{at}.start_features.norm0", stride=2))
    x = net.layer("max_pool", x, window=3, stride=2, padding=1)
    for i in range(1, 5):
        x = block(net, x, f"{at}.denseblock{i}")
        if i < 4:
            x = net.relu(net.norm(x, f"{at}.transition{i}.norm"))
            x = net.conv(x, f"{at}.transition{i}.conv")
        if i == 1:
            x = net.layer("avg_pool", x, window=2)
    return x
