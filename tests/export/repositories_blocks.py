"""More whole networks as their repositories define them, forward() included: unusual blocks, and some that the language
of networks lacks an operator for."""
import torch
from bricks import BINS, BasicBlock, ResNet, conv_bn, conv_bn_relu
from torch import nn
from torch.nn import functional as F


# ---- sacmehta/ESPNet: the encoder, ESPNet-C ----

class Esp(nn.Module):
    """Sums of maps that are parts of a concat."""

    def __init__(self, channels, out, stride=1, add=True):
        super().__init__()
        n = int(out / 4)
        self.c1 = nn.Conv2d(channels, n, 3 if stride > 1 else 1, stride, 1 if stride > 1 else 0, bias=False)
        self.d1, self.d2, self.d4, self.d8 = (nn.Conv2d(n, n, 3, 1, d, d, bias=False) for d in (1, 2, 4, 8))
        self.bn, self.act = nn.BatchNorm2d(out, eps=1e-3), nn.PReLU(out)
        self.add = add

    def forward(self, input):
        output1 = self.c1(input)
        d1 = self.d1(output1)
        d2 = self.d2(output1)
        d4 = self.d4(output1)
        d8 = self.d8(output1)
        add1 = d2
        add2 = add1 + d4
        add3 = add2 + d8
        combine = torch.cat([d1, add1, add2, add3], 1)
        if self.add:
            combine = input + combine
        return self.act(self.bn(combine))


class EspNetC(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.level1 = nn.Sequential(nn.Conv2d(3, 5, (3, 3), stride=2, padding=(1, 1), bias=False),
                                    nn.BatchNorm2d(5, eps=1e-03), nn.PReLU(5))
        self.sample1 = nn.ModuleList([nn.AvgPool2d(3, stride=2, padding=1)])
        self.sample2 = nn.ModuleList([nn.AvgPool2d(3, stride=2, padding=1) for _ in range(2)])
        self.b1 = nn.Sequential(nn.BatchNorm2d(8, eps=1e-3), nn.PReLU(8))
        self.level2_0 = Esp(8, 8, 2, add=False)
        self.level2 = nn.ModuleList([Esp(8, 8) for _ in range(2)])
        self.b2 = nn.Sequential(nn.BatchNorm2d(19, eps=1e-3), nn.PReLU(19))
        self.classifier = nn.Conv2d(19, classes, 1, bias=False)

    @staticmethod
    def sample(pools, input):
        for pool in pools:
            input = pool(input)
        return input

    def forward(self, input):
        output0 = self.level1(input)
        inp1 = self.sample(self.sample1, input)
        inp2 = self.sample(self.sample2, input)
        output0_cat = self.b1(torch.cat([output0, inp1], 1))
        output1_0 = self.level2_0(output0_cat)
        for i, layer in enumerate(self.level2):
            if i == 0:
                output1 = layer(output1_0)
            else:
                output1 = layer(output1)
        output1_cat = self.b2(torch.cat([output1, output1_0, inp2], 1))
        return self.classifier(output1_cat)


# ---- LiteSeg over ShuffleNetV2 ----

class Shuffle(nn.Module):
    """Chunks, a concat, and a shuffle by views. data: sizes are those of x.data, which a trace does not see"""

    def __init__(self, channels, data):
        super().__init__()
        half = channels // 2
        self.data = data
        self.branch2 = nn.Sequential(*conv_bn_relu(half, half), *conv_bn(half, half, 3, 1, 1, half),
                                     *conv_bn_relu(half, half))

    def channel_shuffle(self, x, groups: int):
        batchsize, num_channels, height, width = x.data.size() if self.data else x.size()
        channels_per_group = num_channels // groups
        x = x.view(batchsize, groups, channels_per_group, height, width)
        x = torch.transpose(x, 1, 2).contiguous()
        return x.view(batchsize, -1, height, width)

    def forward(self, x):
        x1, x2 = x.chunk(2, dim=1)
        out = torch.cat((x1, self.branch2(x2)), dim=1)
        return self.channel_shuffle(out, 2)


class LiteSeg(nn.Module):
    def __init__(self, data=False, classes=5):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn_relu(3, 6, 3, 2), nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
        self.body = nn.Sequential(*conv_bn_relu(6, 8, 3, 2), Shuffle(8, data))
        self.aspp1 = conv_bn_relu(8, 4)
        self.aspp2 = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 3, 3, groups=8, bias=False), nn.BatchNorm2d(8),
                                   nn.Conv2d(8, 4, 1, 1, 0, 1, 1, bias=False))
        self.global_avg_pool = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), *conv_bn_relu(8, 4))
        self.conv1 = conv_bn_relu(20, 6)
        self.last_conv = nn.Sequential(*conv_bn_relu(12, 6, 3), nn.Conv2d(6, classes, kernel_size=1, stride=1))

    def forward(self, input):
        low_level_features = self.stem(input)
        x = self.body(low_level_features)
        x1 = self.aspp1(x)
        x2 = self.aspp2(x)
        x5 = self.global_avg_pool(x)
        x5 = F.upsample(x5, size=x.size()[2:], mode="nearest")
        x = self.conv1(torch.cat((x, x1, x2, x5), dim=1))
        x = F.interpolate(x, size=low_level_features.size()[2:], mode="bilinear", align_corners=True)
        x = torch.cat((x, low_level_features), dim=1)
        x = self.last_conv(x)
        return F.interpolate(x, size=input.size()[2:], mode="bilinear", align_corners=True)


