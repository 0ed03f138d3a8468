"""HRNetV2 (Wang et al., Deep High-Resolution Representation Learning, 2020) as a backbone: streams of 1/4 to 1/32 of
the image's size, which exchange maps in each module of stages 2 to 4. How many modules and blocks there are is found in
the names."""
from . import resnet


def features(net, x):
    """-> all streams, stretched to the finest"""
    for i in (1, 2):
        x = net.relu(net.conv_norm(x, f"conv{i}", f"bn{i}", stride=2))
    maps = [resnet.stage(net, x, "layer1")]
    for stage in (2, 3, 4):
        maps = [stream(net, maps, i, f"transition{stage - 1}.{i}") for i in range(stage)]
        for module in range(net.count(f"stage{stage}.{{i}}.branches.0.0.conv1.weight")):
            maps = exchange(net, maps, f"stage{stage}.{module}")
    return net.concat(maps[0], *(net.resize(y, "half_pixel", like=maps[0]) for y in maps[1:]))


def stream(net, maps, i, at):
    """A stream of the next stage: the same, the same with other channels, or a new one from the coarsest."""
    if net.has(f"{at}.0.0.weight"):
        return net.relu(net.conv_norm(maps[-1], f"{at}.0.0", f"{at}.0.1", stride=2))
    x = maps[min(i, len(maps) - 1)]
    return net.relu(net.conv_norm(x, f"{at}.0", f"{at}.1")) if net.has(f"{at}.0.weight") else x


def exchange(net, maps, at):
    maps = [resnet.stage(net, x, f"{at}.branches.{i}") for i, x in enumerate(maps)]
    return [net.relu(net.add(*(moved(net, maps, j, i, f"{at}.fuse_layers.{i}.{j}") for j in range(len(maps)))))
            for i in range(len(maps))]


def moved(net, maps, source, target, at):
    """A stream as another one adds it: each step to a coarser one is a convolution."""
    x = maps[source]
    if source > target:
        return net.resize(net.conv_norm(x, f"{at}.0", f"{at}.1"), "half_pixel", like=maps[target])
    for step in range(target - source):
        x = net.conv_norm(net.relu(x) if step else x, f"{at}.{step}.0", f"{at}.{step}.1", stride=2)
    return x
