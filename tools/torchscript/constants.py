"""Operators on constant tensors, computed by PyTorch: weights that the code scales, reshapes or concatenates."""
import torch

from . import NO_LAYER, Refusal
from .sizes import Size
from .values import Weight

VALUES_MAX = 1 << 27
TOTAL_MAX = 1 << 30  # of all results, intermediate ones included

FOLDED = frozenset("""
    add sub mul div rsub neg exp log sqrt rsqrt reciprocal pow abs clamp clamp_min clamp_max minimum maximum square
    view reshape flatten unflatten unsqueeze squeeze permute transpose t contiguous expand expand_as repeat cat stack
    mean sum var std var_mean norm linalg_vector_norm linalg_norm amax amin argmax prod cumsum
    to float double half type_as detach clone alias select slice narrow index_select chunk split split_with_sizes unbind
    zeros ones full empty arange linspace tensor zeros_like ones_like full_like new_zeros new_ones new_full
    eye tanh sigmoid relu softmax softplus hardtanh floor ceil round floor_divide true_divide remainder
    Int Float Bool ScalarImplicit FloatImplicit IntImplicit item scalar_tensor
    eq ne lt le gt ge size dim numel is_floating_point matmul mm mv dot addmm bmm batch_norm layer_norm _weight_norm
    norm_except_dim flip roll
    lift lift_fresh lift_fresh_copy
    sin cos movedim triu tril outer meshgrid broadcast_to
    """.split())

DTYPES = {3: torch.int32, 4: torch.int64, 5: torch.float16, 6: torch.float32, 7: torch.float64}  # numbers in graphs
NO_LARGER = frozenset("item Int Float Bool ScalarImplicit FloatImplicit IntImplicit _weight_norm".split())


def folded(schema, operands, budget):
    """-> what PyTorch computes of constants: a Weight, a number, or a list of them

    budget: [how many values may still be computed], which is reduced
    """
    name = schema.name.partition("::")[2]
    if name not in FOLDED:
        raise Refusal(NO_LAYER)
    function = getattr(getattr(torch.ops.aten, name), schema.overload_name or "default")
    if any(isinstance(operand, Size) for operand in flat(operands)):
        raise Refusal("a constant that depends on the size of the input")
    given = [(argument, unwrapped(operand)) for argument, operand in zip(schema.arguments, operands)]
    try:
        count = 1 if name in NO_LARGER else values_in(called(function, on_meta(given)))
        if count > min(VALUES_MAX, budget[0]):
            raise Refusal(f"a constant of {count} values, expected at most {min(VALUES_MAX, budget[0])}")
        budget[0] -= count
        result = called(function, given)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise Refusal(str(error).strip().partition("\n")[0][:300]) from None
    key = next((operand.key for operand in flat(operands) if isinstance(operand, Weight)), "constant")
    return wrapped(result, key)


def tensor_of(values, dtype=None, *_):
    """torch.tensor([...]) of a script, whose operator takes Python's lists only"""
    made = torch.tensor(values)
    return Weight(made if dtype is None else made.to(DTYPES[dtype]), "constant")


def called(function, given):
    return function(*(value for argument, value in given if not argument.kwarg_only),
                    **{argument.name: value for argument, value in given if argument.kwarg_only})


def on_meta(given):
    """The same arguments without values, so that only the size of the result is computed."""
    def moved(value):
        if isinstance(value, list):
            return [moved(item) for item in value]
        return value.to("meta") if isinstance(value, torch.Tensor) else value

    return [(argument, "meta" if argument.name == "device" else moved(value)) for argument, value in given]


def values_in(result):
    return sum(value.numel() if isinstance(value, torch.Tensor) else 1
               for value in (result if isinstance(result, (list, tuple)) else [result]))


def flat(operands):
    for operand in operands:
        yield from operand if isinstance(operand, list) else [operand]


def unwrapped(value):
    if isinstance(value, Weight):
        return value.values
    return [unwrapped(item) for item in value] if isinstance(value, list) else value


def wrapped(value, key):
    if isinstance(value, torch.Tensor):
        return Weight(value, key)
    return type(value)(wrapped(item, key) for item in value) if isinstance(value, (list, tuple)) else value