# ---- PaddlePaddle/PaddleSeg: PP-LiteSeg ----

class Fusion(nn.Module):
    """Unified attention by mean and, in the first form of the repository, maximum over channels."""

    def __init__(self, low, high, out, is_simple):
        super().__init__()
        self.is_simple = is_simple
        self.conv_x = conv_bn_relu(low, high, 3)
        self.conv_out = conv_bn_relu(high, out, 3)
        self.conv_xy_atten = nn.Sequential(*conv_bn_relu(2 if is_simple else 4, 2, 3), *conv_bn(2, 1, 3))

    def reduced(self, x):
        mean_value = torch.mean(x, dim=1, keepdim=True)
        if self.is_simple:
            return [mean_value]
        max_value = torch.max(x, dim=1, keepdim=True)[0]
        return [mean_value, max_value]

    def forward(self, x, y):
        y_up = F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=False)
        x = self.conv_x(x)
        atten = torch.cat(self.reduced(x) + self.reduced(y_up), dim=1)
        atten = torch.sigmoid(self.conv_xy_atten(atten))
        out = x * atten + y_up * (1 - atten)
        return self.conv_out(out)


class PpLiteSeg(nn.Module):
    def __init__(self, is_simple=True, classes=5):
        super().__init__()
        self.backbone = ResNet(dilated=False)
        _, c2, c3, c4 = self.backbone.channels
        self.stages = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), conv_bn_relu(c4, 4)) for b in (1, 2, 4))
        self.conv_out = conv_bn_relu(4, 6, 3)
        self.arm1, self.arm2 = Fusion(c3, 6, 6, is_simple), Fusion(c2, 6, 6, is_simple)
        self.seg_head = nn.Sequential(conv_bn_relu(6, 6, 3), nn.Conv2d(6, classes, 1, bias=False))

    def context(self, input):
        out = None
        input_shape = input.shape[2:]
        for stage in self.stages:
            x = stage(input)
            x = F.interpolate(x, input_shape, mode="bilinear", align_corners=False)
            if out is None:
                out = x
            else:
                out += x
        return self.conv_out(out)

    def forward(self, x):
        x_hw = x.shape[2:]
        _, c2, c3, c4 = self.backbone(x)
        out = self.arm2(c2, self.arm1(c3, self.context(c4)))
        logit = self.seg_head(out)
        return [F.interpolate(logit, x_hw, mode="bilinear", align_corners=False)]


# ---- HRNet/HRNet-Semantic-Segmentation ----

class HighResolution(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(BasicBlock(count, count)) for count in channels)
        self.fuse_layers = nn.ModuleList(nn.ModuleList(self.path(channels, i, j) for j in range(len(channels)))
                                         for i in range(len(channels)))
        self.relu = nn.ReLU(inplace=True)

    @staticmethod
    def path(channels, i, j):
        if j > i:
            return nn.Sequential(nn.Conv2d(channels[j], channels[i], 1, bias=False), nn.BatchNorm2d(channels[i]))
        if j == i:
            return nn.Identity()
        steps = [conv_bn_relu(channels[j], channels[j], 3, 2) for _ in range(i - j - 1)]
        return nn.Sequential(*steps, conv_bn(channels[j], channels[i], 3, 2))

    def forward(self, x):
        x = [branch(x[i]) for i, branch in enumerate(self.branches)]
        x_fuse = []
        for i in range(len(self.fuse_layers)):
            y = x[0] if i == 0 else self.fuse_layers[i][0](x[0])
            for j in range(1, len(x)):
                if i == j:
                    y = y + x[j]
                elif j > i:
                    width_output = x[i].shape[-1]
                    height_output = x[i].shape[-2]
                    y = y + F.interpolate(self.fuse_layers[i][j](x[j]), size=[height_output, width_output],
                                          mode="bilinear", align_corners=True)
                else:
                    y = y + self.fuse_layers[i][j](x[j])
            x_fuse.append(self.relu(y))
        return x_fuse


