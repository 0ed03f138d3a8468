"""Pyramid pooling modules in other people's checkpoints; tools/export.py is the program.

files.py reads a checkpoint of any format into a tensor.py: keras.py Keras's, pickled.py PyTorch's and
other pickles, by an unpickler.py that runs nothing; entries.py finds the weights in them. sizes.py bounds
what a file may take. kinds.py is the table of modules that are known, recognize.py finds them, mapping.py
does as told, for those that are not.
"""


class ExportError(Exception):
    """What is wrong with a checkpoint, or missing from it, in one sentence."""
