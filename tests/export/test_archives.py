"""TorchScript archives of other versions of PyTorch, and those that nobody should write."""
import copy

import numpy as np
import pytest
import torch
from archives import Small, edited, entries, traced_small, with_forward, write
from checkpoints import ExportError
from support import random_network
from traced import archive, assert_serves

SIZES = (8, 14), (18, 10)
HEAD = "head = self.head"
SCALED = "torch.upsample_nearest2d(input0, None, [2., 2.])"
CONV = "torch._convolution(x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, False, False, True, True)"
BILINEAR = "torch.upsample_bilinear2d(_0, [_2, int(_3)], False, None)"

FORMS = {
    "1.8: 12 arguments of a convolution": [("1, False, False, True, True)", "1, False, False, True)")],
    "1.7: scales behind a size": [
        (SCALED, "torch.upsample_nearest2d(input0, [int(torch.floor(torch.mul(torch.size(input0, 2), 2.))), "
                 "int(torch.floor(torch.mul(torch.size(input0, 3), 2.)))], 2., 2.)"),
        (BILINEAR, "torch.upsample_bilinear2d(_0, [_2, int(_3)], False, None, None)")],
    "1.4: sizes alone": [(BILINEAR, "torch.upsample_bilinear2d(_0, [_2, int(_3)], False)")],
    "scripted functions' names": [("torch.relu_(", "__torch__.helper("), (HEAD, f"{HEAD}\n    unused = 3")],
    "conv2d": [(CONV, "torch.conv2d(x, weight, None, [1, 1], [1, 1], [1, 1], 1)")],
    "convolution": [(CONV, "torch.convolution(x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)")],
    "2.x: native_batch_norm": [
        ("input = torch.batch_norm(", "input, _m, _v = torch.native_batch_norm("),
        ("1.0000000000000001e-05, True)", "1.0000000000000001e-05)")],
    "a number through a tensor": [("_2 = int(_1)", "_2 = int(torch.add(torch.sub(_1, 1, alpha=1), 1, alpha=1))")],
    "adaptive pool of the map's size": [(HEAD, f"{HEAD}\n    x0 = torch.adaptive_avg_pool2d(x, [torch.size(x, 2), "
                                         "torch.size(x, 3)])"), ("(conv).forward(x, )", "(conv).forward(x0, )")],
    "dead code with anything": [(HEAD, f"{HEAD}\n    _9 = torch.matmul(x, torch.transpose(x, 2, 3))")],
}


def traced(case, module):
    return archive(case, module, torch.rand(1, 3, 16, 12))


@pytest.mark.parametrize("name", FORMS)
def test_form(case, name):
    module = random_network(Small)
    path = edited(traced(case, module), *FORMS[name])
    if "functions" in name:
        contents = entries(path)
        contents["net/code/__torch__.py"] = (
            b"def helper(x: Tensor) -> Tensor:\n  if False:\n    y = torch.relu(x)\n  else:\n    y = torch.relu_(x)\n"
            b"  return y\n")
        write(path, contents)
    printed = case.export(path)
    assert_serves(case, module, printed, SIZES)


def test_cuda(case):
    """Saved on a GPU."""
    module = random_network(Small)
    contents = entries(traced(case, module))
    old, new = (b"X" + len(name).to_bytes(4, "little") + name for name in (b"cpu", b"cuda:0"))
    assert old in contents["net/data.pkl"]
    contents["net/data.pkl"] = contents["net/data.pkl"].replace(old, new)
    printed = case.export(write(case.folder / "net.pt", contents))
    assert_serves(case, module, printed, SIZES)


@pytest.mark.parametrize("prepared", ("freeze", "half", "bfloat16", "double", "of a scripted module"))
def test_prepared(case, prepared):
    module = random_network(Small)
    x = torch.rand(1, 3, 16, 12)
    if prepared == "double":
        made = torch.jit.trace(copy.deepcopy(module).double(), x.double(), check_trace=False)
    elif prepared in ("half", "bfloat16"):  # a CPU cannot trace one, but casts what a GPU has traced
        made = getattr(torch.jit.trace(module, x, check_trace=False), prepared)()
        module = getattr(module, prepared)().float()
    elif prepared == "freeze":
        made = torch.jit.freeze(torch.jit.trace(module, x, check_trace=False).eval())
    else:
        made = torch.jit.freeze(torch.jit.script(module))
    made.save(str(case.folder / "net.pt"))
    printed = case.export(case.folder / "net.pt")
    assert_serves(case, module, printed, SIZES)


