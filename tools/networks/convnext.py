"""ConvNeXt (Liu et al., A ConvNet for the 2020s, 2022), the backbone of transformers' UperNet and of mmsegmentation's.

Linear layers are 1x1 convolutions, and a block's scale for each channel is a depthwise one."""
from collections import namedtuple

EPS = 1e-6

# {i}: stage, {j}: block
Names = namedtuple("Names", "patches patches_norm down_norm down block convs norm scale last")

TRANSFORMERS = Names("backbone.embeddings.patch_embeddings", "backbone.embeddings.layernorm",
                     "backbone.encoder.stages.{i}.downsampling_layer.0",
                     "backbone.encoder.stages.{i}.downsampling_layer.1", "backbone.encoder.stages.{i}.layers.{j}",
                     ("dwconv", "pwconv1", "pwconv2"), "layernorm", "layer_scale_parameter",
                     "backbone.hidden_states_norms.stage{n}")

MMSEG = Names("backbone.downsample_layers.0.0", "backbone.downsample_layers.0.1", "backbone.downsample_layers.{i}.0",
              "backbone.downsample_layers.{i}.1", "backbone.stages.{i}.{j}",
              ("depthwise_conv", "pointwise_conv1", "pointwise_conv2"), "norm", "gamma", "backbone.norm{i}")


def backbone(net, x, names):
    """-> the maps of the stages, each after a norm of its own; what the first block lacks is told by its layers"""
    maps = []
    x = net.layer_norm(patches(net, x, names.patches), names.patches_norm, EPS)
    for i in range(net.count(f"{names.block.replace('{j}', '0')}.{names.norm}.weight") or 1):
        if i:
            x = net.layer_norm(x, of_stage(names.down_norm, i), EPS)
            x = patches(net, x, of_stage(names.down, i))
        stage = of_stage(names.block, i)
        count = net.count(stage.replace("{j}", "{i}") + f".{names.norm}.weight") or 1
        for j in range(count):
            x = block(net, x, stage.replace("{j}", str(j)), names)
        net.deepen("a ConvNeXt", count)
        maps.append(net.layer_norm(x, of_stage(names.last, i), EPS))
    return maps


def of_stage(name, i):
    return name.replace("{i}", str(i)).replace("{n}", str(i + 1))


def patches(net, x, key):
    """A convolution with strides as large as its kernel."""
    kernel = net.conv_shape(key)[2:]
    return net.conv(x, key, stride=kernel, padding=0, bias=True)


def block(net, x, at, names):
    depthwise, expand, project = (f"{at}.{name}" for name in names.convs)
    y = net.layer_norm(net.conv(x, depthwise, bias=True), f"{at}.{names.norm}", EPS)
    y = net.conv(net.act(net.conv(y, expand, bias=True), "gelu"), project, bias=True)
    scale = f"{at}.{names.scale}"
    return net.add(x, net.gain(y, scale) if net.has(scale) else y)
