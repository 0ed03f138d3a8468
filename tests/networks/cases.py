"""The golden cases of networks: a case is one operator or option, or a few together."""


def case(shape, *entries, span=2.0, offset=0.0, layout="NCHW", dtype="F32", weights=None, **keys):
    """One row of CASES.

    shape: of x in this layout, or {name: shape} of several inputs, uniform in offset - span to offset + span
    weights: further keys of the model's weights; keys: of the configuration
    """
    shapes = shape if isinstance(shape, dict) else {"x": shape}
    inputs = {name: {"channels": shape[layout.index("C")], **({"layout": layout} if layout != "NCHW" else {})}
              for name, shape in shapes.items()}
    given = {"input": inputs["x"]} if shape is not shapes else {"inputs": inputs}
    config = {**given, "network": list(entries), **keys,
              "weights": {"file": "weights.safetensors", **(weights or {})}}
    return {"shapes": shapes, "layout": layout, "config": config, "span": span, "offset": offset, "dtype": dtype}


def conv(channels, weights="conv", **options):
    return {"conv": {"channels": channels, **options, "weights": weights}}


def norm(weights="norm", kind="batch_norm", **options):
    return {kind: {**options, "weights": weights}}


def pool(kind, window, **options):
    return {kind: {"window": window, **options}}


def named(name, entry, source=None):
    entry = {entry: {}} if isinstance(entry, str) else entry
    return {**entry, **({"from": source} if source else {}), "name": name}


def read(source, entry):
    entry = {entry: {}} if isinstance(entry, str) else entry
    return {**entry, "from": source}


def convolved(channels=3, shape=(1, 2, 7, 9), **options):
    return case(shape, conv(channels, **options))


def pooled(kind, window, shape=(1, 2, 7, 9), **options):
    return case(shape, pool(kind, window, **options))


def resized(shape=(1, 2, 5, 7), **options):
    return case(shape, {"resize": options})


def pyramid(shape=(1, 3, 7, 6), layers=None, **options):
    """A pyramid between two convolutions."""
    branch = layers or [conv(2, "p{i}.conv", bias=False), norm("p{i}.norm"), "relu"]
    given = {"bins": [1, 3], "branch": None if "branches" in options else branch, **options}
    given = {key: value for key, value in given.items() if value is not None}
    return case(shape, conv(3, "a"), {"pyramid": given}, conv(2, "b"))


