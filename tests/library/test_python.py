"""The Python module: what it computes, refuses, shares and frees."""
import concurrent.futures
import contextlib
import gc
import json
import os
import pickle
import subprocess
import sys
import threading
import weakref

import numpy as np
import ppm
import pytest
from ppm import _model, _team
from support import ROOT, STREET

GOLDEN = ROOT / "tests/golden"
LISTING = ROOT / "configs/models/listing1-pytorch-ppm.json"
TOLERANCE = 5e-6         # of the largest value, as in tests/test_golden.c
LABELS_TOLERANCE = 5e-4  # the share of pixels with another label


@pytest.fixture(name="street", scope="module")
def street_model():
    with ppm.Model(STREET) as model:
        yield model


def x_of(channels, h=40, w=56, seed=1):
    return np.random.default_rng(seed).random((1, channels, h, w), np.float32)


@contextlib.contextmanager
def refused(status, words):
    """The block raises an Error with that status, whose sentence matches."""
    with pytest.raises(ppm.Error, match=words) as caught:
        yield
    assert caught.value.status is status and "\n" not in str(caught.value)


# ---- what it computes ----

@pytest.mark.parametrize("name", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_golden(name):
    folder = GOLDEN / name
    inputs = {file.name[2:-4]: np.load(file) for file in folder.glob("x.*.npy")} or np.load(folder / "x.npy")
    expected = np.load(folder / "y.npy")
    with ppm.Model(folder / "config.json") as model:
        y = model.run(inputs)
        assert y.shape == expected.shape and y.dtype == model.info.dtype
    if y.dtype == np.int32:
        assert np.mean(y != expected) <= LABELS_TOLERANCE
    else:
        finite = np.isfinite(expected)
        largest = np.abs(expected[finite]).max(initial=0) or 1
        assert np.array_equal(np.isfinite(y), finite)
        assert np.abs(y - expected)[finite].max(initial=0) <= TOLERANCE * largest


def test_layouts_and_sizes(street):
    x = x_of(3)
    y = street.run(x)
    assert y.shape == (1, 1, 40, 56) and y.dtype == np.int32 and y.flags.writeable
    assert np.array_equal(street.run(x[0]), y[0])
    assert np.array_equal(street.run(x.transpose(0, 2, 3, 1), layout="NHWC"), y.transpose(0, 2, 3, 1))
    assert street.run(x, size=(20, 30)).shape == (1, 1, 20, 30)
    assert np.mean(street.run(x, reference=True) != y) < 0.01


def test_what_numpy_can_convert(street):
    x = x_of(3)
    y = street.run(x)
    for same in (x.astype(">f4"), x.astype(np.float64), np.asfortranarray(x), x.tolist(),
                 np.flip(np.flip(x, 3).copy(), 3), np.frombuffer(b" " + x.tobytes(), np.float32, offset=1).reshape(x.shape)):
        assert np.array_equal(street.run(same), y)
    assert np.array_equal(street.run(np.ones((3, 9, 9), bool)), street.run(np.ones((3, 9, 9), np.float32)))


def test_an_array_is_read_where_it_is():
    x = x_of(3)
    assert _model.array_of("x", x) is x


def test_the_answer_outlives_its_model_and_its_views(monkeypatch):
    freed, free = [], _model.library.ppm_tensor_free
    monkeypatch.setattr(_model.library, "ppm_tensor_free", lambda y: (freed.append(y.data), free(y)))
    model = ppm.Model(STREET)
    y = model.run(x_of(3))
    view, expected, data = y[0, 0, 5:], y.copy(), y.ctypes.data
    model.close()
    del y, model
    gc.collect()
    assert np.array_equal(view, expected[0, 0, 5:]) and data not in freed
    del view
    gc.collect()
    assert data in freed


def test_info(street):
    info = street.info
    assert (info.name, info.inputs, info.layout, info.label_count) == ("street", (("x", 3),), "NCHW", 9)
    assert info.dtype == np.int32 and info.takes_images and info.output_channels == 1
    assert info.classes[2] == ("road", (90, 90, 102)) and info.palette[2].tolist() == [90, 90, 102]
    assert info.config == json.loads(STREET.read_text()) | {"input": info.config["input"]}
    assert repr(street) == "<ppm.Model street (x: 3) -> 1 int32>"
    assert ppm.__version__ == (ROOT / "VERSION").read_text().strip()


# ---- what it refuses ----

@pytest.mark.parametrize("x, options, status, words", [
    (np.zeros((4, 9, 9)), {}, ppm.Status.UNFIT, "found 4 channels, expected the model's 3"),
    (np.zeros((9, 9)), {}, ppm.Status.MALFORMED, "2 dimensions, expected 4"),
    (7, {}, ppm.Status.MALFORMED, "0 dimensions, expected 4"),
    (np.zeros((1,) * 9), {}, ppm.Status.MALFORMED, "9 dimensions"),
    (np.zeros((3, 0, 9)), {}, ppm.Status.MALFORMED, "dimension of 0"),
    (np.zeros((3, 9, 9), complex), {}, ppm.Status.MALFORMED, "x: found complex128, expected numbers"),
    ("photo.jpg", {}, ppm.Status.MALFORMED, "x: found <U9, expected numbers"),
    ([[1], [2, 3]], {}, ppm.Status.MALFORMED, "x: expected an array of numbers"),
    ({}, {}, ppm.Status.UNFIT, "found inputs [(]none[)], expected x"),
    ({"x": 1, 2: 3}, {}, ppm.Status.UNFIT, "found inputs x, 2, expected x"),
    (None, {"size": 5}, ppm.Status.MALFORMED, "size: found 5, expected [(]H, W[)]"),
    (None, {"size": (0, 5)}, ppm.Status.MALFORMED, "size"),
    (None, {"size": (float("inf"), 5)}, ppm.Status.MALFORMED, "size"),
    (None, {"size": (1.5, 5, 5)}, ppm.Status.MALFORMED, "size"),
    (None, {"size": (2 ** 31 - 1, 2 ** 31 - 1)}, ppm.Status.TOO_LARGE, "output"),
    (None, {"layout": "CHW"}, ppm.Status.MALFORMED, "layout: found 'CHW', expected \"NCHW\""),
    (None, {"layout": 1}, ppm.Status.MALFORMED, "layout"),
    (None, {"threads": 0}, ppm.Status.MALFORMED, "threads: found 0, expected an integer from 1 to 1024"),
    (None, {"threads": -1}, ppm.Status.MALFORMED, "threads"),
    (None, {"threads": 2.0}, ppm.Status.MALFORMED, "threads"),
    (None, {"threads": 2 ** 40}, ppm.Status.MALFORMED, "threads")])
def test_refused(street, x, options, status, words):
    with refused(status, words):
        street.run(x_of(3) if x is None else x, **options)


def test_refused_inputs():
    with ppm.Model(ROOT / "configs/models/two-levels.json") as model:
        fine, coarse = x_of(4, 8, 8), x_of(3, 4, 4)
        assert model.run({"coarse": coarse, "fine": fine}).ndim == 4
        with refused(ppm.Status.UNFIT, "found one array, expected a dict with fine and coarse"):
            model.run(fine)
        with refused(ppm.Status.MALFORMED, "some inputs have the axis N, others do not"):
            model.run({"fine": fine, "coarse": coarse[0]})
        with refused(ppm.Status.UNFIT, "input"):
            model.run({"fine": np.repeat(fine, 2, 0), "coarse": coarse})


def test_refused_files(tmp_path):
    with refused(ppm.Status.BAD_CONFIG, "none.json: cannot read it: No such file"):
        ppm.Model(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"name": 5}')
    with refused(ppm.Status.BAD_CONFIG, "bad.json: name: found 5, expected"):
        ppm.Model(str(tmp_path / "bad.json"))
    with refused(ppm.Status.BAD_CONFIG, "expected"):
        ppm.Model(os.fsencode(tmp_path / "bad.json"))


def test_errors_travel():
    error = pickle.loads(pickle.dumps(ppm.Error(ppm.Status.UNFIT, "x: no")))
    assert (str(error), error.status) == ("x: no", ppm.Status.UNFIT)


# ---- models come and go ----

@pytest.fixture(name="freed")
def freed_models(monkeypatch):
    """The handles of the models that were freed."""
    freed, free = [], _model.library.ppm_model_free
    gc.collect()
    monkeypatch.setattr(_model.library, "ppm_model_free", lambda handle: (freed.append(handle), free(handle)))
    return freed


def test_closed(freed):
    model = ppm.Model(STREET)
    handle = model._loaded.handle
    model.close()
    model.close()
    assert freed == [handle] and model.info.name == "street"
    with refused(ppm.Status.UNFIT, "model street is closed"):
        model.run(x_of(3))


def test_collected(freed):
    model = ppm.Model(STREET)
    handle = model._loaded.handle
    del model
    gc.collect()
    assert freed == [handle]


def test_a_run_keeps_a_model_that_is_closed(street, freed):
    """Closed at the moment that the library is entered, when no other reference is left."""
    model, entered, closed = ppm.Model(STREET), threading.Event(), threading.Event()
    x, ys = x_of(3), []

    def slow(*arguments):
        entered.set()
        assert closed.wait(60)
        return _model.library.ppm_run(*arguments)

    def compute():
        tensor = (_model.ppm_tensor * 1)(_model.tensor_of(x, 0))
        ys.append(model._compute(slow, tensor, _model.options_of(None, 1)))

    thread = threading.Thread(target=compute)
    thread.start()
    assert entered.wait(60)
    handle = model._loaded.handle
    model.close()
    gc.collect()
    assert freed == []
    closed.set()
    thread.join()
    assert np.array_equal(ys[0], street.run(x)) and freed == [handle]


# ---- threads and processes ----

def test_threads_of_python_share_models(street):
    with ppm.Model(LISTING) as listing, concurrent.futures.ThreadPoolExecutor(8) as pool:
        works = [(model, x_of(model.info.inputs[0].channels, seed=i), threads)
                 for i in range(4) for model in (street, listing) for threads in (1, 2, 3)]
        expected = [model.run(x, threads=1) for model, x, _ in works]
        found = list(pool.map(lambda work: work[0].run(work[1], threads=work[2]), works * 3))
    assert all(np.array_equal(y, expected[i % len(works)]) for i, y in enumerate(found))


def test_one_team_at_a_time(street, monkeypatch):
    """A run on several threads has the lock; others do not wait for it."""
    seen, run = [], _model.library.ppm_run
    monkeypatch.setattr(_model.library, "ppm_run",
                        lambda *arguments: (seen.append(_team.team.lock.locked()), run(*arguments))[1])
    street.run(x_of(3), threads=2)
    street.run(x_of(3), threads=1)
    with _team.turn(2):
        street.run(x_of(3), threads=1)
    assert seen == [True, False, True]


def test_other_threads_of_python_go_on(street):
    """While the library computes. If it kept the interpreter's lock, nothing would be counted during a run."""
    x, counts, stop = x_of(3, 256, 512), [0], threading.Event()

    def count():
        while not stop.wait(0.0001):
            counts[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    most = 0
    for _ in range(100):
        before = counts[0]
        street.run(x, threads=1)
        most = max(most, counts[0] - before)
        if most >= 5:
            break
    stop.set()
    counter.join()
    assert most >= 5


FORKED = """
import os, sys
import numpy as np
import ppm

model, x = ppm.Model(sys.argv[1]), np.ones((3, 64, 96), np.float32)
expected = model.run(x, threads=2)
child = os.fork()
if child == 0:
    assert np.array_equal(model.run(x), expected)
    try:
        model.run(x, threads=2)
    except ppm.Error as error:
        os._exit(7 if "forked" in str(error) else 1)
    os._exit(2)
_, status = os.waitpid(child, 0)
assert np.array_equal(model.run(x, threads=2), expected)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_forked():
    """OpenMP would wait for threads that the child does not have."""
    done = subprocess.run([sys.executable, "-c", FORKED, STREET], timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "clients/python")})
    assert done.returncode == 7
