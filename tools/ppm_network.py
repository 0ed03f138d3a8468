"""The configurations with a "network", as far as the tools need them: what ppm_config.py knows of those that are a
pyramid with a head. The functions take either."""
import ppm_config
from ppm_config import ConfigError, Tensor, is_count

JOINS = {"add": max, "mul": max, "concat": sum}
SUMS = ("channel_sum", "channel_mean")


def check(config):
    """Raises ConfigError for errors that a walk over the tensors cannot handle; the server checks everything."""
    if not isinstance(config, dict) or "network" not in config:
        ppm_config.check(config)
        return
    if ("input" in config) == ("inputs" in config):
        raise ConfigError("expected either input, or inputs by their names")
    if not isinstance(config["network"], list) or not config["network"]:
        raise ConfigError("network: expected a list of entries, from the input to the output")
    for name, described in inputs_of(config).items():
        if not isinstance(described, dict) or not is_count(described.get("channels")):
            raise ConfigError(f"{name}.channels: expected how many channels the input has")
    walk(config)


def tensors(config):
    """-> a Tensor for each that the model reads, without the prefix of the weights file"""
    return walk(config)[0] if "network" in config else list(ppm_config.tensors(config))


def channels_out(config):
    """-> the channels of y before its output"""
    if "network" in config:
        return walk(config)[1]
    return ppm_config.channels_out(config.get("head", []), ppm_config.channels_concatenated(config))


def branch_count(config):
    """-> the branches of the pyramid that has the most"""
    if "network" not in config:
        return len(ppm_config.branch_stacks(config))
    pyramids = [entry["pyramid"] for entry in config["network"] if isinstance(entry, dict) and "pyramid" in entry]
    return max((len(ppm_config.branch_stacks(pyramid)) for pyramid in pyramids), default=1)


def inputs_of(config):
    return config["inputs"] if "inputs" in config else {"x": config["input"]}


def walk(config):
    """-> (the tensors, the channels of the last map)"""
    maps, found = {name: described["channels"] for name, described in inputs_of(config).items()}, []
    last = next(iter(maps.values())) if len(maps) == 1 else None
    is_hwio = config.get("weights", {}).get("kernel_layout") == "HWIO"
    for k, entry in enumerate(config["network"]):
        kind, options, name, source = layer(entry, f"network entry {k}")
        for needed in [source] * (source is not None) + (options if kind in JOINS else []):
            if needed not in maps:
                raise ConfigError(f"network entry {k}: found {needed!r}, expected the name of an entry above it or of "
                                  "an input")
        if source is None and last is None and kind not in JOINS:
            raise ConfigError(f"network entry {k}: expected \"from\", since there are several inputs")
        if kind in JOINS:
            last = JOINS[kind](maps[needed] for needed in options)
        else:
            channels = last if source is None else maps[source]
            at = name or f"network.{k}"
            last = add_layer(found, kind, options, channels, at, name or f"{at}.{kind}", is_hwio)
        if name is not None:
            maps[name] = last
    return found, last


def layer(entry, where):
    """-> (kind, options, name, source) of "relu", or of {"relu": {}, "name": ..., "from": ...}"""
    rest = {entry: {}} if isinstance(entry, str) else dict(entry) if isinstance(entry, dict) else {}
    name, source = rest.pop("name", None), rest.pop("from", None)
    if len(rest) != 1:
        raise ConfigError(f'{where}: expected a layer such as "relu" or {{"conv": {{...}}}}, with "name" and "from"')
    (kind, options), = rest.items()
    if not isinstance(options, list if kind in JOINS else dict):
        raise ConfigError(f"{where}: {kind}: expected {'a list of names' if kind in JOINS else 'an object of options'}")
    return kind, options, name, source


def add_layer(found, kind, options, channels, at, default, is_hwio):
    """Adds the layer's tensors; -> the channels of its output. default: their name where none is given; at: what
    those in a pyramid begin with"""
    name = options.get("weights", default)
    if kind == "pyramid":
        return add_pyramid(found, options, channels, at, is_hwio)
    if kind == "conv":
        found.extend(ppm_config.conv_tensors(name, options, channels, is_hwio))
        return options.get("channels", channels)
    if kind == "batch_norm":
        found.extend(ppm_config.batch_norm_tensors(name, options, channels))
    elif kind in ("group_norm", "layer_norm"):
        found.extend(ppm_config.scale_tensors(name, options, channels))
    elif kind == "prelu":
        found.append(Tensor(f"{name}.weight", (channels,), "slope", 1))
    elif kind == "slice":
        return options["channels"][1] - options["channels"][0]
    return 1 if kind in SUMS else channels


def add_pyramid(found, options, channels, at, is_hwio):
    widths = []
    for i, stack in enumerate(ppm_config.branch_stacks(options)):
        width = channels
        for kind, settings in map(ppm_config.layer, stack):
            if "weights" in settings:
                name = settings["weights"].replace("{i}", str(i)).replace("{n}", str(i + 1))
                settings = {**settings, "weights": name}
            branch = f"{at}.branch.{i}"
            width = add_layer(found, kind, settings, width, branch, f"{branch}.{kind}", is_hwio)
        widths.append(width)
    has_input = options.get("concat", "input_first") != "branches"
    return channels if options.get("sum") else sum(widths) + channels * has_input