def refusal(case, path):
    with pytest.raises(ExportError) as caught:
        case.export(path)
    assert "\n" not in str(caught.value)
    assert not case.model.exists()
    return str(caught.value)


CODE = {
    "a huge identity": (["z = torch.eye(1000000)", "y = torch.mul(x, torch.sum(z))"], "aten::eye"),
    "a huge range": (["z = torch.arange(1e14)", "y = torch.mul(x, torch.sum(z))"], "aten::arange"),
    "a huge range below 0": (["z = torch.arange(-100000000000000, 0)", "y = torch.mul(x, torch.sum(z))"],
                             "aten::arange"),
    "repeated repeats": (["z = torch.ones([1000])"] + ["z = torch.repeat(z, [1000])"] * 5 + [
        "y = torch.mul(x, torch.sum(z))"], "aten::repeat"),
    "doubled by cat": (["z = torch.ones([1000])"] + ["z = torch.cat([z, z])"] * 40 + [
        "y = torch.mul(x, torch.sum(z))"], "aten::cat"),
    "a huge outer product": (["z = torch.ones([1000000])", "z = torch.outer(z, z)", "y = torch.mul(x, torch.sum(z))"],
                             "aten::outer"),
    "a huge broadcast": (["z = torch.ones([1000000])", "z = torch.add(z, torch.unsqueeze(z, 1))",
                          "y = torch.mul(x, torch.sum(z))"], "aten::add"),
    "a huge list": (["z = [0, 1]"] + ["z = torch.add(z, z)"] * 60 + ["y = torch.mul(x, z[1])"], "list"),
    "a huge repeated list": (["z = torch.mul([0, 1], 100000000000000)", "y = torch.mul(x, z[1])"], "list"),
    "a huge number": (["z = torch.size(x, 1)"] + ["z = torch.mul(z, z)"] * 60 + ["y = torch.mul(x, z)"], "aten::mul"),
    "a huge string": (['z = "{}{}"'] + ['z = torch.format("{}{}", z, z)'] * 60 + ["y = torch.mul(x, torch.len(z))"],
                      "aten::format"),
    "a division by zero": (["y = torch.mul(x, torch.floordiv(3, torch.sub(torch.size(x, 1), 3)))"], "0"),
    "a remainder by zero": (["y = torch.mul(x, torch.remainder(3, torch.sub(torch.size(x, 1), 3)))"],
                            "aten::remainder"),
    "the root of a negative": (["y = torch.mul(x, torch.sqrt(torch.neg(torch.size(x, 1))))"], "aten::sqrt"),
    "an item that is not there": (["z = [1]", "y = torch.mul(x, z[3])"], "item"),
    "pop of an empty list": (["z = annotate(List[int], [])", "y = torch.mul(x, torch.pop(z))"], "aten::pop"),
    "writes a file": (["y = torch.relu(x)", 'torch.save(torch.ones([1]), "/tmp/never")', "y = torch.mul(y, torch.sum("
                       'torch.from_file("/etc/passwd", False, 10)))'], "aten::from_file"),
    "an endless loop": (["y = x", "z = True", "while z:", "  y = torch.relu(y)"], "loop"),
    "a loop over rows": (["y = x", "for i in range(torch.size(x, 2)):", "  y = torch.relu(y)"], "loop"),
    "a condition on values": (["if bool(torch.gt(torch.sum(x), 0)):", "  y = torch.relu(x)", "else:", "  y = x"],
                              "aten::sum"),
    "a condition on the size": (["if torch.gt(torch.size(x, 2), 300):", "  y = torch.relu(x)", "else:", "  y = x"],
                                "a condition that depends on the size"),
    "its own exception": (['ops.prim.RaiseException("never again")', "y = torch.relu(x)"], "never again"),
    "no channels": (["y = torch.slice(x, 1, 0, 0)"], "aten::slice"),
    "no layer at all": (["y = torch.ones([1, 3, 4, 4])"], ""),
    "the input itself": (["y = x"], "its result is its input"),
    "a number": (["y = torch.tensor(3.)"], ""),
    "the size": (["y = torch.tensor([torch.size(x, 2), torch.size(x, 3)])"], ""),
    "not a map": (["y = torch.sum(x, [2, 3])"], ""),
    "one channel's argmax": (["y = torch.argmax(torch.slice(x, 1, 0, 1), 1)"], "sigmoid"),
}


