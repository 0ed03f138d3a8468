#!/usr/bin/python3
"""usage: tests/v2/check_shared.py URL FOLDER

The clients in shared_memory.sh wrote what the program wrote. clients/ppm_client.py uses shared memory for many
requests, finds their results there, and unregisters it at the end."""

import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent.parent / "clients"))
import ppm_client  # noqa: E402

url, folder = sys.argv[1], pathlib.Path(sys.argv[2])
for expected, found in (("first", "y1-c"), ("first", "y1-python"), ("second", "y2-c"),
                        ("second", "y2-python")):
    y, other = np.load(folder / f"{expected}.npy"), np.load(folder / f"{found}.npy")
    assert y.shape == other.shape and y.dtype == other.dtype and np.array_equal(y, other), found

random = np.random.default_rng(3)
with ppm_client.Client(url) as client:
    with client.share((2, 4, 7, 9)) as shared, client.share((4, 5, 5)) as small:
        for request in range(50):
            shared.x[:] = random.standard_normal(shared.x.shape)
            assert np.array_equal(shared.infer(), client.infer(shared.x)), request
            small.x[:] = request
            assert np.array_equal(small.infer(), client.infer(small.x)), request
        regions = json.loads(client.ask("GET", "/v2/systemsharedmemory/status"))
        assert len(regions) == 2, regions
    regions = json.loads(client.ask("GET", "/v2/systemsharedmemory/status"))
    assert regions == [], regions
print("shared memory: the same values as without it")
