"""Pyramid pooling modules in other people's checkpoints; tools/export.py is the program.

files.py reads a checkpoint of any format: pickled.py the pickles in it, without running them,
entries.py finds the weights among what else they hold. kinds.py is the table of modules that are
known, recognise.py finds them, mapping.py does as told, for those that are not.
"""


class ExportError(Exception):
    """What is wrong with a checkpoint, or what is missing to export it, in one sentence."""
