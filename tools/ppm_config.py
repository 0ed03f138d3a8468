"""The model configurations of configs/models, as far as the tools need them.

One walk over a configuration lists the tensors its layers read, so that the tools that make
weights need no list of their own.
"""
import json
from collections import namedtuple

# role: weight, bias (of a conv), gamma, beta, mean, var (of a batch_norm) or slope (of a prelu)
Tensor = namedtuple("Tensor", "name shape role fan_in")

# The defaults in docs/models.md.
DEFAULTS = {"pool": "adaptive", "upsample": "align_corners", "concat": "input_first"}


class ConfigError(Exception):
    """Where a configuration is wrong: what was found, what was expected."""


def value_of(config, key):
    return config.get(key, DEFAULTS[key])


def check(config):
    """Raises ConfigError for errors that a walk over the tensors cannot handle; the server checks everything."""
    def expect(holds, where, found, expected):
        if not holds:
            found = "nothing" if found is None else json.dumps(found)
            raise ConfigError(f"{where}: found {found:.60}, expected {expected}")

    expect(isinstance(config, dict), "the model's JSON", config, "an object")
    expect(isinstance(config.get("input", {}), dict), "input", config.get("input"), "an object")
    expect(isinstance(config.get("output", {}), dict), "output", config.get("output"), "an object")
    expect(isinstance(config.get("weights", {}), dict), "weights", config.get("weights"), "an object")
    channels = config.get("input", {}).get("channels")
    expect(is_count(channels), "input.channels", channels, "how many channels the input has")
    windows = config.get("windows", config.get("bins"))
    expect(isinstance(windows, list) and windows, "bins", windows, "a list such as [1, 2, 3, 6]")
    expect(("branch" in config) != ("branches" in config), "branch", config.get("branch"),
           "either branch, a list of layers, or branches, a list of such lists")
    expect(len(branch_stacks(config)) == len(windows), "branches", len(branch_stacks(config)),
           f"a stack for each of {len(windows)}")
    for where, stack in [(f"branch {i}", s) for i, s in enumerate(branch_stacks(config))] + [
            ("head", config.get("head", []))]:
        expect(isinstance(stack, list), where, stack, "a list of layers")
        for entry in stack:
            expect(isinstance(entry, str) or isinstance(entry, dict) and len(entry) == 1, where, entry,
                   'layers such as "relu" or {"conv": {...}}')
            kind, options = layer(entry)
            expect(isinstance(options, dict), f"{where}: {kind}", options, "an object of options")
            if kind == "conv":
                expect(is_count(options.get("channels", 1)), f"{where}: conv.channels",
                       options.get("channels"), "a number of channels")
                expect(options.get("kernel", 1) in (1, 3), f"{where}: conv.kernel",
                       options.get("kernel"), "1 or 3")


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def layer(entry):
    """-> (kind, options) of one entry of a stack: "relu" or {"conv": {...}}"""
    return (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def branch_stacks(config):
    """The stack of each branch, in the order of its bins."""
    windows = config.get("windows") or config["bins"]
    return config.get("branches") or [config.get("branch", [])] * len(windows)


def named_stack(stack, default):
    """Yields (kind, options, tensor name) per layer; `default` has a {k} for the conv's number."""
    convs = 0
    for kind, options in map(layer, stack):
        convs += kind == "conv"
        default_name = f"{default.format(k=max(convs, 1) - 1)}.{kind}"
        yield kind, options, options.get("weights", default_name)


def named_branch(config, i):
    """named_stack() of branch i, with {i} and {n} filled in."""
    for kind, options, name in named_stack(branch_stacks(config)[i], f"branch.{i}"):
        yield kind, options, name.replace("{i}", str(i)).replace("{n}", str(i + 1))


def named_head(config):
    return named_stack(config.get("head", []), "head.{k}")


def channels_out(stack, channels):
    """The number of output channels of a stack with `channels` input channels."""
    for kind, options in map(layer, stack):
        if kind == "conv":
            channels = options.get("channels", channels)
    return channels


def channels_concatenated(config):
    channels = config["input"]["channels"]
    branches = sum(channels_out(stack, channels) for stack in branch_stacks(config))
    return branches + (0 if value_of(config, "concat") == "branches" else channels)


def tensors(config, prelu_parameters=None):
    """Yields a Tensor for each tensor that the model reads, without the prefix of the weights file.

    prelu_parameters: 1 for the single slope of PyTorch's nn.PReLU(); None for one per channel.
    """
    hwio = config.get("weights", {}).get("kernel_layout") == "HWIO"
    stacks = [(named_branch(config, i), config["input"]["channels"])
              for i in range(len(branch_stacks(config)))]
    stacks.append((named_head(config), channels_concatenated(config)))
    for stack, channels in stacks:
        for kind, options, name in stack:
            if kind == "conv":
                yield from conv_tensors(name, options, channels, hwio)
                channels = options.get("channels", channels)
            elif kind == "batch_norm":
                yield from batch_norm_tensors(name, options, channels)
            elif kind == "prelu":
                yield Tensor(f"{name}.weight", (prelu_parameters or channels,), "slope", 1)


def conv_tensors(name, options, channels, hwio):
    out, each = options.get("channels", channels), channels // options.get("groups", 1)
    kernel = options.get("kernel", 1)
    height, width = kernel if isinstance(kernel, list) else (kernel, kernel)
    shape = (height, width, each, out) if hwio else (out, each, height, width)
    yield Tensor(f"{name}.weight", shape, "weight", each * height * width)
    if options.get("bias", True):
        yield Tensor(f"{name}.bias", (out,), "bias", 1)


def scale_tensors(name, options, channels):
    if options.get("scale", True):
        yield Tensor(f"{name}.weight", (channels,), "gamma", 1)
    if options.get("center", True):
        yield Tensor(f"{name}.bias", (channels,), "beta", 1)


def batch_norm_tensors(name, options, channels):
    yield from scale_tensors(name, options, channels)
    yield Tensor(f"{name}.running_mean", (channels,), "mean", 1)
    yield Tensor(f"{name}.running_var", (channels,), "var", 1)
