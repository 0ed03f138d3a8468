"""segmentation_models_pytorch's PSPNet with the names of its checkpoints, and with few channels, over the encoders of
torchvision: ResNets, MobileNetV2, DenseNet, VGG."""
import torch
from modules_pspnet import BINS, DenseLayer, MobileNetV2, ResNet, Transition, conv_bn, stretch
from torch import nn
from torch.nn import functional as F


class ConvReLU(nn.Sequential):
    def __init__(self, channels, out, has_norm):
        super().__init__(nn.Conv2d(channels, out, 1, bias=not has_norm),
                         nn.BatchNorm2d(out) if has_norm else nn.Identity(), nn.ReLU())


class SmpBlock(nn.Module):
    def __init__(self, channels, out, size, has_norm):
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(size), ConvReLU(channels, out, has_norm and size != 1))

    def forward(self, x):
        return stretch(self.pool(x), x.shape[2:])


class Smp(nn.Module):
    """features: of the encoder and an image, what the pyramid reads"""

    def __init__(self, encoder, features, channels, classes=5, has_norm=True, upsampling=8):
        super().__init__()
        self.encoder, self.features, self.upsampling = encoder, features, upsampling
        self.decoder = nn.Module()
        self.decoder.psp = nn.Module()
        self.decoder.psp.blocks = nn.ModuleList(SmpBlock(channels, channels // 4, b, has_norm) for b in BINS)
        self.decoder.conv = ConvReLU(2 * channels, 16, has_norm)
        self.segmentation_head = nn.Sequential(nn.Conv2d(16, classes, 3, padding=1))
        self.classification_head = nn.Sequential(nn.Identity(), nn.Flatten(), nn.Identity(), nn.Linear(channels, 3))

    def forward(self, image):
        x = self.features(self.encoder, image)
        x = self.decoder.conv(torch.cat([block(x) for block in self.decoder.psp.blocks] + [x], 1))
        x = self.segmentation_head(x)
        return stretch(x, [self.upsampling * n for n in x.shape[2:]])


class Dense(nn.Module):
    """torchvision's DenseNet."""

    def __init__(self, growth=8, counts=(3, 2, 3, 2)):
        super().__init__()
        self.features, channels = nn.Sequential(), 8
        for name, part in zip(("conv0", "norm0", "relu0", "pool0"),
                              (*conv_bn(3, 8, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))):
            self.features.add_module(name, part)
        for i, count in enumerate(counts, 1):
            block = nn.Sequential()
            for layer in range(1, count + 1):
                block.add_module(f"denselayer{layer}", DenseLayer(channels, growth))
                channels += growth
            self.features.add_module(f"denseblock{i}", block)
            if i < 4:
                self.features.add_module(f"transition{i}", Transition(channels, True))
                channels //= 2
        self.features.norm5 = nn.BatchNorm2d(channels)

    def map(self, x, depth):
        """Before the last transition's convolution."""
        for name, part in self.features.named_children():
            if name == f"transition{depth - 1}":
                return F.relu(part.norm(x))
            x = part(x)
        return x


class VGG(nn.Module):
    def __init__(self, has_norm, base=4):
        super().__init__()
        layers, channels = [], 3
        for times in (1, 1, 0, 2, 2, 0, 4, 0, 8, 8, 0, 8, 0):
            if not times:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(channels, times * base, 3, padding=1)] + has_norm * [nn.BatchNorm2d(times * base)]
            layers.append(nn.ReLU())
            channels = times * base
        self.features = nn.Sequential(*layers)

    def map(self, x, depth):
        pools = 0
        for layer in self.features:
            pools += isinstance(layer, nn.MaxPool2d)
            if pools > depth:
                return x
            x = layer(x)
        return x


def smp_dense(depth=3):
    encoder = Dense()
    norms = {3: "transition2.norm.weight", 4: "transition3.norm.weight", 5: "norm5.weight"}
    return Smp(encoder, lambda encoder, x: encoder.map(x, depth), len(encoder.features.get_parameter(norms[depth])))


def smp_vgg(has_norm, depth=3):
    return Smp(VGG(has_norm), lambda encoder, x: encoder.map(x, depth), 32)


def smp_resnet(depth, encoder_depth=3, base=8, channels=3, groups=1, **options):
    encoder = ResNet(depth, base, (1, 2, 2, 2), (1,) * 4, (1,) * 4, channels=channels, groups=groups)
    width = (base << encoder_depth - 2) * (4 if depth > 34 else 1)
    return Smp(encoder, lambda encoder, x: encoder.maps(x)[encoder_depth - 2], width, **options)


def smp_mobilenet(encoder_depth=3):
    end, channels = {3: (7, 4), 4: (14, 12), 5: (19, 80)}[encoder_depth]
    return Smp(MobileNetV2(True, last=True), lambda encoder, x: encoder.features[:end](x), channels)