def output(shape=(1, 2, 7, 9), channels=4, kernel=3, **options):
    """The output stage of a network that halves the size."""
    return case(shape, conv(channels, kernel=kernel, stride=2, padding=kernel // 2), output=options)


def norms(kind, shape=(2, 4, 5, 6), span=2.0, offset=0.0, **options):
    return case(shape, conv(4, "a"), "relu", norm(kind=kind, **options), conv(3, "b"), span=span, offset=offset)


MODES = ("align_corners", "half_pixel", "asymmetric")
ALL_MODES = MODES + ("nearest",)
FINE_FIRST = (1, 3, 9, 11)

CASES = {
    # convolutions
    "conv-1x1": convolved(kernel=1),
    "conv-1x1-stride-2": convolved(kernel=1, stride=2),
    "conv-1x1-padding": convolved(kernel=1, padding=1),
    "conv-2x2-stride-2": convolved(kernel=2, stride=2),
    "conv-3x3": convolved(kernel=3, padding=1),
    "conv-3x3-without-padding": convolved(kernel=3),
    "conv-3x3-without-bias": convolved(kernel=3, padding=1, bias=False),
    "conv-3x3-stride-2": convolved(kernel=3, stride=2, padding=1),
    "conv-3x3-stride-2-even": convolved(kernel=3, stride=2, padding=1, shape=(2, 2, 8, 6)),
    "conv-3x3-stride-3": convolved(kernel=3, stride=3, padding=1),
    "conv-3x3-stride-above-kernel": convolved(kernel=3, stride=5),
    "conv-3x3-stride-per-axis": convolved(kernel=3, stride=[2, 1], padding=1),
    "conv-3x3-one-pixel": convolved(kernel=3, padding=1, shape=(1, 3, 1, 1)),
    "conv-3x3-one-row": convolved(kernel=3, padding=1, shape=(1, 3, 1, 8)),
    "conv-3x3-dilation-2": convolved(kernel=3, padding=2, dilation=2),
    "conv-3x3-dilation-4": convolved(kernel=3, padding=4, dilation=4),
    "conv-3x3-dilation-above-size": convolved(kernel=3, padding=6, dilation=6, shape=(1, 2, 5, 4)),
    "conv-3x3-dilation-without-padding": convolved(kernel=3, dilation=3),
    "conv-3x3-dilation-stride": convolved(kernel=3, padding=2, dilation=2, stride=2),
    "conv-3x3-dilation-per-axis": convolved(kernel=3, padding=[1, 3], dilation=[1, 3]),
    "conv-4x4-stride-4": convolved(kernel=4, stride=4, shape=(1, 3, 13, 11)),
    "conv-5x5": convolved(kernel=5, padding=2),
    "conv-7x7-stride-2": convolved(kernel=7, stride=2, padding=3, shape=(1, 3, 13, 11)),
    "conv-11x11": convolved(kernel=11, padding=5),
    "conv-1x7": convolved(kernel=[1, 7], padding=[0, 3]),
    "conv-7x1": convolved(kernel=[7, 1], padding=[3, 0]),
    "conv-2x3-whole-map": convolved(kernel=[2, 3], shape=(1, 4, 2, 3)),
    "conv-padding-each-side": convolved(kernel=3, padding=[1, 0, 2, 3]),
    "conv-padding-above-kernel": convolved(kernel=3, padding=4),
    "conv-same": convolved(kernel=3, padding="same"),
    "conv-same-even-kernel": convolved(kernel=4, padding="same"),
    "conv-same-stride-2": convolved(kernel=3, padding="same", stride=2),
    "conv-same-stride-2-even": convolved(kernel=3, padding="same", stride=2, shape=(1, 2, 8, 6)),
    "conv-same-dilation": convolved(kernel=3, padding="same", dilation=2),
    "conv-same-stride-above-kernel": convolved(kernel=2, padding="same", stride=3),
    "conv-groups-2": convolved(6, kernel=3, padding=1, groups=2, shape=(1, 4, 6, 5)),
    "conv-groups-1x1": convolved(9, groups=3, shape=(2, 6, 5, 4)),
    "conv-groups-stride": convolved(4, kernel=3, stride=2, padding=1, groups=2, shape=(1, 6, 7, 6)),
    "conv-depthwise": convolved(5, kernel=3, padding=1, groups=5, shape=(1, 5, 6, 7)),
    "conv-depthwise-stride-2": convolved(5, kernel=3, padding=1, stride=2, groups=5, shape=(2, 5, 7, 6)),
    "conv-depthwise-dilation-2": convolved(5, kernel=3, padding=2, dilation=2, groups=5, shape=(1, 5, 6, 7)),
    "conv-depthwise-7x7": convolved(4, kernel=7, padding=3, groups=4, shape=(1, 4, 8, 9)),
    "conv-depthwise-same": convolved(4, kernel=3, padding="same", stride=2, groups=4, shape=(1, 4, 6, 8)),
    "conv-depthwise-1x1": convolved(6, groups=6, bias=False, shape=(1, 6, 4, 5)),
    "conv-depthwise-multiplier": convolved(8, kernel=3, padding=1, groups=4, shape=(1, 4, 5, 6)),
    "conv-depthwise-channels-19": convolved(19, kernel=3, padding=1, groups=19, shape=(1, 19, 5, 4)),
    "conv-channels-19-to-21": convolved(21, kernel=3, padding=1, stride=2, shape=(1, 19, 5, 4)),
    "conv-hwio": case((1, 3, 7, 8), conv(4, kernel=[3, 2], stride=2, padding="same"), norm(), "relu",
                      weights={"kernel_layout": "HWIO"}),
    "conv-hwio-groups": case((1, 4, 7, 6), conv(4, kernel=3, padding=1, groups=2), weights={"kernel_layout": "HWIO"}),
    "conv-f16": case((1, 3, 6, 5), conv(4, kernel=3, stride=2, padding=1), norm(), "relu", dtype="F16"),
    "conv-nhwc": case((2, 7, 8, 3), conv(4, kernel=3, stride=2, padding=1), norm(), "relu", layout="NHWC"),
    "conv-batch": convolved(kernel=3, stride=2, padding=1, shape=(3, 2, 6, 5)),
    # names of tensors
    "weights-default-names": case((1, 3, 5, 6), {"conv": {"channels": 3}}, "batch_norm", "prelu",
                                  {"pyramid": {"bins": [1, 2], "branch": [{"conv": {"channels": 1}}, "batch_norm"]}},
                                  {"group_norm": {"groups": 1}}),
    "weights-entry-names": case((1, 3, 5, 6), named("first", {"conv": {"channels": 3}}), named("second", "layer_norm"),
                                named("ppm", {"pyramid": {"bins": [2], "branch": [{"conv": {"channels": 1}}]}})),
    "weights-prefix": case((1, 3, 5, 6), conv(2), norm(), "relu", weights={"prefix": "module."}),
    # norms
    "norm-first": case((1, 3, 5, 6), norm(), conv(2, kernel=3, padding=1)),
    "norm-relu-first": case((1, 3, 5, 6), norm(), "relu", conv(2, kernel=3, padding=1)),
    "norm-after-depthwise": case((1, 4, 5, 6), conv(4, kernel=3, padding=1, groups=4), norm(), "relu6"),
    "norm-after-groups": case((1, 4, 5, 6), conv(6, kernel=3, padding=1, groups=2), norm(), "relu"),
    "norm-read-twice": case((1, 3, 5, 6), named("base", conv(3, kernel=3, padding=1)), named("y", norm()),
                            {"add": ["base", "y"]}),
    "norm-after-add": case((1, 3, 5, 6), named("base", conv(3)), {"add": ["base", "x"]}, norm(), "relu"),
    "norm-after-pool": case((1, 3, 7, 6), pool("avg_pool", 2), norm(), "relu"),
    "norm-options": case((1, 3, 5, 6), norm("a", eps=0.1), norm("b", scale=False), norm("c", center=False)),
    "group-norm": norms("group_norm", groups=2),
    "group-norm-one": norms("group_norm", groups=1),
    "group-norm-each-channel": norms("group_norm", groups=4, eps=1e-3),
    "group-norm-neither": norms("group_norm", groups=2, scale=False, center=False),
    "group-norm-one-pixel": norms("group_norm", groups=2, shape=(2, 4, 1, 1)),
    "group-norm-far-from-zero": case((1, 4, 5, 6), norm(kind="group_norm", groups=2), span=1, offset=300),
    "layer-norm": norms("layer_norm"),
    "layer-norm-eps": norms("layer_norm", eps=0.1),
    "layer-norm-no-scale": norms("layer_norm", scale=False),
    "layer-norm-no-center": norms("layer_norm", center=False),
    "layer-norm-far-from-zero": case((1, 6, 5, 6), norm(kind="layer_norm"), span=1, offset=300),
    "layer-norm-nhwc": case((1, 5, 6, 3), norm(kind="layer_norm"), conv(2), layout="NHWC"),
    # pools
    "max-pool-2": pooled("max_pool", 2),
    "max-pool-3-2-1": pooled("max_pool", 3, stride=2, padding=1),
    "max-pool-3-2-1-even": pooled("max_pool", 3, stride=2, padding=1, shape=(2, 2, 8, 6)),
    "max-pool-5-1-2": pooled("max_pool", 5, stride=1, padding=2),
    "max-pool-per-axis": pooled("max_pool", [2, 3], stride=[1, 2], padding=[0, 1]),
    "max-pool-ceil": pooled("max_pool", 3, stride=2, ceil=True, shape=(1, 2, 8, 6)),
    "max-pool-ceil-padding": pooled("max_pool", 2, stride=2, padding=1, ceil=True),
    "max-pool-each-side": pooled("max_pool", 3, stride=2, padding=[0, 1, 2, 1]),
    "max-pool-same": pooled("max_pool", 3, stride=2, padding="same", shape=(1, 2, 7, 6)),
    "max-pool-below-zero": case((1, 2, 5, 6), pool("max_pool", 3, stride=1, padding=1), span=1, offset=-5),
    "max-pool-nhwc": case((1, 7, 6, 3), pool("max_pool", 3, stride=2, padding=1), layout="NHWC"),
    "avg-pool-2": pooled("avg_pool", 2),
    "avg-pool-3-1-1": pooled("avg_pool", 3, stride=1, padding=1),
    "avg-pool-not-counted": pooled("avg_pool", 3, stride=1, padding=1, count_padding=False),
    "avg-pool-per-axis": pooled("avg_pool", [3, 2], stride=[1, 2], padding=[1, 0]),
    "avg-pool-ceil": pooled("avg_pool", 3, stride=2, ceil=True, shape=(1, 2, 8, 6)),
    "avg-pool-ceil-counted": pooled("avg_pool", 3, stride=2, padding=1, ceil=True, shape=(1, 2, 8, 6)),
    "avg-pool-ceil-not-counted": pooled("avg_pool", 3, stride=2, padding=1, ceil=True, count_padding=False,
                                        shape=(1, 2, 8, 6)),
    "avg-pool-each-side": pooled("avg_pool", 3, stride=2, padding=[0, 1, 2, 1]),
    "avg-pool-each-side-not-counted": pooled("avg_pool", 3, stride=2, padding=[0, 1, 2, 1], count_padding=False),
    "avg-pool-same": pooled("avg_pool", 3, stride=2, padding="same", shape=(1, 2, 7, 6)),
    "avg-pool-same-counted": pooled("avg_pool", 3, stride=2, padding="same", count_padding=True, shape=(1, 2, 7, 6)),
    "avg-pool-5-2-2": pooled("avg_pool", 5, stride=2, padding=2, shape=(1, 2, 8, 11)),
    "avg-pool-9-4-4": pooled("avg_pool", 9, stride=4, padding=4, shape=(1, 2, 8, 11)),
    "avg-pool-17-8-8": pooled("avg_pool", 17, stride=8, padding=8, shape=(1, 2, 8, 11)),
    "avg-pool-nhwc": case((1, 7, 6, 3), pool("avg_pool", 3, stride=2, padding=1), layout="NHWC"),
    "adaptive-1": case((2, 3, 5, 7), {"adaptive_avg_pool": {"bins": 1}}),
    "adaptive-per-axis": case((1, 3, 5, 7), {"adaptive_avg_pool": {"bins": [2, 3]}}),
    "adaptive-above-size": case((1, 2, 3, 4), {"adaptive_avg_pool": {"bins": [7, 6]}}),
    # resizing
    **{f"resize-scale-{mode.replace('_', '-')}": resized(scale=3, mode=mode) for mode in ALL_MODES},
    **{f"resize-fraction-{mode.replace('_', '-')}": resized(scale=1.6, mode=mode) for mode in ALL_MODES},
    **{f"resize-half-{mode.replace('_', '-')}": resized(scale=0.5, mode=mode) for mode in ALL_MODES},
    **{f"resize-up-{mode.replace('_', '-')}": resized(size=[8, 12], mode=mode) for mode in ALL_MODES},
    **{f"resize-down-{mode.replace('_', '-')}": resized((1, 2, 9, 11), size=[4, 5], mode=mode) for mode in ALL_MODES},
    **{f"resize-one-pixel-{mode.replace('_', '-')}": resized((2, 3, 1, 1), size=[3, 4], mode=mode)
       for mode in ALL_MODES},
    **{f"resize-to-one-{mode.replace('_', '-')}": resized(size=[1, 1], mode=mode) for mode in ALL_MODES},
    **{f"resize-like-{mode.replace('_', '-')}": case(
        (1, 2, 7, 9), pool("max_pool", 3, stride=2, padding=1), {"resize": {"like": "x", "mode": mode}})
       for mode in ALL_MODES},
    "resize-default": resized(scale=2),
    "resize-nearest-rounded": resized((1, 1, 2, 3), size=[82, 123], mode="nearest"),  # i * float32(in / out)
    "resize-then-1x1": case((1, 2, 7, 9), named("fine", conv(2, "a")), pool("avg_pool", 3, stride=3),
                            {"resize": {"like": "fine", "mode": "half_pixel"}}, conv(3, "b"), "relu"),
    "resize-then-3x3": case((1, 2, 7, 9), named("fine", conv(2, "a")), pool("avg_pool", 2),
                            {"resize": {"like": "fine", "mode": "half_pixel"}},
                            conv(3, "b", kernel=3, padding=1), norm(), "relu"),
    "resize-nhwc": case((1, 3, 4, 2), {"resize": {"scale": 2, "mode": "half_pixel"}}, layout="NHWC"),
    # sums and products
    "add-input": case((2, 3, 5, 6), named("y", conv(3, kernel=3, padding=1)), {"add": ["y", "x"]}, "relu"),
    "add-three": case((1, 3, 5, 6), named("a", conv(3, "a")), named("b", conv(3, "b"), "x"),
                      {"add": ["a", "b", "x"]}),
    "add-twice": case((1, 3, 5, 6), named("a", conv(3, "a")), {"add": ["a", "a"]}),
    "add-one-pixel": case((2, 3, 5, 6), named("g", {"adaptive_avg_pool": {"bins": 1}}), {"add": ["g", "x"]}),
    "add-one-channel": case((2, 3, 5, 6), named("m", "channel_mean"), {"add": ["x", "m"]}),
    "mul": case((1, 3, 5, 6), named("a", conv(3, "a")), {"mul": ["a", "x"]}),
    "mul-one-pixel": case((2, 3, 5, 6), named("g", {"adaptive_avg_pool": {"bins": 1}}), {"mul": ["x", "g"]}),
    "mul-one-channel": case((2, 3, 5, 6), named("m", "channel_sum"), {"mul": ["m", "x"]}),
    "mul-pixel-by-channel": case((2, 3, 4, 5), named("g", {"adaptive_avg_pool": {"bins": 1}}),
                                 named("m", "channel_mean", "x"), {"mul": ["g", "m"]}),
    "mul-three": case((1, 3, 5, 6), named("g", {"adaptive_avg_pool": {"bins": 1}}),
                      named("m", "channel_mean", "x"), {"mul": ["g", "x", "m"]}),
    "mul-nhwc": case((2, 5, 6, 3), named("g", {"adaptive_avg_pool": {"bins": 1}}), {"mul": ["x", "g"]},
                     layout="NHWC"),
    "concat": case((2, 2, 5, 6), named("a", conv(3, "a")), named("b", conv(1, "b"), "x"),
                   {"concat": ["a", "b", "x"]}),
    "concat-twice": case((1, 2, 5, 6), named("a", conv(3, "a")), {"concat": ["a", "x", "a"]}, conv(2, "b")),
    "concat-then-3x3": case((1, 2, 5, 6), named("a", conv(3, "a")), {"concat": ["x", "a"]},
                            conv(4, "b", kernel=3, padding=1), norm(), "relu"),
    "concat-then-depthwise": case((1, 2, 5, 6), named("a", conv(3, "a")), {"concat": ["a", "x"]},
                                  conv(5, "b", kernel=3, padding=1, groups=5)),
    "concat-of-concat": case((1, 2, 5, 6), named("a", conv(3, "a")), named("c", {"concat": ["a", "x"]}),
                             {"concat": ["c", "a"]}, conv(2, "b")),
    "concat-of-stretched": case(
        (1, 2, 7, 9), named("fine", conv(3, "a")), named("half", pool("avg_pool", 2)),
        named("up2", {"resize": {"like": "fine", "mode": "half_pixel"}}),
        read("half", pool("avg_pool", 2)), named("up4", {"resize": {"like": "fine", "mode": "half_pixel"}}),
        {"concat": ["fine", "up2", "up4"]}, conv(4, "b", kernel=3, padding=1), "relu"),
    "channel-sum": case((2, 5, 4, 6), "channel_sum"),
    "channel-mean": case((2, 5, 4, 6), "channel_mean"),
    "channel-mean-nhwc": case((2, 4, 6, 5), "channel_mean", layout="NHWC"),
    "affine": case((1, 3, 4, 5), {"affine": {"scale": -1, "shift": 1}}),
    "affine-shift": case((1, 3, 4, 5), {"affine": {"shift": 0.3}}),
    "affine-scale": case((1, 3, 4, 5), conv(3), {"affine": {"scale": 0.1}}, "relu"),
    "slice": case((2, 5, 4, 6), {"slice": {"channels": [1, 4]}}),
    "slice-shuffle": case((1, 4, 5, 6), named("a", conv(6, "a")), named("left", {"slice": {"channels": [0, 3]}}),
                          named("right", {"slice": {"channels": [3, 6]}}, "a"),
                          named("b", conv(3, "b", kernel=3, padding=1), "right"), {"concat": ["b", "left"]}),
    # pyramids inside networks
    **{f"pyramid-{mode.replace('_', '-')}": pyramid(upsample=mode) for mode in MODES},
    **{f"pyramid-{concat.replace('_', '-')}": pyramid(concat=concat)
       for concat in ("input_first", "input_last", "branches")},
    "pyramid-sum": pyramid(sum=True, bins=[1, 2, 4], concat="branches"),
    "pyramid-sum-with-input": pyramid(sum=True, layers=[conv(3, "p{i}"), "relu"]),
    "pyramid-sum-3x3": pyramid(sum=True, bins=[1, 2, 4], concat="branches", layers=[
        conv(3, "p{i}.conv", kernel=3, padding=1, bias=False), norm("p{i}.norm"), "relu"]),
    "pyramid-3x3": pyramid(layers=[conv(2, "p{n}", kernel=3, padding=1), "relu"]),
    "pyramid-norm-first": pyramid(layers=[norm("p{i}.norm"), "relu", conv(2, "p{i}.conv")]),
    "pyramid-branches": pyramid(bins=[1, 2, 3], branches=[[conv(1, "p")], [], [conv(2, "q"), "tanh"]]),
    "pyramid-same": pyramid(pool="same", bins=[2, 3], upsample="asymmetric"),
    "pyramid-windows": pyramid(pool="valid", bins=None, windows=[2, [3, 4]]),
    "pyramid-two": case((1, 3, 6, 7), {"pyramid": {"bins": [1, 2], "branch": [conv(2, "p{i}")]}},
                        {"pyramid": {"bins": [1, 3], "branch": [conv(2, "q{i}")], "upsample": "half_pixel"}},
                        conv(2, "b", kernel=3, padding=1)),
    "pyramid-not-read-by-conv": case((1, 3, 6, 7), {"pyramid": {"bins": [1, 2], "branch": [conv(2, "p{i}")]}},
                                     "sigmoid"),
    "pyramid-after-stride": case((1, 3, 13, 11), conv(4, "a", kernel=3, stride=2, padding=1), "relu",
                                 {"pyramid": {"bins": [1, 2, 3, 6], "branch": [conv(1, "p{i}"), "relu"]}},
                                 conv(4, "b", kernel=3, padding=1), "relu", conv(3, "c"),
                                 output={"size": "input", "upsample": "align_corners"}),
    # the output stage
    **{f"output-input-{mode.replace('_', '-')}": output(size="input", upsample=mode) for mode in MODES},
    **{f"output-trim-{mode.replace('_', '-')}": output(scale=3, trim=True, upsample=mode) for mode in MODES},
    "output-input-even": output((1, 2, 8, 6), size="input", upsample="align_corners"),
    "output-trim-one-pixel": output((1, 2, 1, 2), scale=4, trim=True),
    "output-input-argmax": output(size="input", upsample="half_pixel", **{"as": "argmax"}),
    "output-input-softmax": output(size="input", upsample="half_pixel", **{"as": "softmax"}),
    "output-sigmoid": output(channels=1, **{"as": "sigmoid"}),
    "output-sigmoid-classes": output(size="input", upsample="align_corners", **{"as": "sigmoid"}),
    "output-threshold": output(channels=1, size="input", upsample="half_pixel", **{"as": "sigmoid", "threshold": 0.5}),
    "output-threshold-classes": output(size="input", upsample="half_pixel", **{"as": "sigmoid", "threshold": 0.4}),
    "output-nhwc": case((1, 7, 9, 2), conv(4, kernel=3, stride=2, padding=1), layout="NHWC",
                        output={"size": "input", "upsample": "half_pixel", "as": "argmax"}),
    # several inputs
    "inputs-add": case({"a": (2, 3, 5, 6), "b": (2, 2, 5, 6)}, named("b3", conv(3), "b"), {"add": ["a", "b3"]}, "relu"),
    "inputs-concat": case({"a": (1, 3, 5, 6), "b": (1, 2, 5, 6)}, {"concat": ["b", "a"]},
                          conv(4, kernel=3, padding=1)),
    "inputs-of-sizes": case({"c2": (1, 2, 9, 11), "c3": (1, 3, 5, 6), "c5": (1, 4, 2, 2)},
                            named("up3", {"resize": {"like": "c2", "mode": "half_pixel"}}, "c3"),
                            named("up5", {"resize": {"like": "c2", "mode": "half_pixel"}}, "c5"),
                            {"concat": ["c2", "up3", "up5"]}, conv(3, kernel=3, padding=1), "relu"),
    "inputs-pyramid": case({"c4": (1, 2, 7, 9), "c5": (1, 3, 4, 5)}, named("p4", conv(2, "l4"), "c4"),
                           read("c5", {"pyramid": {"bins": [1, 2], "branch": [conv(1, "p{i}")]}}), conv(2, "b"),
                           named("up", {"resize": {"like": "c4", "mode": "half_pixel"}}), {"add": ["p4", "up"]},
                           output={"size": "input", "upsample": "half_pixel", "as": "argmax"}),
    "inputs-nhwc": case({"a": (2, 5, 6, 3), "gate": (2, 5, 6, 1)}, {"mul": ["a", "gate"]}, conv(2), layout="NHWC"),
    # blocks of well-known networks
    "block-residual": case((2, 4, 7, 6), named("base", "relu"), conv(3, "1", kernel=3, stride=2, padding=1),
                           norm("n1"), "relu", conv(6, "2", kernel=3, padding=1), named("y", norm("n2")),
                           read("base", conv(6, "s", stride=2)), named("short", norm("ns")), {"add": ["y", "short"]},
                           "relu"),
    "block-inverted": case((1, 3, 7, 6), conv(9, "1", bias=False), norm("n1"), "relu6",
                           conv(9, "2", kernel=3, padding=1, groups=9, bias=False), norm("n2"), "relu6",
                           conv(3, "3", bias=False), named("y", norm("n3")), {"add": ["x", "y"]}),
    "block-squeeze-excite": case((2, 6, 5, 7), named("base", conv(6, "a")), {"adaptive_avg_pool": {"bins": 1}},
                                 conv(2, "1"), "silu", conv(6, "2"), named("gate", "sigmoid"),
                                 {"mul": ["base", "gate"]}),
    "block-spatial-attention": case((1, 4, 6, 5), named("base", conv(4, "a")), "channel_mean",
                                    conv(1, "m", kernel=3, padding=1, bias=False), named("gate", "sigmoid"),
                                    {"mul": ["base", "gate"]}),
    "block-gate": case((1, 4, 6, 5), named("base", conv(4, "c1")), named("y", conv(4, "c2"), "x"),
                       {"mul": ["base", "y"]}, "channel_sum", named("s", "sigmoid"),
                       named("rest", {"affine": {"scale": -1, "shift": 1}}),
                       named("left", {"mul": ["rest", "base"]}), named("right", {"mul": ["s", "y"]}),
                       {"add": ["left", "right"]}),
    "block-convnext": case((1, 4, 8, 9), conv(4, "dw", kernel=7, padding=3, groups=4),
                           norm(kind="layer_norm", eps=1e-6), conv(16, "1"), "gelu", conv(4, "2"),
                           named("y", conv(4, "gamma", groups=4, bias=False)), {"add": ["x", "y"]}),
    "block-inception": case((1, 3, 7, 8), conv(2, "a1", kernel=[1, 5], padding=[0, 2]),
                            named("a", conv(2, "a2", kernel=[5, 1], padding=[2, 0])),
                            named("b", conv(2, "b", kernel=3, padding=1), "x"),
                            read("x", pool("avg_pool", 3, stride=1, padding=1, count_padding=False)),
                            named("c", conv(1, "c")), {"concat": ["a", "b", "c"]}, "relu"),
}
