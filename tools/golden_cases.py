#!/usr/bin/env python3
"""Writes the inputs of the golden cases: tests/golden/CASE/{config.json,weights.safetensors,x.npy}.

usage: tools/golden_cases.py --out tests/golden          first this, then for the answers, y.npy:
       tools/golden_pytorch.py --out tests/golden        PyTorch
       node tools/golden_tfjs.mjs --out tests/golden     TensorFlow.js: the cases called tf-...
The cases called net-... are those of tests/networks/golden.py.

Needs: apt-get install -y --no-install-recommends python3-numpy (and run with /usr/bin/python3).
Everything is seeded by the case's name: another run writes the same bytes, and a new case leaves
the others as they are.
"""
import argparse
import json
import pathlib

import numpy as np

import random_weights
import safetensors_io


def conv(channels, **options):
    return {"conv": {"channels": channels, **options}}


def norm(**options):
    return {"batch_norm": options} if options else "batch_norm"


# no relu here: it would hide whole branches of so few channels
BASE = {"bins": [1, 2, 3, 6], "pool": "adaptive", "branch": [conv(1, bias=False), norm()],
        "upsample": "align_corners", "concat": "input_first"}
TF = {"bins": [1, 2, 3, 6], "pool": "same", "branch": [conv(2), norm(eps=1e-3)],
      "upsample": "align_corners", "concat": "branches"}
HWIO = {"kernel_layout": "HWIO"}


def case(shape, span=2.0, x=None, dtype="F32", prelu=None, edits=None, layout=None, base=None,
         weights=None, **changes):
    """One row of CASES.

    shape: x's, in the model's layout; span: x is uniform in [-span, span], or x: (seed, shape) -> x
    dtype: of the weights file; prelu: its number of slopes (None: one per channel)
    edits: {tensor: value} to fill whole tensors with; weights: further keys of the model's weights
    changes: keys of the configuration that differ from the base; None removes one
    """
    config = {"input": {"channels": shape[3 if layout == "NHWC" else 1]},
              **(base or BASE), **changes, "weights": {"file": "weights.safetensors",
                                                       **(weights or {})}}
    if layout:
        config["input"]["layout"] = layout
    config = {key: value for key, value in config.items() if value is not None}
    make_x = x or (lambda seed, shape: spread(seed, shape, -span, span))
    return {"shape": shape, "config": config, "x": make_x, "dtype": dtype, "prelu": prelu,
            "edits": edits or {}}


def nhwc(shape, **changes):
    """A case of the Keras kind: channels last, SAME pooling, HWIO kernels."""
    changes.setdefault("weights", HWIO)
    return case(shape, base=TF, layout="NHWC", **changes)


def nchw_tf(shape, **changes):
    return case(shape, base=TF, **changes)


def act(layer, span=4.0, **options):
    """An activation after a branch, on bins, and after the head, on pixels."""
    return case((1, 2, 5, 7), span=span, bins=[1, 3], branch=[conv(3), layer],
                head=[conv(4), layer], **options)


def tf_act(layer, **options):
    return nhwc((1, 6, 5, 2), bins=[1, 3], branch=[conv(3), layer], head=[conv(4), layer],
                **options)


def head(*layers, shape=(1, 2, 7, 9), **changes):
    return case(shape, bins=[1, 3], head=list(layers), **changes)


def output(shape=(1, 2, 5, 7), base=case, classes=4, **options):
    return base(shape, bins=[1, 3], head=[conv(classes)], output=options)


def spread(seed, shape, low, high):
    """Uniform values in x's shape."""
    values = random_weights.uniform(f"{seed}/x", int(np.prod(shape)), low, high)
    return np.array(values, np.float32).reshape(shape)


def steps(seed, shape):
    """Whole numbers from -2 to 2: many pixels whose channels tie."""
    return np.round(spread(seed, shape, -2.49, 2.49))


def offset(seed, shape):
    """Values far from zero, where a careless sum loses digits."""
    return spread(seed, shape, 999, 1001)


MODES = ("align_corners", "half_pixel")
TF_MODES = MODES + ("asymmetric",)
PLAIN_ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "sigmoid", "tanh", "silu", "gelu",
                     "hardswish", "hardsigmoid", "mish", "softplus", "softmax")