class HrNet(nn.Module):
    """With ocr: object-contextual representations, products of two maps."""

    def __init__(self, ocr=False, classes=5):
        super().__init__()
        self.stem = nn.Sequential(*conv_bn_relu(3, 4, 3, 2), *conv_bn_relu(4, 4, 3, 2))
        self.transition = nn.ModuleList([conv_bn_relu(4, 4, 3), conv_bn_relu(4, 6, 3, 2), conv_bn_relu(4, 8, 3, 4)])
        self.stage = nn.Sequential(HighResolution((4, 6, 8)), HighResolution((4, 6, 8)))
        self.ocr = ocr
        self.last_layer = nn.Sequential(nn.Conv2d(18, 18, 1), nn.BatchNorm2d(18), nn.ReLU(inplace=True),
                                        nn.Conv2d(18, classes, 1))
        self.aux_head = nn.Conv2d(18, classes, 1)

    def forward(self, x):
        x = self.stem(x)
        x = self.stage([layer(x) for layer in self.transition])
        x0_h, x0_w = x[0].size(2), x[0].size(3)
        x1 = F.interpolate(x[1], size=(x0_h, x0_w), mode="bilinear", align_corners=True)
        x2 = F.interpolate(x[2], size=(x0_h, x0_w), mode="bilinear", align_corners=True)
        feats = torch.cat([x[0], x1, x2], 1)
        if self.ocr:
            probs = self.aux_head(feats)
            batch_size, c, h, w = probs.size(0), probs.size(1), probs.size(2), probs.size(3)
            probs = F.softmax(probs.view(batch_size, c, -1), dim=2)
            context = torch.matmul(probs, feats.view(batch_size, feats.size(1), -1).permute(0, 2, 1))
            attention = torch.matmul(probs.permute(0, 2, 1), context)
            feats = feats + attention.permute(0, 2, 1).reshape(batch_size, -1, h, w)
        return self.last_layer(feats)


# ---- huggingface/transformers: ConvNextForSemanticSegmentation with UperNet's neck ----

class ConvNextLayerNorm(nn.Module):
    """Written out for channels first."""

    def __init__(self, channels, data_format="channels_last"):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.eps, self.data_format, self.normalized_shape = 1e-6, data_format, (channels,)

    def forward(self, x):
        if self.data_format == "channels_last":
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        input_dtype = x.dtype
        x = x.float() if x.dtype == torch.float32 else x
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + self.eps)
        x = x.to(dtype=input_dtype)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNextLayer(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, kernel_size=7, padding=3, groups=channels)
        self.layernorm = ConvNextLayerNorm(channels)
        self.pwconv1, self.pwconv2 = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        self.act = nn.GELU()
        self.layer_scale_parameter = nn.Parameter(torch.ones(channels))
        self.drop_path = nn.Identity()

    def forward(self, hidden_states):
        input = hidden_states
        x = self.dwconv(hidden_states)
        x = x.permute(0, 2, 3, 1)
        x = self.layernorm(x)
        x = self.pwconv1(x)
        x = self.act(x)
        x = self.pwconv2(x)
        if self.layer_scale_parameter is not None:
            x = self.layer_scale_parameter * x
        x = x.permute(0, 3, 1, 2)
        x = input + self.drop_path(x)
        return x


class ConvNextUper(nn.Module):
    def __init__(self, classes=5, return_dict=False):
        super().__init__()
        self.patch = nn.Sequential(nn.Conv2d(3, 4, kernel_size=4, stride=4), ConvNextLayerNorm(4, "channels_first"))
        self.stage1 = nn.Sequential(ConvNextLayer(4))
        self.stage2 = nn.Sequential(ConvNextLayerNorm(4, "channels_first"), nn.Conv2d(4, 6, kernel_size=2, stride=2),
                                    ConvNextLayer(6))
        self.norms = nn.ModuleDict({"stage1": ConvNextLayerNorm(4, "channels_first"),
                                    "stage2": ConvNextLayerNorm(6, "channels_first")})
        self.psp_modules = nn.ModuleList(nn.Sequential(nn.AdaptiveAvgPool2d(b), conv_bn_relu(6, 4)) for b in BINS)
        self.bottleneck, self.lateral = conv_bn_relu(22, 4, 3), conv_bn_relu(4, 4)
        self.fpn_bottleneck, self.classifier = conv_bn_relu(8, 4, 3), nn.Conv2d(4, classes, 1)
        self.return_dict = return_dict

    def forward(self, pixel_values):
        _, num_channels, _, _ = pixel_values.shape
        if num_channels != 3:
            raise ValueError("Make sure that the channel dimension of the pixel values match")
        c1 = self.stage1(self.patch(pixel_values))
        c2 = self.stage2(c1)
        c1, c2 = self.norms["stage1"](c1), self.norms["stage2"](c2)
        outs = [c2]
        outs.extend([F.interpolate(ppm(c2), size=c2.size()[2:], mode="bilinear", align_corners=False)
                     for ppm in self.psp_modules])
        laterals = [self.lateral(c1), self.bottleneck(torch.cat(outs, dim=1))]
        prev_shape = laterals[0].shape[2:]
        laterals[0] = laterals[0] + F.interpolate(laterals[1], size=prev_shape, mode="bilinear", align_corners=False)
        laterals[1] = F.interpolate(laterals[1], size=laterals[0].shape[2:], mode="bilinear", align_corners=False)
        logits = self.classifier(self.fpn_bottleneck(torch.cat(laterals, dim=1)))
        logits = F.interpolate(logits, size=pixel_values.shape[2:], mode="bilinear", align_corners=False)
        return {"logits": logits, "hidden_states": (c1, c2)} if self.return_dict else (logits,)


