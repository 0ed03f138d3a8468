"""What is known about a model without its inputs' sizes."""
import dataclasses
import json
from ctypes import byref
from typing import NamedTuple, Optional

import numpy as np

from ._library import library, ppm_model_info

DTYPES = (np.dtype(np.float32), np.dtype(np.int32))  # enum ppm_dtype


class Input(NamedTuple):
    name: str
    channels: int


class Class(NamedTuple):
    name: str
    color: tuple  # red, green, blue


@dataclasses.dataclass(frozen=True)
class Info:
    name: str
    inputs: tuple          # of Input, in their order
    takes_images: bool     # by run_image() and label()
    output_channels: int
    dtype: np.dtype        # of the answer: float32, or int32 for labels
    layout: str            # of arrays, unless run() names one: "NCHW" or "NHWC"
    label_count: int       # labels are below it; 0: the answer is no map of labels
    classes: tuple         # a Class for each label, or channel of the answer; (): the model names none
    palette: Optional[np.ndarray]  # uint8 [label_count, 3], a color for each label; None: there is none
    parameters: int        # trained values
    compute: str           # "float32" or "bfloat16"
    isa: str               # the kernels that its weights are packed for: "avx512", ...
    config: dict = dataclasses.field(repr=False)  # the model's JSON


def info_of(handle):
    found = ppm_model_info()
    library.ppm_model_info(handle, byref(found))
    return Info(
        name=found.name.decode(),
        inputs=tuple(Input(each.name.decode(), each.channels) for each in found.inputs[:found.input_count]),
        takes_images=found.takes_images,
        output_channels=found.output_channels,
        dtype=DTYPES[found.output_dtype],
        layout=library.ppm_layout_name(found.layout).decode(),
        label_count=found.classes,
        classes=tuple(Class(each.name.decode(), tuple(each.color)) for each in found.class_list[:found.class_count]),
        palette=np.array([list(color) for color in found.palette[:found.palette_count]], np.uint8)
        if found.palette else None,
        parameters=found.parameters,
        compute=found.compute.decode(),
        isa=found.isa.decode(),
        config=json.loads(found.config_json))
