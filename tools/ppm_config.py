"""The model configurations of configs/models, as far as the tools need them.

One walk over a configuration lists the tensors its layers read, so that the tools that make
weights need no list of their own.
"""
from collections import namedtuple

# role: weight, bias (of a conv), gamma, beta, mean, var (of a batch_norm) or slope (of a prelu)
Tensor = namedtuple("Tensor", "name shape role fan_in")


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
    """The channels that leave a stack which `channels` enter."""
    return ([options["channels"] for kind, options in map(layer, stack) if kind == "conv"]
            or [channels])[-1]


def channels_concatenated(config):
    channels = config["input"]["channels"]
    branches = sum(channels_out(stack, channels) for stack in branch_stacks(config))
    return branches + (0 if config["concat"] == "branches" else channels)


def tensors(config, prelu_parameters=None):
    """Yields a Tensor for each one the model reads, without the prefix of the weights file.

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
                channels = options["channels"]
            elif kind == "batch_norm":
                yield from batch_norm_tensors(name, options, channels)
            elif kind == "prelu":
                yield Tensor(f"{name}.weight", (prelu_parameters or channels,), "slope", 1)


def conv_tensors(name, options, channels, hwio):
    k, out = options.get("kernel", 1), options["channels"]
    shape = (k, k, channels, out) if hwio else (out, channels, k, k)
    yield Tensor(f"{name}.weight", shape, "weight", channels * k * k)
    if options.get("bias", True):
        yield Tensor(f"{name}.bias", (out,), "bias", 1)


def batch_norm_tensors(name, options, channels):
    if options.get("scale", True):
        yield Tensor(f"{name}.weight", (channels,), "gamma", 1)
    if options.get("center", True):
        yield Tensor(f"{name}.bias", (channels,), "beta", 1)
    yield Tensor(f"{name}.running_mean", (channels,), "mean", 1)
    yield Tensor(f"{name}.running_var", (channels,), "var", 1)
