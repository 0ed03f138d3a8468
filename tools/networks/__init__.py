"""Whole networks in other people's checkpoints, as the "network" of a model.

net.py writes a network; families of backbones and heads (resnet.py, pspnet.py, ...) are functions over it, which
find depths and widths in the checkpoint's names and shapes. kinds.py is the table of networks that are known.
"""
from checkpoints import ExportError


class Unfit(ExportError):
    """Why a checkpoint is not of a kind, in words that follow the name of the checkpoint or of a tensor."""
