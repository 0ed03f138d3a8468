"""transformers' UperNetForSemanticSegmentation over ConvNeXt in PyTorch with the names of its checkpoints, and with few
channels; mmsegmentation's of the same structure by its names."""
import torch
from modules_mmseg import EncoderDecoder, FCNHead, UPerHead
from torch import nn
from torch.nn import functional as F

EPS = 1e-6


class LayerNorm(nn.Module):
    """Over the channels of NCHW, or of NHWC."""

    def __init__(self, channels, is_last=False):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.is_last = is_last

    def forward(self, x):
        if self.is_last:
            return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPS)
        mean = x.mean(1, keepdim=True)
        var = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * ((x - mean) / torch.sqrt(var + EPS)) + self.bias[:, None, None]


class Layer(nn.Module):
    """names: of the depthwise convolution, the norm, the two linear layers and the scale"""

    def __init__(self, channels, names):
        super().__init__()
        self.names = depthwise, norm, expand, project, scale = names
        self.add_module(depthwise, nn.Conv2d(channels, channels, 7, padding=3, groups=channels))
        self.add_module(norm, LayerNorm(channels, is_last=True))
        self.add_module(expand, nn.Linear(channels, 4 * channels))
        self.add_module(project, nn.Linear(4 * channels, channels))
        self.register_parameter(scale, nn.Parameter(torch.ones(channels)))

    def forward(self, x):
        depthwise, norm, expand, project, scale = (getattr(self, name) for name in self.names)
        y = project(F.gelu(expand(norm(depthwise(x).permute(0, 2, 3, 1)))))
        return x + (scale * y).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, depths=(3, 3, 9, 3), base=8):
        super().__init__()
        names = ("dwconv", "layernorm", "pwconv1", "pwconv2", "layer_scale_parameter")
        self.embeddings, self.encoder = nn.Module(), nn.Module()
        self.embeddings.patch_embeddings, self.embeddings.layernorm = nn.Conv2d(3, base, 4, 4), LayerNorm(base)
        self.encoder.stages = nn.ModuleList()
        for i, depth in enumerate(depths):
            stage = nn.Module()
            stage.downsampling_layer = nn.Sequential(
                LayerNorm(base << i - 1), nn.Conv2d(base << i - 1, base << i, 2, 2)) if i else nn.Identity()
            stage.layers = nn.Sequential(*(Layer(base << i, names) for _ in range(depth)))
            self.encoder.stages.append(stage)
        self.hidden_states_norms = nn.ModuleDict({f"stage{i + 1}": LayerNorm(base << i) for i in range(len(depths))})

    def forward(self, x):
        x, maps = self.embeddings.layernorm(self.embeddings.patch_embeddings(x)), []
        for stage, norm in zip(self.encoder.stages, self.hidden_states_norms.values()):
            x = stage.layers(stage.downsampling_layer(x))
            maps.append(norm(x))
        return maps


class MmsegConvNeXt(nn.Module):
    def __init__(self, depths=(3, 3, 9, 3), base=8):
        super().__init__()
        names = ("depthwise_conv", "norm", "pointwise_conv1", "pointwise_conv2", "gamma")
        self.downsample_layers = nn.ModuleList([nn.Sequential(nn.Conv2d(3, base, 4, 4), LayerNorm(base))])
        for i in range(1, len(depths)):
            self.downsample_layers.append(nn.Sequential(LayerNorm(base << i - 1),
                                                        nn.Conv2d(base << i - 1, base << i, 2, 2)))
        self.stages = nn.ModuleList(nn.Sequential(*(Layer(base << i, names) for _ in range(depth)))
                                    for i, depth in enumerate(depths))
        for i in range(len(depths)):
            self.add_module(f"norm{i}", LayerNorm(base << i))

    def forward(self, x):
        maps = []
        for i, (down, stage) in enumerate(zip(self.downsample_layers, self.stages)):
            x = stage(down(x))
            maps.append(getattr(self, f"norm{i}")(x))
        return maps


def renamed(module):
    """Batch norms are called batch_norm instead of bn."""
    for part in list(module.modules()):
        if hasattr(part, "bn"):
            part.add_module("batch_norm", part.bn)
            del part.bn
            part.norm = "batch_norm"
    return module


def upernet(depths=(3, 3, 9, 3), base=8):
    channels = [base << i for i in range(4)]
    return EncoderDecoder(ConvNeXt(depths, base), renamed(UPerHead(channels, last="classifier")),
                          renamed(FCNHead(channels[2])))


def mmseg_upernet(depths=(3, 3, 9, 3), base=8):
    channels = [base << i for i in range(4)]
    return EncoderDecoder(MmsegConvNeXt(depths, base), UPerHead(channels), FCNHead(channels[2]))


class Swin(nn.Module):
    """Some of its tensors: its attention is beyond the server."""

    def __init__(self, base=8):
        super().__init__()
        self.embeddings, self.encoder = nn.Module(), nn.Module()
        self.embeddings.patch_embeddings = nn.ModuleDict({"projection": nn.Conv2d(3, base, 4, 4)})
        self.encoder.attention = nn.Linear(base, 3 * base)
        self.hidden_states_norms = nn.ModuleDict({f"stage{i + 1}": nn.LayerNorm(base << i) for i in range(4)})


class SwinUperNet(nn.Module):
    """From the maps of the backbone on. norm: "bn" for mmsegmentation's names of the head"""

    def __init__(self, base=8, norm="batch_norm"):
        super().__init__()
        heads = UPerHead([base << i for i in range(4)], last="classifier" if norm == "batch_norm" else "conv_seg"), \
            FCNHead(base << 2)
        self.backbone = Swin(base)
        self.decode_head, self.auxiliary_head = map(renamed, heads) if norm == "batch_norm" else heads

    def forward(self, *maps):
        y = self.decode_head(maps)
        return F.interpolate(y, scale_factor=4, mode="bilinear", align_corners=False)


