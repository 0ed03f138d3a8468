"""Whole networks with pyramid pooling as their repositories define them, forward() included."""
import torch
from bricks import BINS, ResNet, conv_bn, conv_bn_relu
from torch import nn
from torch.nn import functional as F


# ---- hszhao/semseg ----

class SemsegPPM(nn.Module):
    def __init__(self, channels, reduction, bins):
        super().__init__()
        features = []
        for b in bins:
            features.append(nn.Sequential(nn.AdaptiveAvgPool2d(b), *conv_bn_relu(channels, reduction)))
        self.features = nn.ModuleList(features)

    def forward(self, x):
        x_size = x.size()
        out = [x]
        for f in self.features:
            out.append(F.interpolate(f(x), x_size[2:], mode="bilinear", align_corners=True))
        return torch.cat(out, 1)


class Semseg(nn.Module):
    """The answer's size is Python's, and only sizes of 8 k + 1 are allowed."""

    def __init__(self, classes=5, zoom_factor=8):
        super().__init__()
        self.zoom_factor = zoom_factor
        resnet = ResNet()
        self.layer0 = nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool)
        self.layer1, self.layer2, self.layer3, self.layer4 = resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4
        channels = resnet.channels[-1]
        self.ppm = SemsegPPM(channels, channels // len(BINS), BINS)
        self.cls = nn.Sequential(*conv_bn_relu(2 * channels, 8, 3), nn.Dropout2d(p=0.1), nn.Conv2d(8, classes, 1))
        if self.training:
            self.aux = nn.Sequential(*conv_bn_relu(resnet.channels[-2], 8, 3), nn.Dropout2d(p=0.1),
                                     nn.Conv2d(8, classes, 1))

    def forward(self, x, y=None):
        x_size = x.size()
        assert (x_size[2] - 1) % 8 == 0 and (x_size[3] - 1) % 8 == 0
        h = int((x_size[2] - 1) / 8 * self.zoom_factor + 1)
        w = int((x_size[3] - 1) / 8 * self.zoom_factor + 1)
        x = self.layer0(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x_tmp = self.layer3(x)
        x = self.layer4(x_tmp)
        x = self.ppm(x)
        x = self.cls(x)
        if self.zoom_factor != 1:
            x = F.interpolate(x, size=(h, w), mode="bilinear", align_corners=True)
        if self.training:
            aux = self.aux(x_tmp)
            return x.max(1)[1], aux
        return x


# ---- Lextal/pspnet-pytorch ----

class LextalModule(nn.Module):
    def __init__(self, features, out_features, sizes=BINS):
        super().__init__()
        self.stages = nn.ModuleList([self._make_stage(features, size) for size in sizes])
        self.bottleneck = nn.Conv2d(features * (len(sizes) + 1), out_features, kernel_size=1)
        self.relu = nn.ReLU()

    def _make_stage(self, features, size):
        prior = nn.AdaptiveAvgPool2d(output_size=(size, size))
        conv = nn.Conv2d(features, features, kernel_size=1, bias=False)
        return nn.Sequential(prior, conv)

    def forward(self, feats):
        h, w = feats.size(2), feats.size(3)
        priors = [F.upsample(input=stage(feats), size=(h, w), mode="bilinear") for stage in self.stages] + [feats]
        bottle = self.bottleneck(torch.cat(priors, 1))
        return self.relu(bottle)


class LextalUpsample(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.PReLU())

    def forward(self, x):
        h, w = 2 * x.size(2), 2 * x.size(3)
        p = F.upsample(input=x, size=(h, w), mode="bilinear")
        return self.conv(p)


class DenseLayer(nn.Sequential):
    def __init__(self, channels, growth):
        super().__init__(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, growth, 1, bias=False),
                         nn.BatchNorm2d(growth), nn.ReLU(inplace=True), nn.Conv2d(growth, growth, 3, 1, 1, bias=False))
        self.drop_rate = 0.2

    def forward(self, x):
        new_features = super().forward(x)
        if self.drop_rate > 0:
            new_features = F.dropout(new_features, p=self.drop_rate, training=self.training)
        return torch.cat([x, new_features], 1)


class DenseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.start_features = nn.Sequential(*conv_bn_relu(3, 6, 7, 2), nn.MaxPool2d(3, 2, 1))
        self.transition = nn.Sequential(DenseLayer(6, 2), DenseLayer(8, 2), nn.BatchNorm2d(10), nn.ReLU(inplace=True),
                                        nn.Conv2d(10, 5, 1, bias=False))
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)
        self.channels = (5, 9)

    def forward(self, x):
        out = self.start_features(x)
        deep_features = self.transition(out)
        out = self.pool(deep_features)
        block = nn.Sequential(*self.children())[1]  # Python that a trace does not see
        assert block is self.transition
        return torch.cat([out, F.relu(out[:, :4])], 1), deep_features


