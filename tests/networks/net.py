"""Writes a network as the "network" list of a model's JSON.

Each method appends an entry and returns it; where an entry reads another one than the one before it, both get
their "name" and "from". Weights have the names of PyTorch's modules, such as layer1.0.conv1.
"""


class Net:
    def __init__(self, name, channels=3, inputs=None):
        """channels of the one input, or inputs: {name: channels}"""
        given = {"inputs": {key: {"channels": count} for key, count in inputs.items()}} if inputs else \
            {"input": {"channels": channels}}
        self.config = {"name": name, **given, "network": []}
        self.inputs = {key: {"name": key} for key in inputs or ("x",)}
        self.last = None if inputs else self.inputs["x"]

    def input(self, name="x"):
        return self.inputs[name]

    def name(self, entry):
        if "name" not in entry:
            position = next(i for i, other in enumerate(self.config["network"]) if other is entry)
            entry["name"] = f"{next(iter(entry))}{position}"
        return entry["name"]

    def append(self, entry):
        self.config["network"].append(entry)
        self.last = entry
        return entry

    def layer(self, kind, x, **options):
        source = {} if x is self.last else {"from": self.name(x)}
        return self.append({kind: options, **source})

    def join(self, kind, *maps):
        return self.append({kind: [self.name(x) for x in maps]})

    def conv(self, x, channels, weights, kernel=1, stride=1, padding=None, dilation=1, groups=1, bias=False):
        """padding: None keeps the size at stride 1"""
        if padding is None:
            padding = dilation * (kernel // 2)
        given = {"kernel": (kernel, 1), "stride": (stride, 1), "padding": (padding, 0), "dilation": (dilation, 1),
                 "groups": (groups, 1), "bias": (bias, True)}
        options = {key: value for key, (value, default) in given.items() if value != default}
        return self.layer("conv", x, channels=channels, **options, weights=weights)

    def norm(self, x, weights, **options):
        return self.layer("batch_norm", x, weights=weights, **options)

    def conv_norm(self, x, channels, conv, norm, **options):
        return self.norm(self.conv(x, channels, conv, **options), norm)

    def relu(self, x):
        return self.layer("relu", x)

    def add(self, *maps):
        return self.join("add", *maps)

    def mul(self, *maps):
        return self.join("mul", *maps)

    def concat(self, *maps):
        return self.join("concat", *maps)

    def stretch(self, x, like, mode):
        return self.layer("resize", x, like=self.name(like), mode=mode)

    def model(self, **keys):
        """-> the configuration, with further keys such as output"""
        entries = [next(iter(e)) if len(e) == 1 and e[next(iter(e))] == {} else e for e in self.config["network"]]
        return {**self.config, "network": entries, **keys}
