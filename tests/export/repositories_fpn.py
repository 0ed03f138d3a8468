"""Whole networks with other heads than a pyramid, as their repositories define them, forward() included."""
from collections import OrderedDict
from typing import Dict

import torch
from bricks import ResNet, conv_bn, conv_bn_relu
from torch import nn
from torch.nn import functional as F


# ---- qubvel/segmentation_models.pytorch ----

class SmpEncoder(ResNet):
    """The image itself is its first feature."""

    def get_stages(self):
        return [nn.Identity(), nn.Sequential(self.conv1, self.bn1, self.relu), nn.Sequential(self.maxpool, self.layer1),
                self.layer2, self.layer3, self.layer4]

    def forward(self, x):
        stages = self.get_stages()
        features = []
        for i in range(6):
            x = stages[i](x)
            features.append(x)
        return features


class Scse(nn.Module):
    def __init__(self, channels, reduction=2):
        super().__init__()
        self.cSE = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels // reduction, 1),
                                 nn.ReLU(inplace=True), nn.Conv2d(channels // reduction, channels, 1), nn.Sigmoid())
        self.sSE = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.Sigmoid())

    def forward(self, x):
        return x * self.cSE(x) + x * self.sSE(x)


class UnetBlock(nn.Module):
    def __init__(self, channels, skip, out):
        super().__init__()
        self.conv1, self.conv2 = conv_bn_relu(channels + skip, out, 3), conv_bn_relu(out, out, 3)
        self.attention1, self.attention2 = Scse(channels + skip), Scse(out)

    def forward(self, x, skip=None):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skip is not None:
            x = torch.cat([x, skip], dim=1)
            x = self.attention1(x)
        x = self.conv2(self.conv1(x))
        return self.attention2(x)


class SmpUnet(nn.Module):
    def __init__(self, classes=1):
        super().__init__()
        self.encoder = SmpEncoder(dilated=False)
        c1, c2, c3, c4 = self.encoder.channels
        self.blocks = nn.ModuleList(UnetBlock(*sizes) for sizes in (
            (c4, c3, 8), (8, c2, 8), (8, c1, 6), (6, 4, 6), (6, 0, 4)))
        self.segmentation_head = nn.Sequential(nn.Conv2d(4, classes, 3, padding=1), nn.Identity(), nn.Sigmoid())

    def forward(self, x):
        h, w = x.shape[-2:]
        if h % 32 != 0 or w % 32 != 0:
            raise RuntimeError(f"Wrong input shape height={h}, width={w}")
        features = self.encoder(x)
        features = features[1:]
        features = features[::-1]
        head, skips = features[0], features[1:]
        x = head
        for i, decoder_block in enumerate(self.blocks):
            skip = skips[i] if i < len(skips) else None
            x = decoder_block(x, skip)
        return self.segmentation_head(x)


class GroupNormRelu(nn.Module):
    def __init__(self, channels, out, upsample):
        super().__init__()
        self.upsample = upsample
        self.block = nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.GroupNorm(2, out),
                                   nn.ReLU(inplace=True))

    def forward(self, x):
        x = self.block(x)
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return x


class SmpFpn(nn.Module):
    """Python's sum begins at 0."""

    def __init__(self, classes=3):
        super().__init__()
        self.encoder = SmpEncoder(dilated=False)
        c1, c2, c3, c4 = self.encoder.channels
        self.p5 = nn.Conv2d(c4, 6, kernel_size=1)
        self.skips = nn.ModuleList(nn.Conv2d(count, 6, kernel_size=1) for count in (c3, c2, c1))
        self.seg_blocks = nn.ModuleList(nn.Sequential(*(
            GroupNormRelu(6 if i == 0 else 4, 4, upsample=bool(n)) for i in range(max(n, 1)))) for n in (3, 2, 1, 0))
        self.dropout = nn.Dropout2d(p=0.2, inplace=True)
        self.segmentation_head = nn.Sequential(nn.Conv2d(4, classes, kernel_size=1),
                                               nn.UpsamplingBilinear2d(scale_factor=4), nn.Identity())

    def forward(self, x):
        c2, c3, c4, c5 = self.encoder(x)[-4:]
        p = [self.p5(c5)]
        for conv, skip in zip(self.skips, (c4, c3, c2)):
            x = F.interpolate(p[-1], scale_factor=2, mode="nearest")
            skip = conv(skip)
            p.append(x + skip)
        feature_pyramid = [seg_block(x) for seg_block, x in zip(self.seg_blocks, p)]
        x = sum(feature_pyramid)
        x = self.dropout(x)
        return self.segmentation_head(x)


