"""What the Python tests share: the option --full, and a report of what was measured."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "reliability"), str(HERE.parent / "tools")]


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the long forms")


class Report:
    """What a test measured, and which promises were broken; the test goes on after one is."""

    def __init__(self):
        self.broken, self.kept = [], 0

    @staticmethod
    def say(text):
        print(f"  {text}", flush=True)

    def expect(self, holds, promise):
        if holds:
            self.kept += 1
        elif promise not in self.broken:
            self.broken.append(promise)
            self.say(f"BROKEN: {promise}")


@pytest.fixture
def is_full(request):
    return request.config.getoption("--full")


@pytest.fixture
def report():
    return Report()


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    outcome = yield
    outcome.get_result()
    if report := pyfuncitem.funcargs.get("report"):
        assert not report.broken, "; ".join(report.broken)
        assert report.kept, "nothing was checked"