class Fire(nn.Module):
    def __init__(self, channels, squeeze, expand):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat([self.expand1x1_activation(self.expand1x1(x)),
                          self.expand3x3_activation(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.feat_1 = nn.Sequential(nn.Conv2d(3, 6, kernel_size=3, padding=1), nn.ReLU(inplace=True))
        self.feat_2 = nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True), Fire(6, 2, 3))
        self.feat_3 = nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), Fire(6, 3, 4), nn.MaxPool2d(3, 2, 1))
        self.channels = (6, 8)

    def forward(self, x):
        f1 = self.feat_1(x)
        f2 = self.feat_2(f1)
        return self.feat_3(f2), f2


class LextalBackbone(ResNet):
    def forward(self, x):
        *_, x_3, x = super().forward(x)
        return x, x_3


class Lextal(nn.Module):
    """The second output is a classifier of the whole image, by operators that nothing else has."""

    def __init__(self, backend, classes=4):
        super().__init__()
        self.feats = backend()
        deep_features, features = self.feats.channels[-2:]
        self.psp = LextalModule(features, 12)
        self.drop_1 = nn.Dropout2d(p=0.3)
        self.up_1 = LextalUpsample(12, 6)
        self.up_2 = LextalUpsample(6, 4)
        self.up_3 = LextalUpsample(4, 4)
        self.drop_2 = nn.Dropout2d(p=0.15)
        self.final = nn.Sequential(nn.Conv2d(4, classes, kernel_size=1), nn.LogSoftmax())
        self.classifier = nn.Sequential(nn.Linear(deep_features, 8), nn.ReLU(), nn.Linear(8, classes))

    def forward(self, x):
        f, class_f = self.feats(x)
        p = self.psp(f)
        p = self.drop_1(p)
        p = self.up_1(p)
        p = self.drop_2(p)
        p = self.up_2(p)
        p = self.drop_2(p)
        p = self.up_3(p)
        p = self.drop_2(p)
        auxiliary = F.adaptive_max_pool2d(input=class_f, output_size=(1, 1)).view(-1, class_f.size(1))
        return self.final(p), self.classifier(auxiliary)


# ---- bubbliiiing/pspnet-pytorch ----

class InvertedResidual(nn.Module):
    def __init__(self, channels, out, stride, expand):
        super().__init__()
        hidden = round(channels * expand)
        self.use_res_connect = stride == 1 and channels == out
        self.conv = nn.Sequential(*conv_bn(channels, hidden), nn.ReLU6(inplace=True),
                                  *conv_bn(hidden, hidden, 3, stride, groups=hidden), nn.ReLU6(inplace=True),
                                  *conv_bn(hidden, out))

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class BubbliiiingModule(nn.Module):
    def __init__(self, channels, pool_sizes):
        super().__init__()
        out = channels // len(pool_sizes)
        self.stages = nn.ModuleList([nn.Sequential(nn.AdaptiveAvgPool2d(size), *conv_bn_relu(channels, out))
                                     for size in pool_sizes])
        self.bottleneck = nn.Sequential(*conv_bn_relu(channels + out * len(pool_sizes), out, 3), nn.Dropout2d(0.1))

    def forward(self, features):
        h, w = features.size()[2], features.size()[3]
        pyramids = [features]
        pyramids.extend([F.interpolate(stage(features), size=(h, w), mode="bilinear", align_corners=True)
                         for stage in self.stages])
        return self.bottleneck(torch.cat(pyramids, dim=1))