@pytest.mark.parametrize("name", CODE)
def test_code(case, name):
    lines, sentence = CODE[name]
    path = with_forward(traced_small(case.folder / "net.pt"), *lines)
    torch.jit.load(str(path))  # PyTorch takes it
    assert sentence in refusal(case, path)


DEAD = {
    "a huge constant": "z = torch.add_(torch.ones([1000000000000]), 1)",
    "a huge map": "z = torch.add_(torch.repeat(x, [1, 1, 100000, 100000]), 1)",
    "a huge stretch": "z = torch.relu_(torch.upsample_nearest2d(x, [60000, 60000], None))",
}


@pytest.mark.parametrize("name", DEAD)
def test_dead_code(case, name):
    """The result does not depend on it, and PyTorch would compute it all the same."""
    path = with_forward(traced_small(case.folder / "net.pt"), DEAD[name], "print(z)", "y = torch.sigmoid(x)")
    assert "note: the module was not run" in case.export(path)
    assert case.config()["network"] == ["sigmoid"]


@pytest.mark.parametrize("conv, sentence", (
    ({"kernel_size": 13}, "a kernel of 13, expected at most 11"),
    ({"kernel_size": 3, "dilation": 300, "padding": 300}, "a dilation of 300, expected at most 256"),
    ({"kernel_size": 3, "stride": 65}, "a stride of 65, expected at most 64")))
def test_bounds(case, conv, sentence):
    assert sentence in refusal(case, archive(case, torch.nn.Conv2d(3, 3, **conv).eval(), torch.rand(1, 3, 20, 20)))


@pytest.mark.parametrize("option", ("--prefix", "--entry"))
def test_options_of_checkpoints(case, option):
    with pytest.raises(ExportError, match=f"which has no {option}"):
        case.export(traced_small(case.folder / "net.pt"), option, "module.")


@pytest.mark.parametrize("option, value", (("--output", "1"), ("--example", "1,3,8,8")))
def test_options_of_code(case, option, value):
    with pytest.raises(ExportError, match=f"weights alone, where {option} is for TorchScript"):
        case.export(case.save(Small().state_dict()), option, value)


def test_truncated(case):
    data = traced_small(case.folder / "net.pt").read_bytes()
    for length in (1, 4, 100, len(data) // 2, len(data) - 1):
        (case.folder / "short.pt").write_bytes(data[:length])
        assert "short.pt" in refusal(case, case.folder / "short.pt")


def test_damaged(case):
    """Every part of the archive in turn: gone, empty, and noise."""
    whole = entries(traced_small(case.folder / "net.pt"))
    random = np.random.default_rng(1)
    for name, data in whole.items():
        if name.endswith("debug_pkl"):
            continue
        for new in (None, b"", random.bytes(len(data)), data[:len(data) // 2]):
            contents = {key: value for key, value in whole.items() if key != name}
            contents.update({} if new is None else {name: new})
            path = write(case.folder / "bad.pt", contents)
            try:
                case.export(path)
            except ExportError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 1000


def test_not_finite(case):
    module = random_network(Small)
    module.head.weight[1, 2] = float("nan")
    assert "head.weight" in refusal(case, traced(case, module))


def test_training(case):
    """Forgotten: .eval()"""
    assert "eval()" in refusal(case, traced(case, Small().train()))


def test_dropout_in_training(case):
    module = random_network(Small)
    module.drop.train()
    assert "eval()" in refusal(case, traced(case, module))


def test_quantized(case):
    made = torch.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(3, 3)), {torch.nn.Linear})
    torch.jit.trace(made, torch.rand(1, 4, 3), check_trace=False).save(str(case.folder / "net.pt"))
    refusal(case, case.folder / "net.pt")


def test_checkpoint_called_pt(case):
    """Weights alone are read as they always were."""
    torch.save(Small().state_dict(), case.folder / "net.pt")
    assert "pyramid" in refusal(case, case.folder / "net.pt")


def test_whole_module_called_pt(case):
    """A pickled module is not an archive, and nothing of it is run."""
    torch.save(Small(), case.folder / "net.pt")
    refusal(case, case.folder / "net.pt")
