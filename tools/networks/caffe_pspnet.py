"""The first PSPNets, with their names in Caffe: hellochick's for TensorFlow, Vladkryvoruchko's for Keras."""
from checkpoints.kinds import caffe_windows

BINS = (6, 3, 2, 1)  # in the order of the concat
STAGES = ((2, 1, 1), (3, 2, 1), (4, 1, 2), (5, 1, 4))  # number, stride, dilation


def conv(net, x, at, **options):
    return net.conv_norm(x, at, f"{at}_bn", bias=False, **options)


def write(net):
    x = net.input(net.dimension("conv1_1_3x3_s2.weight", 2))
    for at, options in (("conv1_1_3x3_s2", {"stride": 2, "padding": "same"}), ("conv1_2_3x3", {}), ("conv1_3_3x3", {})):
        x = net.relu(conv(net, x, at, **options))
    x = net.layer("max_pool", x, window=3, stride=2, padding="same")
    for stage, stride, dilation in STAGES:
        count = net.count(f"conv{stage}_{{n}}_3x3.weight")
        for i in range(1, 1 + count):
            x = block(net, x, f"conv{stage}_{i}", stride if i == 1 else 1, dilation)
        net.deepen("a ResNet", count)
    net.part = "head"
    x = net.pyramid(x, BINS, lambda x, i: net.relu(conv(net, x, f"conv5_3_pool{BINS[i]}_conv")), pool="valid",
                    windows=caffe_windows(net.dimension("conv6.weight", 3)))
    net.conv(net.relu(conv(net, x, "conv5_4")), "conv6", bias=True)
    net.output(size="input", upsample="align_corners")


def block(net, x, at, stride, dilation):
    """The first 1x1 has the stride."""
    y = net.relu(conv(net, x, f"{at}_1x1_reduce", stride=stride))
    y = net.relu(conv(net, y, f"{at}_3x3", dilation=dilation))
    y = conv(net, y, f"{at}_1x1_increase")
    if net.has(f"{at}_1x1_proj.weight"):
        x = conv(net, x, f"{at}_1x1_proj", stride=stride)
    return net.relu(net.add(y, x))
