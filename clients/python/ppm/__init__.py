"""Pyramid pooling networks, computed in this process by libppm; NumPy arrays in and out.

    model = ppm.Model("net.json")
    y = model.run(x)                             # x: float32 [N, C, H, W]
    labels, classes = model.label("street.jpg")  # of a model that takes images

Whatever goes wrong is an Error with one sentence. docs/library.md describes the rest."""
from ._info import Class, Info, Input
from ._labels import Area, Labels
from ._library import Error, Status, library
from ._model import Model

__all__ = ["Area", "Class", "Error", "Info", "Input", "Labels", "Model", "Status"]
__version__ = library.ppm_version().decode()