# ---- pytorch/vision ----

class AsppPooling(nn.Sequential):
    def __init__(self, channels, out):
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out),
                         nn.ReLU())

    def forward(self, x):
        size = x.shape[-2:]
        for mod in self:
            x = mod(x)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class Aspp(nn.Module):
    def __init__(self, channels, out, rates=(2, 4, 6)):
        super().__init__()
        self.convs = nn.ModuleList([conv_bn_relu(channels, out), *(conv_bn_relu(channels, out, 3, 1, rate)
                                                                  for rate in rates), AsppPooling(channels, out)])
        self.project = nn.Sequential(*conv_bn_relu(5 * out, out), nn.Dropout(0.5))

    def forward(self, x):
        _res = []
        for conv in self.convs:
            _res.append(conv(x))
        res = torch.cat(_res, dim=1)
        return self.project(res)


class IntermediateLayerGetter(nn.ModuleDict):
    def __init__(self, resnet):
        super().__init__({name: getattr(resnet, name) for name in (
            "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")})
        self.return_layers: Dict[str, str] = {"layer4": "out", "layer3": "aux"}

    def forward(self, x):
        out: Dict[str, torch.Tensor] = OrderedDict()
        for name, module in self.items():
            x = module(x)
            if name in self.return_layers:
                out_name = self.return_layers[name]
                out[out_name] = x
        return out


class TorchvisionSegmentation(nn.Module):
    """FCN without rates, DeepLabV3 with them; answers a dictionary."""

    def __init__(self, rates=None, classes=5):
        super().__init__()
        resnet = ResNet()
        _, _, aux, out = resnet.channels
        self.backbone = IntermediateLayerGetter(resnet)
        head = [Aspp(out, 4, rates), *conv_bn_relu(4, 4, 3)] if rates else [*conv_bn_relu(out, 4, 3), nn.Dropout(0.1)]
        self.classifier = nn.Sequential(*head, nn.Conv2d(4, classes, 1))
        self.aux_classifier = nn.Sequential(*conv_bn_relu(aux, 2, 3), nn.Dropout(0.1), nn.Conv2d(2, classes, 1))

    def forward(self, x):
        input_shape = x.shape[-2:]
        features = self.backbone(x)
        result: Dict[str, torch.Tensor] = OrderedDict()
        x = features["out"]
        x = self.classifier(x)
        x = F.interpolate(x, size=input_shape, mode="bilinear", align_corners=False)
        result["out"] = x
        x = features["aux"]
        x = self.aux_classifier(x)
        x = F.interpolate(x, size=input_shape, mode="bilinear", align_corners=False)
        result["aux"] = x
        return result


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeeze):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1, self.fc2 = nn.Conv2d(channels, squeeze, 1), nn.Conv2d(squeeze, channels, 1)
        self.activation, self.scale_activation = nn.ReLU(), nn.Hardsigmoid()

    def forward(self, x):
        scale = self.avgpool(x)
        scale = self.fc1(scale)
        scale = self.activation(scale)
        scale = self.fc2(scale)
        scale = self.scale_activation(scale)
        return scale * x


class Lraspp(nn.Module):
    """Over MobileNetV3's operators."""

    def __init__(self, classes=5):
        super().__init__()
        self.low = nn.Sequential(*conv_bn(3, 4, 3, 2), nn.Hardswish(), *conv_bn(4, 6, 3, 2), nn.Hardswish(),
                                 *conv_bn(6, 6, 5, 2, 1, 6), nn.Hardswish(inplace=True), SqueezeExcitation(6, 2))
        self.high = nn.Sequential(*conv_bn(6, 8, 3, 2), nn.Hardswish(), *conv_bn(8, 8, 5, 1, 2, 8), nn.Hardswish())
        self.cbr = nn.Sequential(*conv_bn(8, 4), nn.ReLU(inplace=True))
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1, bias=False), nn.Sigmoid())
        self.low_classifier, self.high_classifier = nn.Conv2d(6, classes, 1), nn.Conv2d(4, classes, 1)

    def forward(self, input):
        low = self.low(input)
        high = self.high(low)
        x = self.cbr(high)
        s = self.scale(high)
        x = x * s
        x = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        out = self.low_classifier(low) + self.high_classifier(x)
        out = F.interpolate(out, size=input.shape[-2:], mode="bilinear", align_corners=False)
        result: Dict[str, torch.Tensor] = OrderedDict()
        result["out"] = out
        return result


