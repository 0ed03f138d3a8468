"""Small networks, each with a habit that real code has; HABITS has their makers, each with the sizes that it serves."""
import torch
from torch import nn
from torch.nn import functional as F


def net(function, channels=4, out=4, **modules):
    """A convolution, and what function(modules, x, image) makes of its output."""
    class Habit(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, channels, 3, padding=1)
            self.last = nn.Conv2d(out, 3, 1) if out else nn.Identity()
            for name, module in modules.items():
                setattr(self, name, module())

        def forward(self, image):
            return self.last(function(self, self.first(image), image))

    return Habit


# ---- what shares memory ----

def relu_changes_the_residual(self, x, _):
    residual = x
    return F.relu_(x) * 2 + residual


def relu_after_another_reader(self, x, _):
    """The reader before is not changed, since its result is another tensor."""
    y = x * 3
    F.relu_(x)
    return x + y


def dropout_shares(self, x, _):
    y = self.drop(x)
    y.add_(1)
    return x * y


def slice_shares(self, x, _):
    x[:, :2] *= 2
    return x


def slice_is_a_copy(self, x, _):
    y = x[:, :2].clone()
    y.relu_()
    return torch.cat([x, y], 1)


def chunk_shares(self, x, _):
    a, b = x.chunk(2, dim=1)
    a.relu_()
    return torch.cat([b, x], 1)


def view_shares(self, x, _):
    y = x.view(x.size(0), 4, x.size(2), x.size(3))
    y.mul_(-1)
    return x + y.sigmoid()


def channel_is_set(self, x, _):
    x[:, 1] = 0.5
    return x


def list_is_overwritten(self, x, _):
    maps = [x, x.relu(), x.sigmoid()]
    maps[1] = maps[1] + maps[0]
    maps.insert(0, maps.pop())
    return torch.cat(maps, 1)


def sum_of_itself(self, x, _):
    x += x
    x *= x
    return x


# ---- images ----

def normalizes(self, _, image):
    image = image / 255.0
    image = (image - self.mean) / self.std
    return self.first(image)


def normalizes_by_list(self, _, image):
    image = image.clone()
    for channel, (mean, std) in enumerate(((0.4, 0.2), (0.5, 0.3), (0.3, 0.25))):
        image[:, channel] = (image[:, channel] - mean) / std
    return self.first(image)


def reorders(self, _, image):
    return self.first(image[:, [2, 1, 0], :, :])


def flips_channels(self, _, image):
    return self.first(image.flip(1))


def stacks_planes(self, _, image):
    r, g, b = image[:, 0:1], image[:, 1:2], image[:, 2:3]
    gray = 0.299 * r + 0.587 * g + 0.114 * b
    return self.first(torch.cat([gray, g - b, r], dim=1))


# ---- paddings ----

def pads_before_max(self, x, _):
    """With zeros, where max_pool2d's own padding is below everything."""
    return F.max_pool2d(F.pad(x - 3, (0, 1, 0, 1)), 3, 2)


def pads_before_average(self, x, _):
    return F.avg_pool2d(F.pad(x, (1, 0, 1, 0)), 2, 1, 1, count_include_pad=False)


def pads_before_conv(self, x, _):
    return self.conv(self.pad(x))


# ---- sizes ----

def halves(self, x, _):
    y = F.max_pool2d(x, 3, 2, 1)
    h, w = (x.size(2) + 1) // 2, (x.size(3) + 1) // 2
    return F.interpolate(x, (h, w), mode="bilinear", align_corners=False) + y


def by_fraction(self, x, _):
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


def by_fraction_of_corners(self, x, _):
    """Sizes alone, where no map has that size."""
    return F.interpolate(x, scale_factor=0.75, mode="bilinear", align_corners=True, recompute_scale_factor=True)


def fixed_size(self, x, _):
    return F.interpolate(x, size=(12, 10), mode="bilinear", align_corners=True)


def area(self, x, _):
    return F.interpolate(x, size=(4, 3), mode="area")


def expands(self, x, _):
    pooled = x.mean([2, 3], keepdim=True)
    return torch.cat([x, pooled.expand(-1, -1, x.shape[2], x.shape[3])], 1)


def repeats(self, x, _):
    pooled = F.adaptive_avg_pool2d(x, 1).repeat(1, 1, x.shape[2], x.shape[3])
    return torch.cat([x.repeat(1, 2, 1, 1), pooled], 1)


def expands_channels(self, x, _):
    return x * torch.sigmoid(x.mean(1, keepdim=True)).expand_as(x)


