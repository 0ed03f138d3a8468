"""What a module's labels are made of: maps, which say more about a network than labels do, often all of one class."""
import torch

THROUGH = {f"aten::{name}" for name in ("to", "squeeze", "unsqueeze", "int", "long", "byte", "type_as", "detach")}
SOFTMAX = {"aten::softmax", "aten::log_softmax"}
DIMENSION = 1  # of the classes


def before_labels(module):
    """-> a function of the module's inputs, of the logits [N, C, H, W] before an argmax or a threshold at its end; None
    if there is none"""
    graph = module.graph.copy()
    torch._C._jit_pass_inline(graph)
    value, *others = graph.outputs()
    while value.node().kind() in THROUGH:
        value = value.node().inputsAt(0)
    node = value.node()
    if others or not is_end(node):
        return None
    value = node.inputsAt(0)
    if is_activation(value.node(), node.kind() == "aten::gt"):
        value = value.node().inputsAt(0)
    elif node.kind() == "aten::gt" and dimension(node) != 0:  # y > 0 is sigmoid(y) > 0.5
        return None
    graph.eraseOutput(0)
    graph.registerOutput(value)
    torch._C._jit_pass_dce(graph)
    try:
        function = torch._C._create_function_from_graph("before_labels", graph)
    except RuntimeError:  # of a stranger's graph
        return None
    return lambda *maps: function(module, *maps)


def is_end(node):
    return node.kind() == "aten::gt" or node.kind() in ("aten::argmax", "aten::max") and dimension(node) == DIMENSION


def is_activation(node, is_threshold):
    return node.kind() == "aten::sigmoid" if is_threshold else \
        node.kind() in SOFTMAX and dimension(node) == DIMENSION


def dimension(node):
    """-> the second operand, if that is a constant"""
    inputs = list(node.inputs())
    return inputs[1].toIValue() if len(inputs) > 1 and inputs[1].node().kind() == "prim::Constant" else None