class Bubbliiiing(nn.Module):
    """Answers (auxiliary, main) if it has the auxiliary branch."""

    def __init__(self, aux_branch=False, classes=4):
        super().__init__()
        self.features = nn.Sequential(nn.Sequential(*conv_bn(3, 4, 3, 2), nn.ReLU6(inplace=True)),
                                      InvertedResidual(4, 4, 1, 2), InvertedResidual(4, 8, 2, 3),
                                      InvertedResidual(8, 12, 2, 2), InvertedResidual(12, 12, 1, 2))
        self.master_branch = nn.Sequential(BubbliiiingModule(12, BINS), nn.Conv2d(3, classes, kernel_size=1))
        self.aux_branch = aux_branch
        if aux_branch:
            self.auxiliary_branch = nn.Sequential(*conv_bn_relu(8, 2, 3), nn.Dropout2d(0.1), nn.Conv2d(2, classes, 1))

    def forward(self, x):
        input_size = (x.size()[2], x.size()[3])
        x_aux = self.features[:3](x)
        x = self.features[3:](x_aux)
        output = self.master_branch(x)
        output = F.interpolate(output, size=input_size, mode="bilinear", align_corners=True)
        if self.aux_branch:
            output_aux = self.auxiliary_branch(x_aux)
            output_aux = F.interpolate(output_aux, size=input_size, mode="bilinear", align_corners=True)
            return output_aux, output
        return output


# ---- open-mmlab/mmsegmentation ----

def mmseg_resize(x, size, align_corners, is_old):
    if is_old and isinstance(size, torch.Size):
        size = tuple(int(n) for n in size)
    elif align_corners:
        input_h, input_w = tuple(int(n) for n in x.shape[2:])
        output_h, output_w = tuple(int(n) for n in size)
        assert output_h >= input_h or output_w >= input_w
    return F.interpolate(x, size, None, "bilinear", align_corners)


class MmsegPyramid(nn.ModuleList):
    def __init__(self, channels, width, align_corners, is_old):
        super().__init__()
        self.align_corners, self.is_old = align_corners, is_old
        for scale in BINS:
            self.append(nn.Sequential(nn.AdaptiveAvgPool2d(scale), conv_bn_relu(channels, width)))

    def forward(self, x):
        ppm_outs = []
        for ppm in self:
            ppm_out = ppm(x)
            ppm_outs.append(mmseg_resize(ppm_out, x.size()[2:], self.align_corners, self.is_old))
        return ppm_outs


class Mmseg(nn.Module):
    """is_old: sizes become Python's numbers, as in mmseg 0.x"""

    def __init__(self, align_corners=False, is_old=False, classes=5):
        super().__init__()
        self.align_corners, self.is_old = align_corners, is_old
        self.backbone = ResNet()
        channels = self.backbone.channels[-1]
        self.psp_modules = MmsegPyramid(channels, 4, align_corners, is_old)
        self.bottleneck = conv_bn_relu(channels + 16, 6, 3)
        self.dropout = nn.Dropout2d(0.1)
        self.conv_seg = nn.Conv2d(6, classes, kernel_size=1)

    def forward(self, x):
        inputs = [feature for i, feature in enumerate(self.backbone(x)) if i in (2, 3)]
        psp_outs = [inputs[-1]]
        psp_outs.extend(self.psp_modules(inputs[-1]))
        psp_outs = torch.cat(psp_outs, dim=1)
        out = self.conv_seg(self.dropout(self.bottleneck(psp_outs)))
        return mmseg_resize(out, x.shape[2:], self.align_corners, self.is_old)


# ---- CSAILVision/semantic-segmentation-pytorch ----

