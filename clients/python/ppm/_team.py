"""OpenMP's threads in a Python process.

OpenMP keeps a team for each thread that asks for several threads, so runs on several take turns: two teams at
once would only slow each other down. A process made by fork has none of its parent's threads, and a team that
it inherits would be waited for forever: there, runs take one thread."""
import contextlib
import os
import threading

from ._library import Error, Status, library

THREADS_MAX = 1024


class Team:
    def __init__(self):
        self.is_started = self.is_lost = False  # by this process; by a fork
        self.lock = threading.Lock()

    def after_fork(self):
        self.is_lost = self.is_lost or self.is_started
        self.lock = threading.Lock()  # whose holder may be a thread that is gone


team = Team()
os.register_at_fork(after_in_child=team.after_fork)


def threads_of(threads):
    """The number of threads to compute on, from what the caller asks for."""
    if threads is None:
        return 1 if team.is_lost else library.ppm_default_threads()
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= THREADS_MAX:
        raise Error(Status.MALFORMED, f"threads: found {threads!r}, expected an integer from 1 to {THREADS_MAX}")
    if threads > 1 and team.is_lost:
        raise Error(Status.UNFIT, f"threads: found {threads}, expected 1 in a process forked after a run on "
                    "several threads; multiprocessing's \"spawn\" starts processes that may use more")
    return threads


@contextlib.contextmanager
def turn(threads):
    if threads == 1:
        yield
        return
    with team.lock:
        team.is_started = True
        yield
