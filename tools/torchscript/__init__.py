"""Networks in TorchScript archives, traced or scripted; tools/export.py is the program.

archive.py opens a file; graph.py goes through its inlined graph, node by node, with values.py's values: constants,
sizes and maps. operators.py joins the tables of what a node may be: scalars.py (numbers and lists), layers.py,
pointwise.py, joins.py, resizes.py, shapes.py and parts.py (maps). A map is an entry of program.py; write.py writes the
network, with the pyramids that pyramids.py finds in it, and output.py finds what the model's output has to be. sizes.py
is how sizes that follow from the input stay so. reading.py does it all, for modules of Python by several traces
(trace.py), and verify.py compares what was read with the module before anything is written
(labels.py: what labels are made of).
"""
from checkpoints import ExportError

NO_LAYER = "the language of networks (docs/models.md) has no such layer"


class Refusal(Exception):
    """Why a node cannot be read: "the axis 5 of 4"; graph.py adds the operator and its line."""


class TooLarge(ExportError):
    """A bound on the whole network, beyond which nothing is read."""


class Channels(ExportError):
    """A layer expects another number of channels of an input than was assumed, since no archive says it."""

    def __init__(self, name, count, sentence):
        super().__init__(sentence)
        self.name, self.count = name, count
