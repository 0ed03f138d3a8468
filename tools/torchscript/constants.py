"""Operators on constant tensors, computed by PyTorch: weights that the code scales, reshapes or concatenates."""
import math

import torch

from . import Refusal
from .values import Weight

VALUES_MAX = 1 << 28

FOLDED = frozenset("""
    add sub mul div rsub neg exp log sqrt rsqrt reciprocal pow abs clamp clamp_min clamp_max minimum maximum square
    view reshape flatten unflatten unsqueeze squeeze permute transpose t contiguous expand expand_as repeat cat stack
    mean sum var std var_mean norm linalg_vector_norm linalg_norm amax amin argmax prod cumsum
    to float double half type_as detach clone alias select slice narrow index_select chunk split split_with_sizes unbind
    zeros ones full empty arange linspace tensor zeros_like ones_like full_like new_zeros new_ones new_full
    eye tanh sigmoid relu softmax softplus hardtanh floor ceil round floor_divide true_divide remainder
    Int Float Bool ScalarImplicit FloatImplicit IntImplicit item scalar_tensor
    eq ne lt le gt ge size dim numel is_floating_point matmul mm addmm bmm batch_norm layer_norm _weight_norm
    norm_except_dim flip roll
    sin cos movedim triu tril outer meshgrid broadcast_to
    """.split())

SIZED = ("zeros", "ones", "full", "empty", "new_zeros", "new_ones", "new_full", "expand", "repeat", "eye",
         "broadcast_to")


def folded(name, operands, schema):
    """-> what PyTorch computes of constants: a Weight, a number, or a list of them"""
    if name not in FOLDED:
        raise Refusal("the language of networks (docs/models.md) has no such layer")
    plain = [unwrapped(operand) for operand in operands]
    counts = [n for operand in plain for n in (operand if isinstance(operand, list) else [operand])
              if isinstance(n, int) and not isinstance(n, bool) and n > 1]
    if name in (*SIZED, "arange", "linspace") and math.prod(counts) > VALUES_MAX:
        raise Refusal(f"a constant of more than {VALUES_MAX} values")
    given = {argument.name: value for argument, value in zip(schema.arguments, plain) if argument.kwarg_only}
    try:
        overload = getattr(getattr(torch.ops.aten, name), schema.overload_name or "default")
        result = overload(*plain[:len(plain) - len(given)], **given)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise Refusal(str(error).strip().partition("\n")[0][:300]) from None
    key = next((operand.key for operand in flat(operands) if isinstance(operand, Weight)), "constant")
    return wrapped(result, key)


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
