"""Habits that the language of networks has no layer for: REFUSED has their makers, each with a part of the sentence."""
import torch
from habits import applied, conv, net, parameter
from torch import nn
from torch.nn import functional as F


def pads_by_value(self, x, _):
    return self.conv(F.pad(x, (1, 1, 1, 1), value=0.5))


def crops_by_padding(self, x, _):
    return F.pad(x, (-1, -1, 0, 0))


def by_fraction_recomputed(self, x, _):
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False, recompute_scale_factor=True)


def by_two_factors(self, x, _):
    return F.interpolate(x, scale_factor=(2.0, 3.0), mode="nearest")


def window_of_half(self, x, _):
    return F.avg_pool2d(x, kernel_size=(x.size(2) // 2, x.size(3) // 2))


def bins_of_the_map(self, x, _):
    return F.adaptive_avg_pool2d(x, (x.size(2) // 2, 1))


def bins_none(self, x, _):
    return F.adaptive_avg_pool2d(x, (None, 1)).expand(-1, -1, -1, x.size(3))


def spatial_max(self, x, _):
    return x * torch.sigmoid(torch.max(x, dim=1, keepdim=True)[0])


REFUSED = {
    "pads_by_value": (net(pads_by_value, conv=conv(4, 4, 3)), "pad"),
    "reflects": (net(applied, op=lambda: nn.ReflectionPad2d(1)), "'reflect'"),
    "by_fraction_recomputed": (net(by_fraction_recomputed), "aten::upsample_bilinear2d"),
    "crops_by_padding": (net(crops_by_padding), "pad"),
    "by_two_factors": (net(by_two_factors), "upsample_nearest2d"),
    "window_of_half": (net(window_of_half), "avg_pool2d"),
    "bins_of_the_map": (net(bins_of_the_map), "adaptive_avg_pool2d"),
    "bins_none": (net(bins_none), "adaptive_avg_pool2d"),
    "spatial_max": (net(spatial_max), "aten::max"),
    "bicubic": (net(lambda self, x, _: F.interpolate(x, scale_factor=2, mode="bicubic")), "aten::upsample_bicubic2d"),
    "nearest_exact": (net(lambda self, x, _: F.interpolate(x, scale_factor=2, mode="nearest-exact")),
                      "aten::_upsample_nearest_exact2d"),
    "elu_alpha": (net(applied, op=lambda: nn.ELU(0.5)), "aten::elu"),
    "selu": (net(applied, op=nn.SELU), "aten::selu"),
    "softplus_beta": (net(applied, op=lambda: nn.Softplus(beta=2)), "aten::softplus"),
    "max_dilated": (net(applied, op=lambda: nn.MaxPool2d(3, 1, dilation=2)), "aten::max_pool2d"),
    "transposed": (net(applied, op=lambda: nn.ConvTranspose2d(4, 4, 2, 2)), "aten::_convolution"),
    "reflected_conv": (net(applied, op=conv(4, 4, 3, padding=1, padding_mode="reflect")), "pad"),
    "pixel_shuffle": (net(applied, out=1, op=lambda: nn.PixelShuffle(2)), "aten::pixel_shuffle"),
    "norm_of_the_batch": (net(applied, op=lambda: nn.BatchNorm2d(4, track_running_stats=False)), "aten::batch_norm"),
    "layer_norm_of_all": (net(applied, op=lambda: nn.LayerNorm([4, 16, 12])), "aten::layer_norm"),
    "concat_of_rows": (net(lambda self, x, _: torch.cat([x, x], 2)), "aten::cat"),
    "concat_of_images": (net(lambda self, x, _: torch.cat([x, x])), "aten::cat"),
    "mean_of_the_batch": (net(lambda self, x, _: x - x.mean(0, keepdim=True)), "aten::mean"),
    "mean_of_all": (net(lambda self, x, _: x - x.mean()), "aten::mean"),
    "every_second_pixel": (net(lambda self, x, _: x[..., ::2, ::2]), "aten::slice"),
    "crop": (net(lambda self, x, _: x[:, :, 1:, 1:]), "aten::slice"),
    "position_embedding": (net(lambda self, x, _: x + self.pos, pos=parameter(1, 4, 16, 12)), "aten::add"),
    "product_of_maps": (net(lambda self, x, _: torch.matmul(x, x.transpose(2, 3))), "aten::matmul"),
    "quotient": (net(lambda self, x, _: x / (x.abs() + 1)), "aten::"),
    "transposed_map": (net(lambda self, x, _: x.transpose(2, 3)), "axes"),
    "noise": (net(lambda self, x, _: x + torch.randn_like(x)), "aten::randn_like"),
    "softmax_of_rows": (net(applied, op=lambda: nn.Softmax(dim=2)), "aten::softmax"),
    "sorted": (net(lambda self, x, _: torch.sort(x, 1)[0]), "aten::sort"),
}
