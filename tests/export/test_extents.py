"""The size of y that the report of tools/export.py prints."""
import pytest
from exporting.extents import sides

CONV, POOL = {"conv": {"stride": 2}}, {"max_pool": {"window": 2}}


def model(*network, inputs=None, **output):
    described = {"inputs": {name: {"channels": 3} for name in inputs}} if inputs else {"input": {"channels": 3}}
    return {**described, "network": list(network), **({"output": output} if output else {})}


@pytest.mark.parametrize("config, expected", (
    (model("relu"), ("H", "W")),
    (model(CONV, POOL, {"avg_pool": {"window": 3, "stride": [1, 2]}}), ("H/4", "W/8")),
    (model({"conv": {"stride": 4}}, {"resize": {"scale": 3}}), ("3 H/4", "3 W/4")),
    (model(CONV, scale=8), ("4 H", "4 W")),
    (model({"conv": {"stride": 8}}, scale=4, trim=True), ("4 (H/8 - 1) + 1", "4 (W/8 - 1) + 1")),
    (model(CONV, size="input"), ("H", "W")),
    (model(CONV, size=[40, 50]), ("40", "50")),
    (model({"adaptive_avg_pool": {"bins": [2, 3]}}), ("2", "3")),
    (model({"resize": {"size": [9, 7]}}, CONV), ("h", "w")),
    (model({"relu": {}, "name": "a"}, {"adaptive_avg_pool": {"bins": 1}, "name": "b"}, {"mul": ["b", "a"]}),
     ("H", "W")),
    (model(CONV, {"resize": {"like": "x"}}), ("H", "W")),
    (model({"conv": {}, "from": "q", "name": "b"}, {"resize": {"like": "p"}}, {"add": ["p", "b"]}, inputs="pq"),
     ("H", "W")),
    (model({"conv": {"stride": 2}, "from": "q"}, inputs="pq"), ("h", "w")),
    ({"input": {"channels": 3}, "bins": [1], "branch": [], "output": {"scale": 8}}, ("8 H", "8 W")),
    (model({"conv": {"stride": 0}}), ("h", "w")),
    (model({"resize": {"like": "nothing"}}), ("h", "w")),
))
def test_sides(config, expected):
    assert sides(config) == expected