# ---- DrSleep/light-weight-refinenet ----

class Crp(nn.Module):
    def __init__(self, channels, stages):
        super().__init__()
        for i in range(stages):
            setattr(self, f"{i + 1}_outvar_dimred", nn.Conv2d(channels, channels, 1, bias=False))
        self.stages = stages
        self.maxpool = nn.MaxPool2d(kernel_size=5, stride=1, padding=2)

    def forward(self, x):
        top = x
        for i in range(self.stages):
            top = self.maxpool(top)
            top = getattr(self, f"{i + 1}_outvar_dimred")(top)
            x = top + x
        return x


class RefineNet(nn.Module):
    """nn.Upsample made in forward() for the size of another map."""

    def __init__(self, classes=5, width=6):
        super().__init__()
        self.backbone = ResNet(dilated=False)
        self.relu = nn.ReLU(inplace=True)
        self.dimred = nn.ModuleList(nn.Conv2d(count, width, 1, bias=False) for count in self.backbone.channels)
        self.adapt = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(3))
        self.crp = nn.ModuleList(Crp(width, 2) for _ in range(4))
        self.clf_conv = nn.Conv2d(width, classes, 3, padding=1, bias=True)

    def forward(self, x):
        l1, l2, l3, l4 = self.backbone(x)
        x4 = self.relu(self.dimred[3](l4))
        x4 = self.crp[3](x4)
        x4 = nn.Upsample(size=l3.size()[2:], mode="bilinear", align_corners=True)(x4)
        x3 = self.adapt[2](self.dimred[2](l3))
        x3 = F.relu(x3 + x4)
        x3 = self.crp[2](x3)
        x3 = nn.Upsample(size=l2.size()[2:], mode="bilinear", align_corners=True)(x3)
        x2 = self.adapt[1](self.dimred[1](l2))
        x2 = F.relu(x2 + x3)
        x2 = self.crp[1](x2)
        x2 = nn.Upsample(size=l1.size()[2:], mode="bilinear", align_corners=True)(x2)
        x1 = self.adapt[0](self.dimred[0](l1))
        x1 = F.relu(x1 + x2)
        return self.clf_conv(self.crp[0](x1))


# ---- zijundeng/pytorch-semantic-segmentation: GCN ----

class GlobalConv(nn.Module):
    def __init__(self, channels, out, kernel=7):
        super().__init__()
        pad = (kernel - 1) // 2
        self.conv_l1 = nn.Conv2d(channels, out, kernel_size=(kernel, 1), padding=(pad, 0))
        self.conv_l2 = nn.Conv2d(out, out, kernel_size=(1, kernel), padding=(0, pad))
        self.conv_r1 = nn.Conv2d(channels, out, kernel_size=(1, kernel), padding=(0, pad))
        self.conv_r2 = nn.Conv2d(out, out, kernel_size=(kernel, 1), padding=(pad, 0))

    def forward(self, x):
        x_l = self.conv_l2(self.conv_l1(x))
        x_r = self.conv_r2(self.conv_r1(x))
        return x_l + x_r


class BoundaryRefine(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        residual = self.conv1(x)
        residual = self.relu(residual)
        residual = self.conv2(residual)
        return x + residual


class Gcn(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.backbone = ResNet(dilated=False)
        self.gcm = nn.ModuleList(GlobalConv(count, classes) for count in self.backbone.channels)
        self.brm = nn.ModuleList(BoundaryRefine(classes) for _ in range(9))

    def forward(self, x):
        size = x.size()[2:]
        fm1, fm2, fm3, fm4 = self.backbone(x)
        gcfm1 = self.brm[0](self.gcm[3](fm4))
        gcfm2 = self.brm[1](self.gcm[2](fm3))
        gcfm3 = self.brm[2](self.gcm[1](fm2))
        gcfm4 = self.brm[3](self.gcm[0](fm1))
        fs1 = self.brm[4](F.upsample_bilinear(gcfm1, fm3.size()[2:]) + gcfm2)
        fs2 = self.brm[5](F.upsample_bilinear(fs1, fm2.size()[2:]) + gcfm3)
        fs3 = self.brm[6](F.upsample_bilinear(fs2, fm1.size()[2:]) + gcfm4)
        fs4 = self.brm[7](F.upsample_bilinear(fs3, (fm1.size(2) * 2, fm1.size(3) * 2)))
        return self.brm[8](F.upsample_bilinear(fs4, size))