def crops_to_the_other(self, x, _):
    """A crop that is none where both sizes are even."""
    y = F.interpolate(F.max_pool2d(x, 2, ceil_mode=True), scale_factor=2, mode="nearest")
    return x + y[:, :, :x.size(2), :x.size(3)]


def window_of_the_map(self, x, _):
    return x * torch.sigmoid(F.avg_pool2d(x, kernel_size=(x.size(2), x.size(3))))


# ---- attention ----

def squeeze_excite(self, x, _):
    b, c, _, _ = x.size()
    y = self.avg_pool(x).view(b, c)
    y = self.fc(y).view(b, c, 1, 1)
    return x * y.expand_as(x)


def squeeze_by_means(self, x, _):
    y = x.mean(-1).mean(-1)
    return x * torch.sigmoid(self.linear(y)).unsqueeze(-1).unsqueeze(-1)


def squeeze_by_two_axes(self, x, _):
    return x * x.mean(2, keepdim=True).mean(3, keepdim=True)


def squeeze_flat(self, x, _):
    y = torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
    return x * self.linear(y)[:, :, None, None]


def spatial_mean(self, x, _):
    return x * torch.sigmoid(torch.mean(x, dim=1, keepdim=True))


def half_attention(self, x, _):
    a, b = torch.split(x, [1, 3], dim=1)
    return b * a.sigmoid() + x[:, -3:] - x.narrow(1, 0, 3)


# ---- channels and images ----

def shuffles(self, x, _):
    b, c, h, w = x.size()
    return x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, -1, h, w) * 2


def groups(self, x, _):
    b, c, h, w = x.shape
    left, right = x.view(b, 2, -1, h, w).unbind(1)
    left.relu_()
    return torch.cat([right, left], 1) + x


def steps(self, x, _):
    return x[:, ::2] - x[:, 1::2]


def first_image(self, x, _):
    return x[0].unsqueeze(0)


# ---- activations written out ----

def hard_swish(self, x, _):
    return x * F.relu6(x + 3.0) / 6.0


def swish(self, x, _):
    return x * torch.sigmoid(x)


def mish(self, x, _):
    return x * torch.tanh(F.softplus(x))


def clamps(self, x, _):
    return torch.clamp(x, min=0.0) + x.clamp(0, 6) + x.clamp_(0.0, 6.0)


def leaky(self, x, _):
    return F.leaky_relu(x, 0.2, inplace=True) + F.leaky_relu_(x, negative_slope=0.1)


def norm_as_function(self, x, _):
    x = F.batch_norm(x, self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias, self.bn.training,
                     self.bn.momentum, self.bn.eps)
    return F.leaky_relu(x, 0.01)


def norm_without_weights(self, x, _):
    return self.bn(x) - x


def arithmetic(self, x, image):
    y = torch.add(x, x.relu(), alpha=0.5)
    y = torch.sub(y, x.sigmoid(), alpha=2)
    return 3 - (-y) / 4 + 2 * x * 0.5 - (1 - x)


def scaled_by_parameter(self, x, _):
    return x + self.gamma * self.conv(x) - self.beta


# ---- weights that are computed ----

class Standardized(nn.Conv2d):
    def forward(self, x):
        weight = self.weight
        mean = weight.mean(dim=1, keepdim=True).mean(dim=2, keepdim=True).mean(dim=3, keepdim=True)
        weight = weight - mean
        std = weight.view(weight.size(0), -1).std(dim=1).view(-1, 1, 1, 1) + 1e-5
        weight = weight / std.expand_as(weight)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)


def parameter(*shape):
    return lambda: nn.Parameter(torch.rand(shape) + 0.5)


def conv(*sizes, **options):
    return lambda: nn.Conv2d(*sizes, **options)


def applied(self, x, _):
    return self.op(x)


def twice(self, x, _):
    return self.op(self.op(x))


EVEN, ODD, ANY = ((16, 12), (8, 20)), ((17, 11), (9, 14)), ((16, 13), (9, 14))