PER_BIN = [[conv(2, bias=False), norm(), "relu"], [], [conv(3), "tanh"]]

CASES = {
    # the listings, with fewer channels
    "listing1-pytorch-ppm": case(
        (1, 4, 10, 10), branch=[conv(2, bias=False, weights="features.{i}.1"),
                                norm(weights="features.{i}.2"), "relu"]),
    "listing2-pytorch-psp": case(
        (1, 3, 10, 10), branch=[conv(3, bias=False, weights="stages.{i}.1")],
        upsample="half_pixel", concat="input_last", head=[conv(8, weights="bottleneck"), "relu"]),
    "listing2-as-printed": case(
        (1, 3, 10, 10), branch=[conv(3, bias=False, weights="stages.{i}.1")], cascade=True,
        upsample="half_pixel", concat="input_last", head=[conv(8, weights="bottleneck"), "relu"]),
    "tf-listing3-pool-block": nhwc((1, 12, 12, 3), branch=[conv(4), norm(eps=1e-3), "relu"]),
    "tf-listing4-pool-block": nhwc(
        (1, 12, 12, 3), branch=[conv(4), "relu", norm(eps=1e-3, scale=False), "relu"],
        upsample="asymmetric", upsample_to="stride_multiple"),
    # adaptive pooling
    "adaptive-even-size": case((1, 2, 12, 18)),
    "adaptive-odd-size": case((1, 2, 13, 17)),
    "adaptive-bins-above-size": case((1, 2, 3, 5), bins=[1, 4, 6, 8]),
    "adaptive-bins-above-size-half-pixel": case((1, 2, 3, 5), bins=[1, 4, 6, 8],
                                                upsample="half_pixel"),
    "adaptive-one-pixel": case((1, 3, 1, 1)),
    "adaptive-one-row": case((1, 2, 1, 19)),
    "adaptive-one-column-half-pixel": case((2, 2, 11, 1), upsample="half_pixel"),
    "adaptive-batch": case((3, 2, 7, 10)),
    "adaptive-one-branch": case((1, 2, 7, 6), bins=[5]),
    "adaptive-long-row": case((1, 1, 4, 101), bins=[7, 30]),
    "adaptive-33x31": case((1, 2, 33, 31), bins=[3], concat="branches"),
    "adaptive-far-from-zero": case((1, 2, 9, 10), x=offset, branch=[]),
    "channels-37-to-19": case((1, 37, 5, 6), bins=[1, 4], branch=[conv(19), "relu"],
                              concat="branches"),
    # upsampling and concatenation
    "half-pixel-odd-size": case((1, 2, 13, 17), upsample="half_pixel"),
    "concat-input-last": case((2, 2, 6, 7), concat="input_last"),
    "concat-branches": case((2, 2, 6, 7), concat="branches"),
    "cascade-norm-elu": case((2, 3, 6, 5), bins=[2, 3], cascade=True,
                             branch=[conv(3), norm(), "elu"]),
    # branch stacks
    "branch-empty": case((2, 2, 7, 6), branch=[]),
    "branch-linear": case((1, 2, 7, 6), branch=[conv(2)]),
    "branch-two-convs": case((1, 2, 7, 6), branch=[conv(3, weights="a{i}"), "relu",
                                                   conv(1, weights="b{i}"), "sigmoid"]),
    "branches-per-bin": case((2, 3, 7, 6), bins=[1, 3, 4], branch=None, branches=PER_BIN),
    "branches-per-bin-input-last-head": case((1, 3, 5, 6), bins=[1, 3, 4], branch=None,
                                             branches=PER_BIN, concat="input_last",
                                             head=[conv(3, kernel=3), "relu"]),
    # activations
    **{f"act-{kind.replace('_', '-')}": act(kind) for kind in PLAIN_ACTIVATIONS},
    **{f"act-{kind}-large": act(kind, span=300) for kind in PLAIN_ACTIVATIONS[3:]},
    "act-leaky-relu-slope": act({"leaky_relu": {"slope": 0.2}}),
    "act-prelu": act("prelu"),
    "act-prelu-single": act("prelu", prelu=1),
    "act-prelu-named": case((1, 2, 5, 7), bins=[2], branch=[
        conv(3), {"prelu": {"weights": "act{n}"}}]),
    # batch norm
    "norm-eps": case((1, 2, 6, 5), branch=[conv(2), norm(eps=0.1)]),
    "norm-no-scale": case((1, 2, 6, 5), branch=[conv(2), norm(scale=False)]),
    "norm-no-center": case((1, 2, 6, 5), branch=[conv(2), norm(center=False)]),
    "norm-neither": case((1, 2, 6, 5), branch=[conv(2), norm(scale=False, center=False)]),
    "norm-after-relu": case((1, 2, 6, 5), branch=[conv(2), "relu", norm(), "relu"]),
    "norm-zero-variance": case((1, 2, 6, 5), bins=[2],
                               edits={"branch.0.batch_norm.running_var": 0.0}),
    "norm-negative-scale": case((1, 2, 6, 5), bins=[2],
                                edits={"branch.0.batch_norm.weight": -1.5}),
    "norm-between-convs": case((1, 2, 6, 5), bins=[1, 2], branch=[
        conv(2, weights="a{i}"), norm(weights="na{i}"), conv(3, weights="b{i}")]),
    "norm-several": case((1, 2, 6, 5), bins=[1, 2], branch=[
        conv(2), norm(weights="n{i}.0"), norm(weights="n{i}.1"), "relu", norm(weights="n{i}.2")]),
    # the head; a norm before a 3x3 conv cannot be folded into it at the zero-padded border
    "head-1x1": head(conv(3)),
    "head-3x3": head(conv(3, kernel=3)),
    "head-3x3-half-pixel-branches": head(conv(3, kernel=3), concat="branches",
                                         upsample="half_pixel"),
    "head-3x3-one-pixel": head(conv(3, kernel=3), shape=(1, 2, 1, 1)),
    "head-3x3-one-row": head(conv(3, kernel=3), shape=(1, 2, 1, 8)),
    "head-3x3-one-column": head(conv(3, kernel=3), shape=(1, 2, 8, 1)),
    "head-3x3-two-by-two": head(conv(3, kernel=3), shape=(1, 2, 2, 2)),
    "head-3x3-batch": head(conv(3, kernel=3), "relu", shape=(3, 2, 4, 5)),
    "head-3x3-channels-17": head(conv(17, kernel=3, bias=False), shape=(1, 15, 5, 4)),
    "head-norm-before-3x3": head(norm(weights="pre"), conv(3, kernel=3)),
    "head-relu-before-1x1": head("relu", conv(3)),
    "head-norm-between-3x3": head(conv(3, kernel=3), norm(), conv(2, kernel=3)),
    "head-several-layers": head(conv(4, kernel=3, bias=False), norm(), "relu", conv(3, kernel=3),
                                norm(), "prelu", conv(2), "silu"),
    "head-activation-only": head("relu"),
    # weights files
    "weights-f16": case((1, 3, 6, 5), dtype="F16", head=[conv(3, kernel=3)]),
    "weights-bf16": case((1, 3, 6, 5), dtype="BF16", head=[conv(3, kernel=3)]),
    "weights-f16-hwio": case((1, 3, 6, 5), dtype="F16", head=[conv(3, kernel=3)], weights=HWIO),
    "weights-hwio-3x3": case((1, 3, 6, 5), head=[conv(4, kernel=3)], weights=HWIO),
    "weights-prefix-module": case((1, 2, 6, 5), head=[conv(3), norm()],
                                  weights={"prefix": "module."}),
    "weights-names-i-n": case((1, 2, 6, 5), branch=[conv(2, weights="stage{n}.conv_{i}"),
                                                    norm(weights="stage{n}.{i}.bn")],
                              head=[conv(2, weights="last"), norm(weights="last_bn")]),
    # the output stage
    **{f"output-scale-{mode.replace('_', '-')}": output(scale=3, upsample=mode) for mode in MODES},
    **{f"output-size-{mode.replace('_', '-')}": output(size=[11, 8], upsample=mode)
       for mode in MODES},
    **{f"output-size-down-{mode.replace('_', '-')}": output((1, 2, 9, 11), size=[4, 5],
                                                            upsample=mode) for mode in MODES},
    "output-size-one": output(size=[1, 1], upsample="align_corners"),
    "output-size-one-half-pixel": output(size=[1, 1], upsample="half_pixel"),
    "output-values": output(**{"as": "values"}),
    "output-softmax": output(**{"as": "softmax"}),
    "output-softmax-scaled": output(scale=2, upsample="half_pixel", **{"as": "softmax"}),
    "output-argmax": output(**{"as": "argmax"}),
    "output-argmax-scaled": output(scale=4, upsample="align_corners", **{"as": "argmax"}),
    "output-argmax-batch": output((3, 2, 5, 4), **{"as": "argmax"}),
    # 4 bins of 4 pixels: the branch repeats x, so that every maximum appears twice at least
    "output-argmax-ties": case((1, 5, 4, 4), x=steps, bins=[4], branch=[],
                               output={"as": "argmax"}),
    "output-sigmoid": output(**{"as": "sigmoid"}),
    "output-sigmoid-one-class": output((2, 2, 5, 7), classes=1, scale=2, upsample="half_pixel",
                                       **{"as": "sigmoid"}),
    "output-threshold": output(scale=3, upsample="align_corners", threshold=0.4,
                               **{"as": "sigmoid"}),
    "output-threshold-one-class": output(classes=1, threshold=0.45, **{"as": "sigmoid"}),
    "output-threshold-batch": output((3, 2, 5, 4), threshold=0.5, **{"as": "sigmoid"}),
    **{f"output-scale-trim-{mode.replace('_', '-')}": output(scale=3, trim=True, upsample=mode)
       for mode in MODES},
    "output-trim-one-pixel": output((1, 2, 1, 1), scale=8, trim=True, upsample="align_corners"),
    # the branches of 12 x 9 pixels, which is what VALID pooling leaves, back to 13 x 10
    "output-size-input": case((1, 2, 13, 10), pool="valid", bins=None, windows=[3, [6, 9]],
                              upsample_to="stride_multiple", concat="branches", head=[conv(4)],
                              output={"size": "input", "upsample": "align_corners"}),
    "output-without-head": case((1, 2, 5, 7), output={"scale": 2, "upsample": "half_pixel"}),
    # channels last
    "nhwc-adaptive": case((2, 7, 5, 3), layout="NHWC"),
    "nhwc-head-3x3": case((1, 7, 5, 3), layout="NHWC", bins=[1, 3], head=[conv(4, kernel=3)]),
    "nhwc-argmax": case((1, 7, 5, 3), layout="NHWC", bins=[1, 3], head=[conv(4)],
                        output={"scale": 2, "upsample": "half_pixel", "as": "argmax"}),
    "nhwc-threshold": case((1, 7, 5, 3), layout="NHWC", bins=[1, 3], head=[conv(4)],
                           output={"scale": 2, "upsample": "half_pixel", "as": "sigmoid",
                                   "threshold": 0.5}),
    # TensorFlow: SAME and VALID pooling. 13 x 17 pools by 13 x 17, 6 x 8, 4 x 6 and 2 x 3
    "tf-same-uneven": nhwc((1, 13, 17, 2)),
    "tf-same-half-to-even": nhwc((1, 15, 9, 2), bins=[2, 6]),
    "tf-same-bins-above-size": nhwc((1, 4, 5, 2), bins=[6, 7]),
    "tf-same-one-pixel": nhwc((1, 1, 1, 3), bins=[1]),
    "tf-same-one-row": nhwc((1, 1, 14, 2), bins=[1]),
    "tf-same-batch": nhwc((3, 7, 8, 2)),
    "tf-same-nchw": nchw_tf((1, 2, 13, 11)),
    "tf-same-branch-empty": nhwc((1, 9, 11, 2), branch=[], concat="input_first"),
    "tf-valid-dropped-pixels": nhwc((1, 13, 17, 2), pool="valid"),
    "tf-valid-input-last": nhwc((1, 11, 10, 2), pool="valid", concat="input_last"),
    "tf-valid-nchw": nchw_tf((2, 2, 13, 11), pool="valid"),
    "tf-cascade": nhwc((1, 7, 8, 3), bins=[2, 3], branch=[conv(3), "tanh"], cascade=True,
                       upsample="asymmetric", concat="input_last"),
    "tf-windows-same": nhwc((1, 13, 11, 2), bins=None, windows=[5, [2, 3], [4, 7]]),
    "tf-windows-same-above-size": nhwc((1, 5, 6, 2), bins=None, windows=[8, [3, 20]]),
    "tf-windows-valid": nhwc((1, 13, 11, 2), bins=None, pool="valid", windows=[5, [2, 3], [13, 4]]),
    # TensorFlow: resizing
    **{f"tf-resize-{mode.replace('_', '-')}": nhwc((1, 13, 11, 2), upsample=mode)
       for mode in TF_MODES},
    **{f"tf-stride-multiple-grows-{mode.replace('_', '-')}": nhwc(
        (1, 15, 15, 2), bins=None, windows=[4, 8], upsample=mode, upsample_to="stride_multiple")
       for mode in TF_MODES},
    "tf-stride-multiple-shrinks": nhwc((1, 13, 14, 2), bins=None, pool="valid", windows=[6, 3],
                                       upsample="asymmetric", upsample_to="stride_multiple"),
    "tf-stride-multiple-one-branch": nhwc((1, 13, 13, 2), bins=[2], upsample="asymmetric",
                                          upsample_to="stride_multiple"),
    "tf-stride-multiple-input-first": nhwc((1, 12, 12, 2), upsample="asymmetric",
                                           concat="input_first", upsample_to="stride_multiple"),
    "tf-stride-multiple-head-output": nhwc(
        (1, 13, 13, 2), bins=[2], upsample="asymmetric", upsample_to="stride_multiple",
        head=[conv(3, kernel=3)], output={"size": [13, 13], "upsample": "asymmetric"}),
    # TensorFlow: the head, the output stage and activations
    "tf-head-3x3-hwio": nhwc((1, 7, 9, 2), bins=[1, 3], head=[conv(3, kernel=3), norm(), "relu"]),
    "tf-head-3x3-one-pixel": nhwc((1, 1, 1, 2), bins=[1], head=[conv(3, kernel=3)]),
    "tf-weights-f16": nhwc((1, 7, 9, 2), bins=[1, 3], dtype="F16", head=[conv(3, kernel=3)]),
    "tf-output-asymmetric-scale": output((1, 7, 5, 2), nhwc, scale=3, upsample="asymmetric"),
    "tf-output-asymmetric-down": output((1, 7, 9, 2), nhwc, size=[3, 4], upsample="asymmetric"),
    "tf-output-half-pixel-down": output((1, 7, 9, 2), nhwc, size=[3, 4], upsample="half_pixel"),
    "tf-output-argmax": output((1, 7, 5, 2), nhwc, scale=2, upsample="asymmetric",
                               **{"as": "argmax"}),
    "tf-output-softmax": output((2, 7, 5, 2), nhwc, **{"as": "softmax"}),
    **{f"tf-act-{kind}": tf_act(kind) for kind in ("relu6", "elu", "sigmoid", "tanh", "softmax",
                                                   "prelu")},
    "tf-act-leaky-relu-slope": tf_act({"leaky_relu": {"slope": 0.2}}),
    "tf-act-softmax-large": tf_act("softmax", span=300),
}


def config_text(config):
    """One line per key: short, and still readable."""
    lines = (f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in config.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write_case(folder, row):
    name = folder.name
    config = {"name": name, **row["config"]}
    tensors = random_weights.weights(config, name, row["prelu"])
    for tensor, value in row["edits"].items():
        shape, values = tensors[tensor]
        tensors[tensor] = shape, [value] * len(values)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config_text(config))
    safetensors_io.save(folder / "weights.safetensors", tensors, row["dtype"])
    np.save(folder / "x.npy", row["x"](name, row["shape"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/golden"))
    out = parser.parse_args().out
    for name, row in CASES.items():
        write_case(out / name, row)
    print(f"{out}: {len(CASES)} cases")
    stale = sorted(folder.name for folder in out.glob("*/")
                   if folder.name not in CASES and not folder.name.startswith("net-"))
    if stale:
        raise SystemExit(f"{out}: no longer in the table, remove: {' '.join(stale)}")


if __name__ == "__main__":
    main()