class CsailPPM(nn.Module):
    def __init__(self, channels, classes=5, width=4):
        super().__init__()
        self.ppm = nn.ModuleList([nn.Sequential(nn.AdaptiveAvgPool2d(scale), *conv_bn_relu(channels, width))
                                  for scale in BINS])
        self.conv_last = nn.Sequential(*conv_bn_relu(channels + len(BINS) * width, width, 3), nn.Dropout2d(0.1),
                                       nn.Conv2d(width, classes, kernel_size=1))

    def forward(self, conv_out, segSize=None):
        conv5 = conv_out[-1]
        input_size = conv5.size()
        ppm_out = [conv5]
        for pool_scale in self.ppm:
            ppm_out.append(nn.functional.interpolate(pool_scale(conv5), (input_size[2], input_size[3]),
                                                     mode="bilinear", align_corners=False))
        x = self.conv_last(torch.cat(ppm_out, 1))
        x = nn.functional.interpolate(x, size=segSize, mode="bilinear", align_corners=False)
        return nn.functional.softmax(x, dim=1)


class CsailUper(nn.Module):
    def __init__(self, channels, classes=5, width=4, fpn=6):
        super().__init__()
        self.ppm_pooling = nn.ModuleList([nn.AdaptiveAvgPool2d(scale) for scale in BINS])
        self.ppm_conv = nn.ModuleList([conv_bn_relu(channels[-1], width) for _ in BINS])
        self.ppm_last_conv = conv_bn_relu(channels[-1] + len(BINS) * width, fpn, 3)
        self.fpn_in = nn.ModuleList([conv_bn_relu(count, fpn) for count in channels[:-1]])
        self.fpn_out = nn.ModuleList([nn.Sequential(conv_bn_relu(fpn, fpn, 3)) for _ in channels[:-1]])
        self.conv_last = nn.Sequential(conv_bn_relu(len(channels) * fpn, fpn, 3), nn.Conv2d(fpn, classes, 1))

    def forward(self, conv_out, segSize=None):
        conv5 = conv_out[-1]
        input_size = conv5.size()
        ppm_out = [conv5]
        for pool_scale, pool_conv in zip(self.ppm_pooling, self.ppm_conv):
            ppm_out.append(pool_conv(nn.functional.interpolate(
                pool_scale(conv5), (input_size[2], input_size[3]), mode="bilinear", align_corners=False)))
        f = self.ppm_last_conv(torch.cat(ppm_out, 1))
        fpn_feature_list = [f]
        for i in reversed(range(len(conv_out) - 1)):
            conv_x = conv_out[i]
            conv_x = self.fpn_in[i](conv_x)
            f = nn.functional.interpolate(f, size=conv_x.size()[2:], mode="bilinear", align_corners=False)
            f = conv_x + f
            fpn_feature_list.append(self.fpn_out[i](f))
        fpn_feature_list.reverse()
        output_size = fpn_feature_list[0].size()[2:]
        fusion_list = [fpn_feature_list[0]]
        for i in range(1, len(fpn_feature_list)):
            fusion_list.append(nn.functional.interpolate(fpn_feature_list[i], output_size, mode="bilinear",
                                                         align_corners=False))
        x = self.conv_last(torch.cat(fusion_list, 1))
        x = nn.functional.interpolate(x, size=segSize, mode="bilinear", align_corners=False)
        return nn.functional.softmax(x, dim=1)


class Csail(nn.Module):
    """The module of both, which takes and answers more than images."""

    def __init__(self, decoder):
        super().__init__()
        self.encoder = ResNet(dilated=decoder is CsailPPM)
        channels = self.encoder.channels
        self.decoder = decoder(channels[-1] if decoder is CsailPPM else channels)

    def forward(self, img_data):
        feed_dict = {"img_data": img_data}
        segSize = (img_data.shape[2], img_data.shape[3])
        return self.decoder(self.encoder(feed_dict["img_data"], return_feature_maps=True), segSize=segSize)