HABITS = {
    "relu_changes_the_residual": (net(relu_changes_the_residual), ANY),
    "relu_after_another_reader": (net(relu_after_another_reader), ANY),
    "dropout_shares": (net(dropout_shares, drop=nn.Dropout2d), ANY),
    "slice_shares": (net(slice_shares), ANY),
    "slice_is_a_copy": (net(slice_is_a_copy, out=6), ANY),
    "chunk_shares": (net(chunk_shares, out=6), ANY),
    "view_shares": (net(view_shares), ANY),
    "channel_is_set": (net(channel_is_set), ANY),
    "list_is_overwritten": (net(list_is_overwritten, out=12), ANY),
    "sum_of_itself": (net(sum_of_itself), ANY),
    "normalizes": (net(normalizes, mean=parameter(1, 3, 1, 1), std=parameter(3, 1, 1)), ANY),
    "normalizes_by_list": (net(normalizes_by_list), ANY),
    "reorders": (net(reorders), ANY),
    "flips_channels": (net(flips_channels), ANY),
    "stacks_planes": (net(stacks_planes), ANY),
    "pads_before_max": (net(pads_before_max), ANY),
    "pads_before_average": (net(pads_before_average), ANY),
    "pads_before_conv": (net(pads_before_conv, pad=lambda: nn.ZeroPad2d((0, 1, 2, 1)), conv=conv(4, 4, 3, 2)), ANY),
    "halves": (net(halves), ANY),
    "by_fraction": (net(by_fraction), ANY),
    "by_fraction_of_corners": (net(by_fraction_of_corners), ANY),
    "fixed_size": (net(fixed_size), ANY),
    "area": (net(area), ANY),
    "expands": (net(expands, out=8), ANY),
    "repeats": (net(repeats, out=12), ANY),
    "expands_channels": (net(expands_channels), ANY),
    "crops_to_the_other": (net(crops_to_the_other), EVEN),
    "window_of_the_map": (net(window_of_the_map), ANY),
    "squeeze_excite": (net(squeeze_excite, avg_pool=lambda: nn.AdaptiveAvgPool2d(1), fc=lambda: nn.Sequential(
        nn.Linear(4, 2, bias=False), nn.ReLU(inplace=True), nn.Linear(2, 4, bias=False), nn.Sigmoid())), ANY),
    "squeeze_by_means": (net(squeeze_by_means, linear=lambda: nn.Linear(4, 4)), ANY),
    "squeeze_by_two_axes": (net(squeeze_by_two_axes), ANY),
    "squeeze_flat": (net(squeeze_flat, linear=lambda: nn.Linear(4, 4)), ANY),
    "spatial_mean": (net(spatial_mean), ANY),
    "half_attention": (net(half_attention, out=3), ANY),
    "hard_swish": (net(hard_swish), ANY),
    "swish": (net(swish), ANY),
    "mish": (net(mish), ANY),
    "clamps": (net(clamps), ANY),
    "leaky": (net(leaky), ANY),
    "norm_as_function": (net(norm_as_function, bn=lambda: nn.BatchNorm2d(4, eps=1e-3)), ANY),
    "norm_without_weights": (net(norm_without_weights, bn=lambda: nn.BatchNorm2d(4, affine=False)), ANY),
    "arithmetic": (net(arithmetic), ANY),
    "scaled_by_parameter": (net(scaled_by_parameter, gamma=parameter(1, 4, 1, 1), beta=parameter(4, 1, 1),
                                conv=conv(4, 4, 1)), ANY),
    "weight_norm": (net(applied, op=lambda: nn.utils.weight_norm(nn.Conv2d(4, 4, 3, padding=1))), ANY),
    "spectral_norm": (net(applied, op=lambda: nn.utils.spectral_norm(nn.Conv2d(4, 4, 3, padding=1))), ANY),
    "weight_standardization": (net(applied, op=lambda: Standardized(4, 4, 3, padding=1)), ANY),
    "same_padding": (net(applied, op=conv(4, 4, (5, 3), padding="same", dilation=(1, 2))), ANY),
    "one_conv_twice": (net(twice, op=conv(4, 4, 3, padding=1)), ANY),
    "instance_norm": (net(applied, op=lambda: nn.InstanceNorm2d(4, affine=True)), ANY),
    "group_norm": (net(applied, op=lambda: nn.GroupNorm(2, 4, eps=1e-3)), ANY),
    "rrelu": (net(applied, op=lambda: nn.RReLU(0.1, 0.3)), ANY),
    "prelu_of_one": (net(applied, op=lambda: nn.PReLU()), ANY),
    "gelu_tanh": (net(applied, op=lambda: nn.GELU(approximate="tanh")), ANY),
    "hardtanh": (net(applied, op=lambda: nn.Hardtanh(-1, 1)), ANY),
    "divisor": (net(applied, op=lambda: nn.AvgPool2d(2, divisor_override=3)), ANY),
    "first_image": (net(first_image), ANY),
    "shuffles": (net(shuffles, channels=80, out=80), ANY),
    "groups": (net(groups), ANY),
    "steps": (net(steps, out=2), ANY),
    "softmax_inside": (net(applied, op=lambda: nn.Softmax(dim=-3)), ANY),
}
