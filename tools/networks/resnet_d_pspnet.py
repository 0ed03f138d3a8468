"""PSPNets over a ResNet with three 3x3 in its stem: PaddleSeg's (ResNet_vd) and pytorchcv's (resnetd50b)."""

BINS = (1, 2, 3, 6)


def stem(net, x, conv, at):
    """at: the name of its convolutions, before their number"""
    for i, stride in enumerate((2, 1, 1), 1):
        x = net.relu(conv(net, x, f"{at}{i}", stride=stride))
    return net.layer("max_pool", x, window=3, stride=2, padding=1)


# ---- PaddleSeg ----

VD_DILATIONS = {8: {2: 2, 3: 4}, 16: {3: 2}}  # stride of the backbone -> {stage: dilation}


def paddle_conv(net, x, at, bias=False, **options):
    return net.norm(net.conv(x, f"{at}._conv", bias=bias, **options), f"{at}._batch_norm")


def resnet_vd(net, x, at="backbone"):
    dilations = VD_DILATIONS[net.stride(8, (8, 16))]
    x = stem(net, x, paddle_conv, f"{at}.conv1_")
    for stage in range(4):
        count = net.count(f"{at}.bb_{stage}_{{i}}.conv0._conv.weight")
        for i in range(count):
            stride = 2 if i == 0 and stage and stage not in dilations else 1
            x = vd_block(net, x, f"{at}.bb_{stage}_{i}", stride, dilations.get(stage, 1))
        net.deepen("a ResNet", count)
    return x


def vd_block(net, x, at, stride, dilation):
    """A shortcut halves its map by a mean of 2x2, before its 1x1."""
    if net.has(f"{at}.conv2._conv.weight"):
        y = net.relu(paddle_conv(net, x, f"{at}.conv0"))
        y = net.relu(paddle_conv(net, y, f"{at}.conv1", stride=stride, dilation=dilation))
        y = paddle_conv(net, y, f"{at}.conv2")
    else:
        y = net.relu(paddle_conv(net, x, f"{at}.conv0", stride=stride, dilation=dilation))
        y = paddle_conv(net, y, f"{at}.conv1", dilation=dilation)
    if net.has(f"{at}.short._conv.weight"):
        x = net.layer("avg_pool", x, window=2, stride=2, ceil=True) if stride == 2 else x
        x = paddle_conv(net, x, f"{at}.short")
    return net.relu(net.add(y, x))


def paddleseg(net):
    """Its concat has the branches from the last to the first."""
    net.skip("head.auxlayer.")
    x = resnet_vd(net, net.image("backbone.conv1_1._conv"))
    net.part, at, last = "head", "head.psp_module", len(BINS) - 1
    x = net.pyramid(x, BINS[::-1], lambda x, i: net.relu(paddle_conv(net, x, f"{at}.stages.{last - i}.1", bias=True)),
                    upsample="half_pixel")
    x = net.relu(paddle_conv(net, x, f"{at}.conv_bn_relu2", bias=True))
    net.conv(x, "head.conv", bias=True)
    net.output(size="input", upsample="half_pixel")


# ---- pytorchcv ----

def cv_conv(net, x, at, **options):
    return net.conv_norm(x, f"{at}.conv", f"{at}.bn", bias=False, **options)


def resnetd(net, x):
    """The last two stages keep stride 8; the first 3x3 of each has half the dilation."""
    x = stem(net, x, cv_conv, "backbone.init_block.conv")
    for stage in range(4):
        count = net.count(f"backbone.stage{stage + 1}.unit{{n}}.body.conv1.conv.weight")
        for i in range(count):
            at, stride = f"backbone.stage{stage + 1}.unit{i + 1}", 2 if i == 0 and stage == 1 else 1
            y = net.relu(cv_conv(net, x, f"{at}.body.conv1"))
            y = net.relu(cv_conv(net, y, f"{at}.body.conv2", stride=stride, dilation=2 ** max(0, stage - 1 - (i == 0))))
            y = cv_conv(net, y, f"{at}.body.conv3")
            if net.has(f"{at}.identity_conv.conv.weight"):
                x = cv_conv(net, x, f"{at}.identity_conv", stride=stride)
            x = net.relu(net.add(y, x))
        net.deepen("a ResNet", count)
    return x


def pytorchcv(net):
    net.skip("aux_block.")
    x = resnetd(net, net.image("backbone.init_block.conv1.conv"))
    net.part = "head"
    x = net.pyramid(x, BINS, lambda x, i: net.relu(cv_conv(net, x, f"pool.branches.branch{i + 2}.conv")),
                    upsample="align_corners")
    net.conv(net.relu(cv_conv(net, x, "final_block.conv1")), "final_block.conv2", bias=True)
    net.output(size="input", upsample="align_corners")