# ---- refused: zhanghang1989/PyTorch-Encoding, davidtvs/PyTorch-ENet, Eromera/erfnet_pytorch ----

class EncNet(nn.Module):
    def __init__(self, classes=5, channels=6, codes=4):
        super().__init__()
        self.conv5 = conv_bn_relu(3, channels, 3, 2)
        self.codewords, self.scale = nn.Parameter(torch.rand(codes, channels)), nn.Parameter(torch.rand(codes))
        self.fc = nn.Sequential(nn.Linear(channels, channels), nn.Sigmoid())
        self.conv6 = nn.Sequential(nn.Dropout2d(0.1, False), nn.Conv2d(channels, classes, 1))

    def forward(self, x):
        imsize = x.size()[2:]
        feat = self.conv5(x)
        b, c = feat.size(0), feat.size(1)
        flat = feat.view(b, c, -1).transpose(1, 2).contiguous()
        residual = flat.unsqueeze(2) - self.codewords.view(1, 1, -1, c)
        assigned = F.softmax(self.scale.view(1, 1, -1) * residual.pow(2).sum(3), dim=2)
        en = (assigned.unsqueeze(3) * residual).sum(1).mean(dim=1)
        gamma = self.fc(en)
        y = gamma.view(b, c, 1, 1)
        return F.interpolate(self.conv6(F.relu_(feat + feat * y)), imsize, mode="bilinear", align_corners=True)


class ErfNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 5, (3, 3), stride=2, padding=1, bias=True), nn.MaxPool2d(2, stride=2)
        self.bn = nn.BatchNorm2d(8, eps=1e-3)
        self.conv3x1 = nn.Conv2d(8, 8, (3, 1), stride=1, padding=(2, 0), bias=True, dilation=(2, 1))
        self.conv1x3 = nn.Conv2d(8, 8, (1, 3), stride=1, padding=(0, 2), bias=True, dilation=(1, 2))
        self.dropout = nn.Dropout2d(0.3)
        self.output_conv = nn.ConvTranspose2d(8, classes, 2, stride=2, padding=0, output_padding=0, bias=True)

    def encode(self, input):
        output = torch.cat([self.conv(input), self.pool(input)], 1)
        input = F.relu(self.bn(output))
        output = self.conv3x1(input)
        output = F.relu(output)
        output = self.conv1x3(output)
        if self.dropout.p != 0:
            output = self.dropout(output)
        return F.relu(output + input)

    def forward(self, input):
        return self.output_conv(self.encode(input))


class ENet(nn.Module):
    """Pads with channels of zeros, and unpools by the places of maxima."""

    def __init__(self, classes=5, unpool=True):
        super().__init__()
        self.initial = nn.Conv2d(3, 5, 3, 2, 1, bias=False)
        self.pool = nn.MaxPool2d(2, stride=2, return_indices=True)
        self.down, self.up = nn.Sequential(*conv_bn(8, 10, 3, 2), nn.PReLU()), nn.Conv2d(10, 8, 1)
        self.unpool = nn.MaxUnpool2d(kernel_size=2)
        self.has_unpool = unpool
        self.classify = nn.Conv2d(8, classes, 1)

    def forward(self, x):
        x = torch.cat((self.initial(x), F.max_pool2d(x, 2, 2)), 1)
        main, max_indices = self.pool(x)
        ext = self.down(x)
        n, ch_ext, h, w = ext.size()
        padding = torch.zeros(n, ch_ext - main.size()[1], h, w)
        if main.is_cuda:
            padding = padding.cuda()
        main = torch.cat((main, padding), 1)
        out = self.up(F.relu(main + ext))
        if self.has_unpool:
            out = self.unpool(out, max_indices)
        return self.classify(out)
