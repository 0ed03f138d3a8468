"""Reproducible weights of sane magnitude for any model configuration.

Each tensor has a random stream of its own, seeded by a text, so that its values depend neither on
the order of the tensors nor on the Python version (str seeds and random() are stable by contract).
"""
import math
import random

import ppm_config

# role -> (lowest, highest) value; a conv's weights preserve variance
RANGES = {"bias": (-0.5, 0.5), "gamma": (0.5, 1.5), "beta": (-0.5, 0.5),
          "mean": (-0.5, 0.5), "var": (0.5, 1.5), "slope": (0.0, 0.5)}


def uniform(seed, count, low, high):
    stream = random.Random(seed)
    return [low + (high - low) * stream.random() for _ in range(count)]


def weights(config, seed, prelu_parameters=None):
    """-> {name: (shape, values)} for every tensor of the model, prefix included"""
    prefix, result = config["weights"].get("prefix", ""), {}
    for tensor in ppm_config.tensors(config, prelu_parameters):
        limit = math.sqrt(3 / tensor.fan_in)
        low, high = RANGES.get(tensor.role, (-limit, limit))
        values = uniform(f"{seed}/{tensor.name}", math.prod(tensor.shape), low, high)
        result[prefix + tensor.name] = (tensor.shape, values)
    return result
